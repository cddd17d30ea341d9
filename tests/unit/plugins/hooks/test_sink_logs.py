"""The end of a worker log, in a log group or in the bucket. It is never the reason of a failure."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from include.aws.msk_connect import log_delivery
from pinterest.hooks import sink_logs
from pinterest.hooks.sink_logs import LINES, WIDTH, SinkLogsHook

GROUP, BUCKET, PREFIX, NAME = "/aws/vendedlogs/x", "b", "sink_logs/u", "u-connector"


def connector(where: str) -> dict[str, Any]:
    return {
        "connectorName": NAME,
        "logDelivery": log_delivery(where, log_group=GROUP, bucket=BUCKET, prefix=PREFIX),
    }


class Logs:
    """A log group: the streams, the newest first, with their events."""

    def __init__(self, **streams: list[str]) -> None:
        self.streams = {name.replace("__", "/").replace("_", "-"): events for name, events in streams.items()}

    def __call__(self, **_: Any) -> SimpleNamespace:
        return SimpleNamespace(conn=self)

    def describe_log_streams(self, logGroupName: str, orderBy: str, descending: bool, limit: int) -> dict[str, Any]:
        assert (logGroupName, orderBy, descending) == (GROUP, "LastEventTime", True)
        return {"logStreams": [{"logStreamName": name} for name in self.streams]}

    def get_log_events(self, logGroupName: str, logStreamName: str, limit: int) -> dict[str, Any]:
        return {"events": [{"message": message} for message in self.streams[logStreamName][-limit:]]}


class Objects:
    def __init__(self, **objects: bytes) -> None:
        self.objects = {
            f"{PREFIX}/AWSLogs/1/KafkaConnectLogs/r/{NAME}-1/{k.replace('_', '.')}": v for k, v in objects.items()
        }

    def __call__(self, **_: Any) -> SimpleNamespace:
        return SimpleNamespace(conn=self)

    def get_paginator(self, _name: str) -> SimpleNamespace:
        return SimpleNamespace(paginate=self.pages)

    def pages(self, Bucket: str, Prefix: str) -> list[dict[str, Any]]:
        assert (Bucket, Prefix) == (BUCKET, PREFIX)
        times = enumerate(self.objects)
        return [{"Contents": [{"Key": k, "LastModified": datetime(2026, 1, 1, 0, n, tzinfo=UTC)} for n, k in times]}]

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        return {"Body": SimpleNamespace(read=lambda: self.objects[Key])}


def test_the_newest_stream_of_the_connector_counts(monkeypatch):
    logs = Logs(another__1=["theirs"], u_connector_1__w=["first", "last"], u_connector_0__w=["old"])
    monkeypatch.setattr(sink_logs, "AwsBaseHook", logs)

    assert SinkLogsHook().end(connector("log_group")).splitlines() == [
        f"The end of the worker log in {GROUP}:",
        "first",
        "last",
    ]


def test_long_logs_are_cut(monkeypatch):
    events = [f"{number} {'x' * 2 * WIDTH}" for number in range(2 * LINES)]
    monkeypatch.setattr(sink_logs, "AwsBaseHook", Logs(u_connector=events))
    _, *lines = SinkLogsHook().end(connector("log_group")).splitlines()

    assert (len(lines), {len(line) for line in lines}) == (LINES, {WIDTH})
    assert lines[-1].startswith(f"{2 * LINES - 1} ")


def test_the_newest_object_of_the_bucket_counts(monkeypatch):
    monkeypatch.setattr(
        sink_logs, "S3Hook", Objects(a_log_gz=gzip.compress(b"old"), b_log_gz=gzip.compress(b"one\ntwo\n"))
    )

    assert SinkLogsHook().end(connector("bucket")).splitlines()[1:] == ["one", "two"]


@pytest.mark.parametrize("where", ["log_group", "bucket"])
def test_a_log_that_has_not_arrived_is_said_to_be_empty(monkeypatch, where):
    monkeypatch.setattr(sink_logs, "AwsBaseHook", Logs())
    monkeypatch.setattr(sink_logs, "S3Hook", Objects())

    assert SinkLogsHook().end(connector(where)).endswith("is empty so far")


def test_without_a_destination_the_setting_is_named():
    assert SinkLogsHook().end(connector("none")) == "No worker log is delivered: see the setting s3_sink.logs"
    assert SinkLogsHook().end({"connectorName": NAME}).endswith("s3_sink.logs")


def test_a_log_that_cannot_be_read_hides_nothing(monkeypatch):
    def refuse(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeLogStreams")

    logs = Logs()
    monkeypatch.setattr(logs, "describe_log_streams", refuse)
    monkeypatch.setattr(sink_logs, "AwsBaseHook", logs)
    monkeypatch.setattr(sink_logs, "S3Hook", Objects(a_log_gz=b"no gzip at all"))

    assert "cannot be read: An error occurred (AccessDeniedException)" in SinkLogsHook().end(connector("log_group"))
    assert "cannot be read" in SinkLogsHook().end(connector("bucket"))
