"""What a connector's workers logged last, wherever MSK Connect delivers it."""

from __future__ import annotations

import gzip
import logging
import zlib
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from include.aws.msk_connect import log_destinations
from pinterest.hooks.aws import AwsBaseHook, S3Hook

log = logging.getLogger(__name__)

LINES = 15
WIDTH = 300


class SinkLogsHook:
    """Reads the end of a worker log. It never fails: a log that cannot be read must not hide why it was wanted."""

    def __init__(self, *, aws_conn_id: str | None = "aws_default", region_name: str | None = None) -> None:
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name

    def end(self, connector: Mapping[str, Any]) -> str:
        """The last lines, under a heading; or why there are none. Logs arrive in a log group within seconds, and in a
        bucket within minutes.

        :param connector: as ``DescribeConnector`` returns it
        """
        for kind, *place in sorted(log_destinations(connector)):
            where = "/".join(place)
            try:
                if kind == "cloudWatchLogs":
                    return _shown(where, self._of_log_group(where, connector["connectorName"]))
                if kind == "s3":
                    bucket, prefix = place
                    return _shown(f"s3://{where}", self._of_bucket(bucket, prefix, connector["connectorName"]))
            except (ClientError, BotoCoreError, OSError, EOFError, zlib.error) as error:
                log.warning("The worker log in %s cannot be read", where, exc_info=True)
                return f"The worker log in {where} cannot be read: {error}"
        return "No worker log is delivered: see the setting s3_sink.logs"

    def _of_log_group(self, group: str, name: str) -> list[str]:
        logs = AwsBaseHook(aws_conn_id=self.aws_conn_id, client_type="logs", region_name=self.region_name).conn
        newest = logs.describe_log_streams(logGroupName=group, orderBy="LastEventTime", descending=True, limit=50)[
            "logStreams"
        ]
        streams = [one["logStreamName"] for one in newest]
        of_connector = [one for one in streams if name in one] or streams
        if not of_connector:
            return []
        events = logs.get_log_events(logGroupName=group, logStreamName=of_connector[0], limit=LINES)["events"]
        return [line for event in events for line in event["message"].splitlines()]

    def _of_bucket(self, bucket: str, prefix: str, name: str) -> list[str]:
        s3 = S3Hook(aws_conn_id=self.aws_conn_id, region_name=self.region_name).conn
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        found = [one for page in pages for one in page.get("Contents", []) if name in one["Key"]]
        if not found:
            return []
        newest = max(found, key=lambda one: one["LastModified"])["Key"]
        content = s3.get_object(Bucket=bucket, Key=newest)["Body"].read()
        text = gzip.decompress(content) if newest.endswith(".gz") else content
        return str(text.decode(errors="replace")).splitlines()


def _shown(where: str, lines: list[str]) -> str:
    if not lines:
        return f"The worker log in {where} is empty so far"
    return "\n".join([f"The end of the worker log in {where}:", *(line[:WIDTH] for line in lines[-LINES:])])
