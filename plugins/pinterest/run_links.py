"""Links from a task of a run to what the run has written. Airflow asks for them when the task has ended."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from airflow.providers.common.compat.sdk import BaseOperatorLink

from include import bucket_layout
from include.aws.console import bucket_url
from pinterest.settings import settings


class RunReportLink(BaseOperatorLink):
    """The run's report, as the page of the pipeline serves it. The address is relative to that of Airflow's UI."""

    name = "Report of the run"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        return f"pinterest/report?{urlencode({'dag_id': ti_key.dag_id, 'run_id': ti_key.run_id})}"


class SinkObjectsLink(BaseOperatorLink):
    """The objects that the S3 sink has written, in the AWS console."""

    name = "Objects in the bucket"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        current = settings()
        return bucket_url(current.region, current.bucket, bucket_layout.TOPICS)
