"""Operators for the bucket itself, in the style of the amazon provider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.common.compat.sdk import Context

from pinterest.bucket_rules import BucketRules
from pinterest.hooks.aws import S3Hook


class S3LifecycleOperator(AwsBaseOperator[S3Hook]):
    """Have a bucket delete the documents of a run some days after it wrote them, and unfinished uploads of the sink.

    Rules of others stay as they are. Without ``days`` our rules are removed, if there are any; a role that may not look
    has made none. A rerun changes nothing.

    :param bucket: name of the bucket (templated)
    :param days: how long documents stay; empty for ever (templated)
    """

    aws_hook_class = S3Hook
    template_fields: Sequence[str] = aws_template_fields("bucket", "days")

    def __init__(self, *, bucket: str, days: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bucket = bucket
        self.days = days

    def execute(self, context: Context) -> None:
        rules = BucketRules(self.hook.conn, self.bucket)
        before, after = rules.change(int(self.days) if self.days else None)
        if after == before:
            self.log.info("s3://%s: %d lifecycle rules, unchanged", self.bucket, len(after))
        else:
            self.log.info("s3://%s: %d lifecycle rules, %d before", self.bucket, len(after), len(before))
