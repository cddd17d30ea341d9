"""What was deployed to an environment, and when: documents in its bucket, of which every version is kept.

``pinterest-pipeline/manifest.json`` is the last object that a deployment writes. It is the package's manifest, with the
version of every object, so each of its own versions is a release that can be had back. ``state`` says how it went:

``found``     uploaded by other means before the first deployment; its manifest is empty
``uploaded``  whole, and not verified yet
``verified``  ran, with everything that it needs
``failed``    did not
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from mwaa.objects import Stored, VersionedBucket

KEY = "pinterest-pipeline/manifest.json"

type State = Literal["found", "uploaded", "verified", "failed"]


@dataclass(frozen=True)
class Release:
    """:param manifest: the package's; empty for what was found
    :param objects: what it consists of in the bucket, by key
    """

    state: State
    manifest: Mapping[str, Any]
    objects: Mapping[str, Stored]

    @property
    def name(self) -> str:
        if not self.manifest:
            return "what was there before the first deployment"
        return f"{self.manifest['version']} ({self.manifest['content'][:12]})"

    def has_same_content(self, other: Release) -> bool:
        return {key: one.sha256 for key, one in self.objects.items()} == {
            key: one.sha256 for key, one in other.objects.items()
        }


class Releases:
    def __init__(self, bucket: VersionedBucket) -> None:
        self.bucket = bucket

    def current(self) -> Release | None:
        return self._read(None) if self.bucket.newest(KEY) else None

    def write(self, release: Release) -> None:
        objects = {key: one._asdict() for key, one in sorted(release.objects.items())}
        document = {"state": release.state, "manifest": release.manifest, "objects": objects}
        self.bucket.put(KEY, json.dumps(document, indent=2, sort_keys=True).encode())

    def judge(self, release: Release, state: State) -> None:
        """Write down how a release went."""
        self.write(replace(release, state=state))

    def to_go_back_to(self, current: Release | None) -> Release | None:
        """The newest release that ran and is not the current one; before the first, what was found there."""
        for release in self._all():
            if release.state in ("found", "verified") and not (current and release.has_same_content(current)):
                return release
        return None

    def _all(self) -> Iterator[Release]:
        """The newest first."""
        for version in self.bucket.versions(KEY):
            yield self._read(version)

    def _read(self, version: str | None) -> Release:
        document = json.loads(self.bucket.read(KEY, version))
        objects = {key: Stored(**one) for key, one in document["objects"].items()}
        return Release(document["state"], document["manifest"], objects)
