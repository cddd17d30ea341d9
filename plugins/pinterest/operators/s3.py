"""Operators for the bucket itself, in the style of the amazon provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.common.compat.sdk import Context
from botocore.exceptions import ClientError

from include.aws.s3_lifecycle import with_ours

NO_RULES = "NoSuchLifecycleConfiguration"
DENIED = "AccessDenied"
FOR_ALL_RULES = "TransitionDefaultMinimumObjectSize"


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
        try:
            found = self.hook.conn.get_bucket_lifecycle_configuration(Bucket=self.bucket)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code != NO_RULES and (self.days or code != DENIED):
                raise
            found = {"Rules": []}
        before = found["Rules"]
        rules = with_ours(before, int(self.days) if self.days else None)
        if rules == before:
            self.log.info("s3://%s: %d lifecycle rules, unchanged", self.bucket, len(rules))
            return
        if rules:
            self._put(rules, {name: found[name] for name in (FOR_ALL_RULES,) if name in found})
        else:
            self.hook.conn.delete_bucket_lifecycle(Bucket=self.bucket)
        self.log.info("s3://%s: %d lifecycle rules, %d before", self.bucket, len(rules), len(before))

    def _put(self, rules: Sequence[Mapping[str, Any]], of_all: Mapping[str, Any]) -> None:
        self.hook.conn.put_bucket_lifecycle_configuration(
            Bucket=self.bucket, LifecycleConfiguration={"Rules": [*rules]}, **of_all
        )
