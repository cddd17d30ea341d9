"""The stage ``data_streams``: a task for each entity."""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import DAG

from pinterest_stages.data_streams import data_streams

with DAG("stage", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    data_streams()


def test_each_data_stream_has_its_task():
    assert sorted(dag.task_ids) == ["data_streams.geo", "data_streams.pin", "data_streams.user"]
