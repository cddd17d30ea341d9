"""Worker logs: a connector that fails has its reason delivered to where it logs to."""

from __future__ import annotations

import asyncio
import gzip
import logging
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lab.aws.client import aws
from lab.cloud.msk_connect.resources import Resource
from lab.state import ACCOUNT, REGION, State

WORKER = "Worker-lab"

log = logging.getLogger("lab.msk_connect")


class WorkerLogs:
    def __init__(self, state: State) -> None:
        self.state = state

    async def deliver(self, connector: Resource, message: str) -> None:
        """Nothing is delivered, and nobody told, if the destination is not there: as on AWS."""
        lines = [f"[{WORKER}] ERROR {line}" for line in message.splitlines()]
        delivery = connector.get("logDelivery", {}).get("workerLogDelivery", {})
        for kind, write in (("cloudWatchLogs", self.to_log_group), ("s3", self.to_bucket)):
            if lines and delivery.get(kind, {}).get("enabled"):
                try:
                    await asyncio.to_thread(write, delivery[kind], connector["connectorArn"], lines)
                except (BotoCoreError, ClientError) as error:
                    log.warning("the log of connector %s is lost: %s", connector["connectorName"], error)

    def to_log_group(self, place: dict[str, Any], arn: str, lines: list[str]) -> None:
        logs, now = aws(self.state, "logs"), int(time.time() * 1000)
        group, stream = place["logGroup"], f"{stem(arn)}/{WORKER}"
        try:
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
        except logs.exceptions.ResourceAlreadyExistsException:
            log.debug("%s has %s", group, stream)
        events = [{"timestamp": now, "message": line} for line in lines]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    def to_bucket(self, place: dict[str, Any], arn: str, lines: list[str]) -> None:
        folder = f"AWSLogs/{ACCOUNT}/KafkaConnectLogs/{REGION}/{stem(arn)}"
        key = f"{place['prefix']}/{folder}/{WORKER}_{time.time_ns()}.log.gz"
        text = "".join(f"{line}\n" for line in lines)
        aws(self.state, "s3").put_object(Bucket=place["bucket"], Key=key, Body=gzip.compress(text.encode()))


def stem(arn: str) -> str:
    """The connector's name and id, as they stand in names of logs."""
    return "-".join(arn.split("/")[1:])
