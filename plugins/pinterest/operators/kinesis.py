"""Operators for Kinesis Data Streams, in the style of the amazon provider: prepare, one main call, wait."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from airflow.providers.amazon.aws.links.base_aws import BASE_AWS_CONSOLE_LINK, BaseAwsLink
from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.amazon.aws.utils.waiter_with_logging import wait
from airflow.providers.common.compat.sdk import AirflowException, Context, conf

from include.aws.kinesis import create_request, next_change
from pinterest.hooks.kinesis import KinesisStreamHook
from pinterest.operators.deferral import how_to_wait
from pinterest.triggers.kinesis import STREAM_STATUS, KinesisStreamActiveTrigger


class KinesisStreamLink(BaseAwsLink):
    """The data stream in the AWS console."""

    name = "Kinesis stream"
    key = "kinesis_stream"
    format_str = BASE_AWS_CONSOLE_LINK + "/kinesis/home?region={region_name}#/streams/details/{stream_name}/monitoring"


class KinesisCreateStreamOperator(AwsBaseOperator[KinesisStreamHook]):
    """Create a data stream, or update the one of that name, and wait until it is ACTIVE. Returns its ARN.

    A rerun, or a retry after a lost response, creates no second data stream and loses no record: mode, shard count,
    retention and encryption are changed in place, one at a time. If the data stream is being deleted, the operator
    waits and then recreates it. Only a new data stream gets the tags.

    :param stream_name: name of the data stream, unique in the account and region (templated)
    :param stream: ``mode`` (``on_demand`` or ``provisioned``; if it is empty, a new data stream is provisioned and one
        that is there keeps its mode and shards), ``shards`` (if provisioned), ``retention_hours``, ``encryption``
        (``none`` or ``kms``), ``kms_key`` (for the latter), ``tags``; numbers may be given as text (templated)
    :param deferrable: wait in the triggerer
    :param waiter_delay: seconds between two checks
    :param waiter_max_attempts: checks before the task fails
    """

    aws_hook_class = KinesisStreamHook
    template_fields: Sequence[str] = aws_template_fields("stream_name", "stream")
    template_fields_renderers: ClassVar[dict[str, str]] = {"stream": "json"}
    operator_extra_links = (KinesisStreamLink(),)

    def __init__(
        self,
        *,
        stream_name: str,
        stream: dict[str, Any],
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        waiter_delay: int = 2,
        waiter_max_attempts: int = 300,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.stream_name = stream_name
        self.stream = stream
        self.deferrable = deferrable
        self.waiter_delay = waiter_delay
        self.waiter_max_attempts = waiter_max_attempts

    def execute(self, context: Context) -> str:
        found = self.hook.find_stream(self.stream_name)
        if found is not None and found["StreamStatus"] == "DELETING":
            self.log.info("Data stream %s is being deleted: waiting to recreate it", self.stream_name)
            self._wait("stream_deleted")
            found = None
        if found is None:
            self._create()
        else:
            self.log.info("Data stream %s exists (%s): adopted", self.stream_name, found["StreamStatus"])
        KinesisStreamLink.persist(
            context=context,
            operator=self,
            region_name=self.hook.conn_region_name,
            aws_partition=self.hook.conn_partition,
            stream_name=self.stream_name,
        )
        return self._settle([])

    def execute_complete(self, context: Context, changes: list[str], event: dict[str, Any] | None = None) -> str:
        if event is None:
            raise AirflowException(f"Data stream {self.stream_name}: the trigger ended without an event")
        if event["status"] != "success":
            raise AirflowException(str(event["message"]))
        return self._settle(changes)

    def _create(self) -> None:
        try:
            self.hook.conn.create_stream(**create_request(self.stream_name, self.stream))
        except self.hook.conn.exceptions.ResourceInUseException:
            self.log.info("Data stream %s was created by someone else in the meantime: adopted", self.stream_name)
        else:
            self.log.info("Creating data stream %s", self.stream_name)

    def _settle(self, changes: list[str]) -> str:
        """Wait until the data stream is ACTIVE and change one thing that differs; repeat until nothing does."""
        while True:
            stream = self._active_stream(changes)
            change = next_change(stream, self.stream)
            if change is None:
                self.log.info("Data stream %s is ACTIVE: %s", self.stream_name, ", ".join(changes) or "unchanged")
                return str(stream["StreamARN"])
            if change.what in changes:
                raise AirflowException(
                    f"Data stream {self.stream_name}: {change.what} was requested, but Kinesis did not change it; "
                    "its CloudTrail events say why"
                )
            self.log.info("Data stream %s: %s", self.stream_name, change.what)
            getattr(self.hook.conn, change.operation)(**change.arguments)
            changes.append(change.what)

    def _active_stream(self, changes: list[str]) -> dict[str, Any]:
        stream = self.hook.find_stream(self.stream_name)
        if stream is not None and stream["StreamStatus"] == "ACTIVE":
            return stream
        if self.deferrable:
            self.defer(
                trigger=KinesisStreamActiveTrigger(
                    stream_name=self.stream_name,
                    **how_to_wait(self),
                ),
                method_name="execute_complete",
                kwargs={"changes": changes},
            )
        self._wait("stream_active")
        return self._active_stream(changes)

    def _wait(self, waiter: str) -> None:
        wait(
            waiter=self.hook.get_waiter(waiter),
            waiter_delay=self.waiter_delay,
            waiter_max_attempts=self.waiter_max_attempts,
            args={"StreamName": self.stream_name},
            failure_message=f"Data stream {self.stream_name}: {waiter} will not happen",
            status_message=f"Data stream {self.stream_name}",
            status_args=STREAM_STATUS,
        )
