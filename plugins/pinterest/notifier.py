"""Tells an SNS topic of runs that are not reconciled, if the settings name one."""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from airflow.providers.common.compat.sdk import Context, conf
from airflow.sdk import BaseNotifier

from include import bucket_layout
from include.ledger.verdict import LedgerDocument
from include.report.notice import notice
from pinterest.run_documents import RunDocuments
from pinterest.settings import settings


class VerdictNotifier(BaseNotifier):
    """Follows the task that writes the report, which runs whatever has failed before it, on its worker.

    It publishes one message: the verdict, the hops to blame, and a link to the page of the run. Without the setting
    ``notify.topic_arn`` it does nothing. What it cannot publish is in the task's log, and changes nothing of the run;
    a rerun of the task publishes again.
    """

    def __init__(self, aws_conn_id: str | None = "aws_default") -> None:
        super().__init__()
        self.aws_conn_id = aws_conn_id

    def notify(self, context: Context) -> None:
        current = settings()
        topic = current.notify.topic_arn
        if topic is None:
            return
        documents = RunDocuments.of(context, current.bucket, self.aws_conn_id)
        key = bucket_layout.report_ledger(documents.dag_id, documents.run_id)
        document = LedgerDocument.model_validate_json(documents.require(key, "reconcile.report"))
        if document.verdict.reconciled:
            return
        told = notice(document, conf.get("api", "base_url", fallback=""))
        region = topic.split(":")[3]  # a topic may be elsewhere
        sns: Any = AwsBaseHook(aws_conn_id=self.aws_conn_id, client_type="sns", region_name=region).get_conn()
        sns.publish(TopicArn=topic, Subject=told.subject, Message=told.text)
