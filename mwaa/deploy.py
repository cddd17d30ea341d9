"""Deploying, verifying what was deployed, and going back.

Whatever happens in between, a second call goes on: what is in the bucket is not uploaded again, and an environment
that runs the right versions is not updated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from include.release import IGNORE_FILE, is_our_dag
from mwaa.environment import INSTALLED, Environment, Installed, of_the_bucket
from mwaa.faults import DeployError, Finding, listed
from mwaa.objects import Stored, VersionedBucket
from mwaa.releases import Release, Releases
from mwaa.verify import Verification

type Put = Callable[[], Stored]
"""Makes a content the newest version of an object."""


@dataclass(frozen=True)
class Deployment:
    """:param verification: what is asked after a deployment, see :class:`~mwaa.verify.Verification`"""

    environment: Environment
    bucket: VersionedBucket
    verification: Verification
    say: Callable[[str], None] = print

    @property
    def releases(self) -> Releases:
        return Releases(self.bucket)

    def refuse_what_cannot_be(self) -> None:
        """Before anything is written: raises DeployError for an environment or a bucket that cannot be deployed to."""
        self.environment.refuse_if_busy()
        if found := of_the_bucket(self.environment, self.bucket):
            raise DeployError(listed(found))

    def deploy(self, package: Path, manifest: Mapping[str, Any]) -> list[Finding]:
        """Upload a package and have the environment run it. Returns what its verification finds.

        If that is anything, or the update fails, the release before it is put back; the finding, or the error, stays.
        """
        self.refuse_what_cannot_be()
        before = self.releases.current() or self._found()
        contents = {self._key(name): package / name for name in manifest["sha256"]}
        puts = {key: partial(self._put, key, path) for key, path in contents.items()}
        self.say(f"deploying {manifest['version']} ({manifest['content'][:12]}) to {self.environment.name}")
        try:
            objects = self._install(puts)
        except DeployError as error:
            if before:
                self.say(f"{error}\nputting back {before.name}")
                self._restore(before)
            raise
        release = Release("uploaded", manifest, objects)
        if before and before.state == "verified" and before.has_same_content(release):
            self.say("nothing has changed since the last deployment")
            return self.verification.findings(before)
        self.releases.write(release)
        found = self.verification.findings(release)
        self.releases.judge(release, "failed" if found else "verified")
        if found:
            self.say(f"{release.name} does not run as it should:\n{listed(found)}")
            self._go_back(release)
        return found

    def verify(self, manifest: Mapping[str, Any]) -> list[Finding]:
        """Whether the environment runs the package with this manifest, and has what it needs."""
        release = self.releases.current()
        if release is None or not release.manifest:
            return [Finding(f"nothing was deployed to {self.environment.name} by make deploy", "run make deploy")]
        if release.manifest["content"] != manifest["content"]:
            name = f"{manifest['version']} ({manifest['content'][:12]})"
            problem = f"{self.environment.name} has {release.name}; this checkout is {name}"
            return [Finding(problem, "run make deploy, or check out the commit that was deployed")]
        return self.verification.findings(release)

    def roll_back(self) -> list[Finding]:
        """Put back the release before the current one. Returns what its verification finds.

        Raises DeployError if there is none.
        """
        self.refuse_what_cannot_be()
        return self._go_back(self.releases.current())

    def _go_back(self, current: Release | None) -> list[Finding]:
        target = self.releases.to_go_back_to(current)
        if target is None:
            raise DeployError("there is no earlier release that has run: correct this one, and run make deploy")
        self.say(f"putting back {target.name}")
        self._restore(target)
        found = self.verification.findings(target) if target.manifest else []
        if found:
            self.say(f"{target.name} does not run as it should, either:\n{listed(found)}")
        else:
            self.say(f"{self.environment.name} runs {target.name} again")
        return found

    def _restore(self, target: Release) -> Release:
        """Make every object's newest version what it was in ``target``, and the environment run it."""
        puts = {key: partial(self.bucket.restore, key, one) for key, one in target.objects.items()}
        restored = Release(target.state, target.manifest, self._install(puts))
        self.releases.write(restored)
        return restored

    def _install(self, puts: Mapping[str, Put]) -> dict[str, Stored]:
        """What is installed first, then the DAGs; those of ours that are not among them go last of all."""
        keys = {self.environment.key(one): one for one in INSTALLED}
        first = {key: put() for key, put in puts.items() if key in keys}
        self._update({keys[key]: stored for key, stored in first.items()})
        dags = {key: put() for key, put in sorted(puts.items()) if key not in keys}
        for key in self._dags_of_ours():
            if key not in dags:
                self.say(f"deleting s3://{self.bucket.name}/{key}")
                self.bucket.delete(key)
        return {**first, **dags}

    def _update(self, wanted: Mapping[Installed, Stored]) -> None:
        changed = {}
        for one, stored in wanted.items():
            runs = self.environment.runs(one, self.bucket)
            if runs is None or runs.sha256 != stored.sha256:
                changed[one] = stored
        if changed:
            self.environment.update(changed)
        else:
            self.say("plugins, requirements and start-up script are those that it runs: no update")

    def _found(self) -> Release | None:
        """What was uploaded by other means, so that one can go back to it."""
        keys = [*self._dags_of_ours()]
        objects = {key: stored for key in keys if (stored := self.bucket.newest(key))}
        for one in INSTALLED:
            if stored := self.environment.runs(one, self.bucket):
                objects[self.environment.key(one)] = stored
        if not objects:
            return None
        release = Release("found", {}, objects)
        self.releases.write(release)
        return release

    def _dags_of_ours(self) -> list[str]:
        """Whatever else is in the folder is left alone."""
        folder = self.environment.dags
        return [key for key in self.bucket.keys(folder) if is_our_dag(key.removeprefix(folder))]

    def _key(self, name: str) -> str:
        """Where a file of the package belongs in the bucket."""
        places = {one.file: self.environment.key(one) for one in INSTALLED}
        return places.get(name) or self.environment.dags + name.removeprefix("dags/")

    def _put(self, key: str, path: Path) -> Stored:
        content = path.read_bytes()
        if path.name == IGNORE_FILE:
            content = self._with_lines_of_others(key, content)
        return self.bucket.put(key, content)

    def _with_lines_of_others(self, key: str, content: bytes) -> bytes:
        """One file for all DAGs of the environment: ours adds its lines to what is there."""
        if self.bucket.newest(key) is None:
            return content
        there = self.bucket.read(key).decode()
        missing = [line for line in content.decode().splitlines() if line not in there.splitlines()]
        return "\n".join([*there.splitlines(), *missing, ""]).encode() if missing else there.encode()
