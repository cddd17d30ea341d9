"""The objects of an MWAA environment's bucket, by content and version.

An object's digest is in its metadata, ``sha256``; one that was uploaded by other means is read. Nothing is uploaded
that is there already, so a second upload changes nothing, and no version is ever deleted: what was there can be had
back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

MISSING = {"404", "NoSuchKey", "NoSuchVersion", "405", "MethodNotAllowed"}
DIGEST = "sha256"


class Stored(NamedTuple):
    """A version of an object, and the SHA-256 of its content."""

    version: str
    sha256: str


class VersionedBucket:
    """:param client: of S3, in the bucket's region"""

    def __init__(self, client: Any, name: str) -> None:
        self.client = client
        self.name = name

    def newest(self, key: str) -> Stored | None:
        """The newest version of an object; None if there is none, or it was deleted."""
        return self.at(key, None)

    def at(self, key: str, version: str | None) -> Stored | None:
        """A version of an object; None if there is none."""
        which = {"VersionId": version} if version else {}
        try:
            head = self.client.head_object(Bucket=self.name, Key=key, **which)
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING:
                return None
            raise
        found = str(head.get("VersionId", "null"))
        digest = head["Metadata"].get(DIGEST) or sha256(self.read(key, found))
        return Stored(found, digest)

    def read(self, key: str, version: str | None = None) -> bytes:
        which = {"VersionId": version} if version else {}
        return bytes(self.client.get_object(Bucket=self.name, Key=key, **which)["Body"].read())

    def put(self, key: str, content: bytes) -> Stored:
        """Make this the content of the newest version."""
        digest, found = sha256(content), self.newest(key)
        if found and found.sha256 == digest:
            return found
        answer = self.client.put_object(Bucket=self.name, Key=key, Body=content, Metadata={DIGEST: digest})
        return Stored(str(answer["VersionId"]), digest)

    def restore(self, key: str, wanted: Stored) -> Stored:
        """Make the content of an earlier version that of the newest one."""
        found = self.newest(key)
        if found and found.sha256 == wanted.sha256:
            return found
        return self.put(key, self.read(key, wanted.version))

    def delete(self, key: str) -> None:
        """Hide an object behind a marker; its versions stay."""
        self.client.delete_object(Bucket=self.name, Key=key)

    def keys(self, prefix: str) -> Iterator[str]:
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
            yield from (str(one["Key"]) for one in page.get("Contents", ()))

    def versions(self, key: str) -> list[str]:
        """Ids of an object's versions, the newest first."""
        pages = self.client.get_paginator("list_object_versions").paginate(Bucket=self.name, Prefix=key)
        return [str(one["VersionId"]) for page in pages for one in page.get("Versions", ()) if one["Key"] == key]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
