from __future__ import annotations

from types import SimpleNamespace

from pinterest import run_links
from pinterest.run_links import RunReportLink, SinkObjectsLink
from tests.builders import BUCKET, settings

RUN = SimpleNamespace(dag_id="pinterest_batch", run_id="scheduled__2026-11-28T00:00:00+00:00", task_id="t")


def test_the_report_is_served_by_the_page_of_the_pipeline():
    link = RunReportLink().get_link(None, ti_key=RUN)

    assert link == "pinterest/report?dag_id=pinterest_batch&run_id=scheduled__2026-11-28T00%3A00%3A00%2B00%3A00"


def test_the_sinks_objects_are_in_the_bucket_of_the_settings(monkeypatch):
    monkeypatch.setattr(run_links, "settings", lambda: settings(region="eu-west-1"))

    link = SinkObjectsLink().get_link(None, ti_key=RUN)

    assert link == f"https://console.aws.amazon.com/s3/buckets/{BUCKET}?region=eu-west-1&prefix=topics%2F"
