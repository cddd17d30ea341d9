"""Operator for a log group of CloudWatch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.common.compat.sdk import Context

from include.aws.ownership import given
from pinterest.hooks.aws import AwsLogsHook

RETENTION_DAYS = 14


class LogGroupOperator(AwsBaseOperator[AwsLogsHook]):
    """Create a log group that keeps events for 14 days, if it is wanted and missing. Returns its name, or None.

    A log group of that name is used as it is; the task's log says how long it keeps events. A rerun changes nothing.

    :param wanted: anything but ``True`` creates nothing (templated)
    :param log_group: its name (templated)
    :param tags: tags of a new one (templated)
    """

    aws_hook_class = AwsLogsHook
    template_fields: Sequence[str] = aws_template_fields("wanted", "log_group", "tags")
    template_fields_renderers: ClassVar[dict[str, str]] = {"tags": "json"}

    def __init__(self, *, wanted: str, log_group: str, tags: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.wanted = wanted
        self.log_group = log_group
        self.tags = tags

    def execute(self, context: Context) -> str | None:
        if str(self.wanted) != "True":
            self.log.info("s3_sink.logs names no log group: none is created")
            return None
        found = self._found()
        if found:
            kept = found.get("retentionInDays")
            self.log.info("Log group %s exists (%s): adopted", self.log_group, f"{kept} days" if kept else "for ever")
        else:
            self._create()
        return self.log_group

    def _create(self) -> None:
        try:
            self.hook.conn.create_log_group(logGroupName=self.log_group, tags=given(self.tags))
        except self.hook.conn.exceptions.ResourceAlreadyExistsException:
            self.log.info("Log group %s was created by another run: adopted", self.log_group)
            return
        self.hook.conn.put_retention_policy(logGroupName=self.log_group, retentionInDays=RETENTION_DAYS)
        self.log.info("Log group %s created", self.log_group)

    def _found(self) -> dict[str, Any]:
        pages = self.hook.conn.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=self.log_group)
        groups = (one for page in pages for one in page["logGroups"])
        return next((dict(one) for one in groups if one["logGroupName"] == self.log_group), {})
