"""Whether an environment runs a release: asked of the bucket, of MWAA, and of Airflow inside it.

MWAA says AVAILABLE whatever happened to the requirements, the plugins and the DAGs, so each is looked at where it is
used. DAGs say by their tag which code they were parsed from (``include/release.py``), and the DAG ``pinterest_check``
looks at Variable and connections from a worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from include.release import DAGS, digests_of
from mwaa.airflow_api import AirflowApi, AirflowApiError
from mwaa.environment import INSTALLED, REAL, USABLE, Clock, Environment, of_the_bucket
from mwaa.faults import Finding
from mwaa.objects import VersionedBucket
from mwaa.releases import Release

CHECK = "pinterest_check"
SECONDS_BETWEEN_LOOKS = 10
LONGEST_PARSING = 20 * 60
LONGEST_STANDSTILL = 8 * 60
"""MWAA takes DAGs from the bucket every half minute. Airflow looks twice a minute for changes, and every five minutes
for new files."""
LONGEST_CHECK = 15 * 60
ENDED = {"failed", "success"}
CONFLICT = 409

REQUIREMENTS_LOG = "read the log streams requirements_install_* of the environment, correct what they say, and deploy"
START_UP_LOG = "read the log streams startup_script_execution_* of the scheduler: they say what is missing"
WITHOUT = "ModuleNotFoundError: No module named "


@dataclass(frozen=True)
class Verification:
    """:param api: Airflow's, in the environment
    :param say: gets a line when something takes long, and notes that are no findings
    """

    environment: Environment
    bucket: VersionedBucket
    api: AirflowApi
    say: Callable[[str], None] = print
    clock: Clock = REAL

    def findings(self, release: Release) -> list[Finding]:
        """Everything that keeps the release from running as it should. Triggers one run of ``pinterest_check``.

        What cannot be seen behind a finding is not looked at: without its plugins, no DAG can be parsed.
        """
        self.environment.look()
        found = [
            *of_the_bucket(self.environment, self.bucket),
            *self._uploaded(release),
            *self._installed(release),
        ]
        if found:
            return found
        found = [*self._providers(release.manifest), *self._plugin_errors()]
        found += self._parsed(release.manifest)
        return found or list(self._checked(release.manifest))

    def _uploaded(self, release: Release) -> Iterator[Finding]:
        for key, wanted in release.objects.items():
            newest = self.bucket.newest(key)
            if newest is None or newest.sha256 != wanted.sha256:
                how = "is missing" if newest is None else "is another one"
                yield Finding(f"s3://{self.bucket.name}/{key} {how}: the upload is not whole", "run make deploy")

    def _installed(self, release: Release) -> Iterator[Finding]:
        described = self.environment.described
        if self.environment.status not in USABLE:
            yield Finding(f"{self.environment.name} is {self.environment.status}", "wait until it is AVAILABLE")
        if (version := described.get("AirflowVersion")) != release.manifest["airflow"]:
            wanted = release.manifest["airflow"]
            yield Finding(f"{self.environment.name} has Airflow {version}, not {wanted}", f"upgrade it to {wanted}")
        for one in INSTALLED:
            wanted_object, runs = release.objects[self.environment.key(one)], self.environment.runs(one, self.bucket)
            if runs is None or runs.sha256 != wanted_object.sha256:
                version = described.get(one.version) or "no version"
                error = f" ({self.environment.last_error})" if self.environment.last_error else ""
                problem = f"{self.environment.name} runs {one.file} of {version}, which is not the deployed one{error}"
                yield Finding(problem, "run make deploy, which updates the environment")

    def _providers(self, manifest: Mapping[str, Any]) -> Iterator[Finding]:
        there = {one["package_name"]: one["version"] for one in self.api.every("/providers", "providers")}
        pins = {name: version for name, version in manifest["requirements"].items() if "providers" in name}
        yield from of_versions("the web server", pins, there)

    def _plugin_errors(self) -> Iterator[Finding]:
        for one in self.api.get("/plugins/importErrors")["import_errors"]:
            if "pinterest" in one["source"]:
                yield Finding(f"the plugin {one['source']} cannot be loaded: {last_line(one['error'])}", START_UP_LOG)
            else:
                self.say(f"note: a plugin of others cannot be loaded: {one['source']}")

    def _parsed(self, manifest: Mapping[str, Any]) -> list[Finding]:
        """Look until every DAG is of this release, or nothing changes anymore."""
        last: list[Finding] = []
        end = last_change = self.clock.now()
        end += LONGEST_PARSING
        while found := self._unparsed(manifest):
            now = self.clock.now()
            if found != last:
                last, last_change = found, now
                self.say(f"waiting for Airflow to parse the DAGs ({len(found)} to go)")
            if now > end or now - last_change > LONGEST_STANDSTILL:
                return found
            self.clock.sleep(SECONDS_BETWEEN_LOOKS)
        return []

    def _unparsed(self, manifest: Mapping[str, Any]) -> list[Finding]:
        errors = dict(self._import_errors())
        there = {one["dag_id"]: one for one in self.api.every("/dags", "dags", dag_id_pattern=f"{DAGS}%")}
        active = {dag_id: one for dag_id, one in there.items() if dag_id.startswith(DAGS) and not one.get("is_stale")}
        judged = [
            of_dag(dag_id, active.get(dag_id), manifest["code"])
            for dag_id in manifest["dags"]
            if f"{dag_id}.py" not in errors
        ]
        others = [
            Finding(f"the DAG {dag_id} is not of this release", f"delete its file: {active[dag_id]['fileloc']}")
            for dag_id in sorted(set(active) - set(manifest["dags"]))
        ]
        return [*errors.values(), *filter(None, judged), *others]

    def _import_errors(self) -> Iterator[tuple[str, Finding]]:
        """By the name of the file."""
        for one in self.api.every("/importErrors", "import_errors"):
            name = str(one["filename"]).rpartition("/")[2]
            if name.startswith(DAGS):
                yield name, of_import(name, last_line(one["stack_trace"]))

    def _checked(self, manifest: Mapping[str, Any]) -> Iterator[Finding]:
        """What a run of ``pinterest_check`` finds, in a worker."""
        run_id = f"v{datetime.now(UTC):%Y%m%dT%H%M%S%f}"[:20]  # paths have to be short
        runs = f"/dags/{CHECK}/dagRuns"
        if self.api.get(f"/dags/{CHECK}")["is_paused"]:
            yield Finding(f"the DAG {CHECK} is paused, so no run of it starts", f"unpause {CHECK}")
            return
        try:
            self.api.post(runs, {"dag_run_id": run_id, "logical_date": None, "conf": {}})
        except AirflowApiError as error:
            if error.status != CONFLICT:  # a lost answer was asked for again
                raise
        end = self.clock.now() + LONGEST_CHECK
        while (state := self.api.get(f"{runs}/{run_id}")["state"]) not in ENDED:
            if self.clock.now() > end:
                problem = f"the run {run_id} of {CHECK} is still {state} after {LONGEST_CHECK // 60} minutes"
                yield Finding(problem, "look at the scheduler's and the workers' logs: no worker may be up")
                return
            self.clock.sleep(SECONDS_BETWEEN_LOOKS)
        found = self._found_by(run_id)
        if found is not None:
            yield from (Finding(one["problem"], one["fix"]) for one in found["findings"])
            yield from of_versions("a worker", manifest["requirements"], found["versions"])
            if found["code"] != manifest["code"]:
                yield Finding(f"a worker runs {found['code']}, not {manifest['code']}", START_UP_LOG)
        if state == "failed" and not (found and found["findings"]):
            yield Finding(f"the run {run_id} of {CHECK} failed", "read its tasks' logs in Airflow's UI")

    def _found_by(self, run_id: str) -> Mapping[str, Any] | None:
        try:
            events = self.api.get("/assets/events", source_dag_id=CHECK, source_run_id=run_id)["asset_events"]
        except AirflowApiError as error:
            self.say(f"note: {error}")
            return None
        return events[0]["extra"] if events else None


def of_import(name: str, said: str) -> Finding:
    """What a DAG file's error means, by its last line."""
    problem = f"{name} cannot be imported: {said}"
    if said.startswith(f"{WITHOUT}'airflow.providers"):
        return Finding(problem, REQUIREMENTS_LOG)
    if said.startswith((f"{WITHOUT}'pinterest'", f"{WITHOUT}'include")):
        return Finding(f"{problem}; plugins.zip is missing or has another root", START_UP_LOG)
    return Finding(problem, "correct it, and run make deploy")


def of_dag(dag_id: str, dag: Mapping[str, Any] | None, code: str) -> Finding | None:
    """Whether a DAG is there, and parsed from this code."""
    if dag is None:
        return Finding(f"the DAG {dag_id} is not there", "run make deploy; then read the DAG processor's log")
    wanted_dags, wanted_plugins = digests_of(code)
    tags = [digests_of(tag["name"]) for tag in dag["tags"]]
    dags, plugins = next((found for found in tags if found != ("", "")), ("none", "none"))
    if plugins != wanted_plugins:
        problem = f"the DAG {dag_id} was parsed with plugins of {plugins}, not of {wanted_plugins}"
        return Finding(problem, f"plugins.zip did not land whole: {START_UP_LOG}")
    if dags != wanted_dags:
        return Finding(f"the DAG {dag_id} is of {dags}, not of {wanted_dags}", "run make deploy")
    return None


def of_versions(where: str, pins: Mapping[str, str], there: Mapping[str, str]) -> Iterator[Finding]:
    for name, pin in pins.items():
        if name not in there:
            yield Finding(f"{where} lacks {name}: MWAA did not install the requirements", REQUIREMENTS_LOG)
        elif there[name] != pin:
            yield Finding(f"{where} has {name} {there[name]}, not {pin}", REQUIREMENTS_LOG)


def last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]
