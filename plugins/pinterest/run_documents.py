"""A run's JSON documents in the bucket."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from airflow.providers.common.compat.sdk import Context
from botocore.config import Config
from botocore.exceptions import ClientError
from pydantic import ValidationError

from include import bucket_layout
from include.lake.checkpoints import Checkpoints
from include.landing.bookmark import Bookmark, parse_bookmark
from include.landing.document import LandingError
from include.landing.interval import Interval
from include.ledger.entry import HOPS, Entry, Hop, Route, entries_json, parse_entries
from include.posting.progress import PostingProgress
from pinterest.hooks.aws import S3Hook


class RunDocuments:
    """Reads and writes what a run keeps in the bucket, by the names of :mod:`include.bucket_layout`."""

    def __init__(
        self,
        bucket: str,
        dag_id: str,
        run_id: str,
        aws_conn_id: str | None = "aws_default",
        config: Config | None = None,
    ) -> None:
        """:param config: of the S3 client, in addition to the connection's"""
        self.bucket = bucket
        self.dag_id = dag_id
        self.run_id = run_id
        self.aws_conn_id = aws_conn_id
        hook = S3Hook(aws_conn_id=aws_conn_id)
        self.s3: Any = (
            hook.get_client_type(config=(hook.config or Config()).merge(config)) if config else hook.get_conn()
        )

    @classmethod
    def of(cls, context: Context, bucket: str, aws_conn_id: str | None = "aws_default") -> RunDocuments:
        return cls(bucket, context["ti"].dag_id, context["run_id"], aws_conn_id)

    def of_run(self, dag_id: str, run_id: str) -> RunDocuments:
        """Those of another run in the same bucket, through the same client."""
        other = copy.copy(self)
        other.dag_id, other.run_id = dag_id, run_id
        return other

    def read(self, key: str, most: int | None = None) -> bytes | None:
        """Read an object, or its first ``most`` bytes; None if it does not exist."""
        try:
            return bytes(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read(most))
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return None
            raise

    def keys(self, prefix: str) -> list[str]:
        """The keys of all objects below the prefix."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def require(self, key: str, made_by: str) -> bytes:
        content = self.read(key)
        if content is None:
            raise self._missing(key, made_by)
        return content

    def _missing(self, key: str, made_by: str) -> LandingError:
        return LandingError(f"s3://{self.bucket}/{key} does not exist: {made_by} writes it; run that task again")

    def write(self, key: str, content: str | bytes, content_type: str = "application/json") -> None:
        body = content.encode() if isinstance(content, str) else content
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType=content_type)

    def delete(self, key: str) -> None:
        self.s3.delete_object(Bucket=self.bucket, Key=key)

    def progress(self, route: Route = "batch") -> PostingProgress:
        """What the run has posted to Kafka (``batch``) or Kinesis (``stream``)."""
        found = self.find_progress(route)
        if found is None:
            key = bucket_layout.posting_progress(self.dag_id, self.run_id, route)
            raise self._missing(key, f"the stage {'posting' if route == 'batch' else 'posting_stream'}")
        return found

    def find_progress(self, route: Route) -> PostingProgress | None:
        """The run's posting progress; None before it has posted anything."""
        key = bucket_layout.posting_progress(self.dag_id, self.run_id, route)
        content = self.read(key)
        if content is None:
            return None
        return PostingProgress.parse(content.decode(), source=f"s3://{self.bucket}/{key}")

    def bookmark(self, user_id: str) -> Bookmark:
        key = bucket_layout.bookmark(user_id)
        try:
            return parse_bookmark(self.read(key))
        except (ValueError, TypeError) as error:
            raise LandingError(
                f"s3://{self.bucket}/{key} is not a bookmark ({str(error).splitlines()[0]}). Restore an earlier "
                "version of it. Only if no topic was ever made again may it be deleted: then everything is loaded "
                "again, and what is already in the lake is not loaded twice"
            ) from error

    def checkpoints(self, user_id: str) -> Checkpoints:
        key = bucket_layout.checkpoints(user_id)
        content = self.read(key)
        try:
            return Checkpoints() if content is None else Checkpoints.model_validate_json(content)
        except ValidationError as error:
            raise LandingError(
                f"s3://{self.bucket}/{key} does not say which data streams the checkpoints are of "
                f"({error.errors()[0]['msg']}). Restore an earlier version of it"
            ) from error

    def interval(self) -> Interval | None:
        content = self.read(bucket_layout.interval(self.dag_id, self.run_id))
        return None if content is None else Interval.model_validate_json(content)

    def require_interval(self) -> Interval:
        key = bucket_layout.interval(self.dag_id, self.run_id)
        return Interval.model_validate_json(self.require(key, "landing.offsets"))

    def write_entries(self, hop: Hop, entries: Iterable[Entry], route: Route = "batch") -> None:
        self.write(bucket_layout.ledger(self.dag_id, self.run_id, hop, route), entries_json(entries))

    def forget_entries(self, *hops: Hop, route: Route = "batch") -> None:
        """Delete what an earlier attempt counted, because it does not hold for this one."""
        for hop in hops:
            self.s3.delete_object(Bucket=self.bucket, Key=bucket_layout.ledger(self.dag_id, self.run_id, hop, route))

    def entries(self, routes: Iterable[Route] = HOPS) -> list[Entry]:
        """Every readable entry of the run. A hop whose object is missing or malformed contributes none."""
        return [entry for route in routes for hop in HOPS[route] for entry in self._entries(route, hop)]

    def _entries(self, route: Route, hop: Hop) -> list[Entry]:
        content = self.read(bucket_layout.ledger(self.dag_id, self.run_id, hop, route))
        try:
            found = [] if content is None else parse_entries(content)
        except ValidationError:
            return []
        return [entry for entry in found if (entry.route, entry.hop) == (route, hop)]
