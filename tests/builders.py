"""What many tests build: the project's settings, the keys that posts draw, and an S3 bucket in memory."""

from __future__ import annotations

import io
import json
import random
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from include.settings import Settings

ROOT = Path(__file__).parents[1]
USER_ID = "0e36c8cd403d"
BUCKET = f"user-{USER_ID}-bucket"
WRITTEN = datetime(2026, 1, 1, tzinfo=UTC)
DOWNLOADS = ("java", "kafka", "iam_auth", "s3_sink", "rest_proxy")


def variable(**sections: Any) -> dict[str, Any]:
    """The smallest valid Airflow Variable, with these sections added or replaced."""
    return {
        "user_id": USER_ID,
        "downloads": {name: {"url": "http://127.0.0.1/x", "sha256": "ab" * 32} for name in DOWNLOADS},
        "kafka_client": {"host_key": "ssh-ed25519 AAAA"},
        **sections,
        "databricks": {"catalog": "main", **sections.get("databricks", {})},
    }


def settings(**sections: Any) -> Settings:
    return Settings.model_validate(variable(**sections))


def seeds_draws(seed: int, posts: int, first: int = 0) -> list[int]:
    """The keys that the seeds' loop draws, written once more, independent of the code under test.

    Each post draws twice: the pause before it, then the key of its rows.
    """
    randomness = random.Random(seed)
    keys = []
    for _ in range(first + posts):
        randomness.randrange(0, 2)
        keys.append(randomness.randint(0, 11000))
    return keys[first:]


class Bucket:
    """An S3 bucket in memory: the client, and the hook that returns it. ``objects`` holds the content by key."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def __call__(self, **_: Any) -> SimpleNamespace:
        return SimpleNamespace(get_conn=lambda: self)

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        assert Bucket == BUCKET
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        content = self.objects[Key]
        return {
            "Body": StreamingBody(io.BytesIO(content), len(content)),
            "ETag": etag(content),
            "ContentLength": len(content),
        }

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str | None = None) -> None:
        assert Bucket == BUCKET
        self.objects[Key] = Body

    def delete_object(self, *, Bucket: str, Key: str) -> None:
        assert Bucket == BUCKET
        self.objects.pop(Key, None)

    def copy_object(self, *, Bucket: str, Key: str, CopySource: dict[str, str]) -> None:
        assert Bucket == CopySource["Bucket"] == BUCKET
        self.objects[Key] = self.objects[CopySource["Key"]]

    def get_paginator(self, name: str) -> SimpleNamespace:
        assert name == "list_objects_v2"
        return SimpleNamespace(paginate=lambda Bucket, **asked: [self.page(**asked)])

    def page(self, Prefix: str, StartAfter: str = "") -> dict[str, Any]:
        found = [key for key in sorted(self.objects) if key.startswith(Prefix) and key > StartAfter]
        return {
            "Contents": [
                {"Key": key, "ETag": etag(self.objects[key]), "Size": len(self.objects[key]), "LastModified": WRITTEN}
                for key in found
            ]
        }

    def list_objects_v2(self, *, Bucket: str, Prefix: str, Delimiter: str) -> dict[str, Any]:
        below = [key.removeprefix(Prefix).partition(Delimiter) for key in self.objects if key.startswith(Prefix)]
        folders = sorted({name for name, slash, _ in below if slash})
        return {
            "CommonPrefixes": [{"Prefix": f"{Prefix}{name}{Delimiter}"} for name in folders],
            "Contents": [{"Key": f"{Prefix}{name}"} for name, slash, _ in below if not slash],
        }

    def text(self, key: str) -> str:
        return self.objects[key].decode()

    def json(self, key: str) -> Any:
        return json.loads(self.objects[key])

    def json_lines(self, key: str) -> list[Any]:
        return [json.loads(line) for line in self.objects[key].splitlines()]


def etag(content: bytes) -> str:
    return f'"{hash(content)}"'
