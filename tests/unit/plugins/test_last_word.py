from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk.log import mask_secret
from airflow.utils.types import DagRunTriggeredByType
from pinterest_plugin import PinterestPlugin

from pinterest import last_word
from tests.builders import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _nothing_has_failed(monkeypatch):
    monkeypatch.setattr(last_word, "_failed", {})


def fails(task_id: str, error: str | BaseException | None) -> None:
    last_word.on_task_instance_failed(None, SimpleNamespace(task_id=task_id), error)


def succeeds(task_id: str) -> None:
    last_word.on_task_instance_success(None, SimpleNamespace(task_id=task_id))


def told() -> str:
    return last_word.paragraph("pinterest_batch", last_word._failed)


def test_the_first_failure_is_told_in_full_and_the_later_ones_by_name():
    fails("batch.posting.post", ValueError("posts: got -1\n\nexpected 1 or more"))
    fails("reconcile.report", None)

    assert told() == (
        "pinterest_batch failed at batch.posting.post: ValueError: posts: got -1\nexpected 1 or more\n"
        "After it failed: reconcile.report.\n"
        "Once the cause is gone, run pinterest_batch again: it keeps what is done."
    )


def test_an_error_of_airflows_says_it_without_its_name():
    fails("reconcile.verdict", AirflowFailException("The run is not reconciled (lost):\n  batch api pin"))

    assert told().startswith("pinterest_batch failed at reconcile.verdict: The run is not reconciled (lost):\n  batch")


def test_a_try_that_failed_before_another_succeeded_is_not_told():
    fails("batch.posting.post", TimeoutError("no answer"))
    fails("batch.landing.objects", TimeoutError("no objects"))
    succeeds("batch.posting.post")

    assert told().startswith("pinterest_batch failed at batch.landing.objects: TimeoutError: no objects\nOnce")


def test_a_task_failed_when_its_last_try_did():
    fails("batch.posting.post", TimeoutError("first try"))
    fails("stream.posting_stream.post", TimeoutError("first try"))
    fails("stream.posting_stream.post", TimeoutError("second try"))
    fails("batch.posting.post", TimeoutError("second try"))

    assert "failed at stream.posting_stream.post: TimeoutError: second try\nAfter it failed: batch" in told()


def test_a_failure_that_left_no_error_is_told():
    assert told() == "pinterest_batch failed; the log above says where."
    fails("batch.posting.post", None)
    assert "failed at batch.posting.post: its error is in the log above" in told()


def test_secrets_are_masked():
    mask_secret("a-password-of-the-source")
    fails("batch.posting.post", ValueError("Access denied using a-password-of-the-source"))

    assert "Access denied using ***" in told()


def test_an_error_of_many_pages_is_cut():
    fails("batch.posting.post", ValueError("x" * 10_000))

    assert len(told()) < 3300


def test_where_a_scheduler_runs_the_dag_nothing_is_said(monkeypatch):
    said = []
    monkeypatch.setattr(last_word.atexit, "register", lambda *arguments: said.append(arguments))
    fails("batch.posting.post", ValueError("posts: got -1"))
    last_word.on_dag_run_failed(SimpleNamespace(dag_id="batch", triggered_by=DagRunTriggeredByType.TIMETABLE), "")

    assert said == []


def test_airflow_calls_it():
    assert PinterestPlugin.listeners == [last_word]


ENDING = """
from types import SimpleNamespace
from airflow.utils.types import DagRunTriggeredByType
from pinterest import last_word

last_word.on_task_instance_failed(None, SimpleNamespace(task_id="post"), ValueError("posts: got -1"))
last_word.on_dag_run_failed(SimpleNamespace(dag_id="batch", triggered_by=DagRunTriggeredByType.TEST), "")
raise SystemExit("DagRun failed")
"""


def test_it_comes_after_all_that_airflow_prints(tmp_path):
    environment = {
        "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}",
        "AIRFLOW_HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
    }
    ended = subprocess.run([sys.executable, "-c", ENDING], env=environment, capture_output=True, text=True)

    assert ended.returncode == 1
    assert ended.stderr.partition("DagRun failed")[2] == (
        "\n\nbatch failed at post: ValueError: posts: got -1\n"
        "Once the cause is gone, run batch again: it keeps what is done.\n"
    )
