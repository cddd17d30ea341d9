"""The bucket, which holds the records, the sink's archive and the documents of every run.

Seed steps: create the bucket ``user-<UserId>-bucket``. Beyond the seeds: it is private, encrypted, reached by TLS only
and keeps the earlier versions of its objects. It is made, and kept so, if ``account.provision`` is set; else it has to
be there.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import task_group

from pinterest.operators.s3_bucket import S3BucketOperator
from pinterest_stages.network import PROVISION
from pinterest_stages.tags import TAGS


@task_group(group_id="bucket")
def bucket() -> None:
    S3BucketOperator(
        task_id="bucket",
        bucket="{{ settings().bucket }}",
        account_id="{{ account_id() }}",
        provision=PROVISION,
        tags=TAGS,
        execution_timeout=timedelta(minutes=10),
    )
