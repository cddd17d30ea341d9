"""Tells an SNS topic of runs that are not reconciled, or have no verdict in time, if the settings name one."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import Context, conf
from airflow.sdk import BaseNotifier
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from include import bucket_layout
from include.ledger.verdict import LedgerDocument
from include.report.notice import Notice, late_notice, notice
from pinterest.hooks.aws import AwsBaseHook
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
        publish(topic, notice(document, airflow_url()), self.aws_conn_id)


class DeadlineNotifier(BaseNotifier):
    """Follows a deadline that has passed before Airflow saw the run succeed, in the triggerer.

    It publishes one message if the run has written no report, whatever kept it: it waits, hangs, was stopped, or its
    report failed. A run with a report has a verdict, which :class:`VerdictNotifier` has told. Without the setting
    ``notify.topic_arn`` it does nothing. What it cannot publish is in the triggerer's log, and is not tried again; a
    triggerer that dies may make it publish twice.
    """

    async def async_notify(self, context: Context) -> None:
        await asyncio.to_thread(self.notify, context)

    def notify(self, context: Any) -> None:
        """:param context: in the triggerer, only ``dag_run``, as Airflow's REST API shows it, and ``deadline``"""
        current = settings()
        topic = current.notify.topic_arn
        if topic is None:
            return
        run, deadline = context["dag_run"], context["deadline"]["deadline_time"]
        place = run["dag_id"], run["dag_run_id"]
        if RunDocuments(current.bucket, *place).read(bucket_layout.report_ledger(*place)) is None:
            publish(topic, late_notice(*place, run["state"], deadline, airflow_url()), "aws_default")


def verdict_within(interval: timedelta) -> DeadlineAlert | None:
    """The deadline of a run that ends with ``reconcile``, counted from when it was queued.

    It belongs to the DAG's code: Airflow would read an interval from a Variable of its own, and refuse to make a run
    where there is none. ``airflow dags test`` gets none: Airflow 3.3 looks a deadline up when a run succeeds, finds
    those of stored DAGs only, and ends with an error instead.
    """
    if sys.argv[1:3] == ["dags", "test"]:
        return None
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=interval,
        callback=AsyncCallback(DeadlineNotifier),
        name="verdict",
    )


def publish(topic: str, told: Notice, aws_conn_id: str | None) -> None:
    region = topic.split(":")[3]  # a topic may be elsewhere
    sns: Any = AwsBaseHook(aws_conn_id=aws_conn_id, client_type="sns", region_name=region).get_conn()
    sns.publish(TopicArn=topic, Subject=told.subject, Message=told.text)


def airflow_url() -> str:
    return str(conf.get("api", "base_url", fallback=""))
