"""Stages and their scripts fit together: every script is there, renders, and is given the variables that it takes."""

from __future__ import annotations

import re
from datetime import datetime

import jinja2
import pytest
from airflow.sdk import DAG

from pinterest.dag_defaults import TEMPLATES
from pinterest.operators.kafka_brokers import StartBrokerOperator
from pinterest.operators.kafka_client import KafkaClientScriptOperator, KafkaClientUploadOperator
from pinterest_stages.kafka import kafka
from pinterest_stages.kafka_client import kafka_client
from pinterest_stages.rest_proxy import rest_proxy
from pinterest_stages.s3_sink import s3_sink
from pinterest_stages.topics import topics
from tests.builders import DOWNLOADS, ROOT, settings

OF_THE_MACHINE = {"HOME", "PATH", "JAVA_HOME", "CLASSPATH", "KAFKA_HEAP_OPTS"}
OF_THE_BROKER = {"HOST", "PORT", "CONTROLLER_PORT"}
OF_AN_ARCHIVE = {"URL", "SHA256"}
OF_THE_UPLOAD = {"HEADERS", "UPLOAD_URL"}

with DAG("stages", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    kafka_client("vpc_id", "group")
    kafka("vpc_id", "group")
    brokers = topics().brokers
    rest_proxy(brokers)
    s3_sink(brokers)

SCRIPTS = [task for task in dag.tasks if isinstance(task, KafkaClientScriptOperator)]


@pytest.mark.parametrize("task", SCRIPTS, ids=lambda task: task.task_id)
def test_a_script_gets_the_variables_that_it_takes(task):
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined)
    script = environment.get_template(task.script).render(settings=settings)
    own = set(re.findall(r"^\s*([A-Z][A-Z0-9_]*)=", script, re.MULTILINE))
    taken = set(re.findall(r"\$\{?([A-Z][A-Z0-9_]*)", script)) - own - OF_THE_MACHINE

    given = set(task.environment)
    if task.download:
        given |= OF_AN_ARCHIVE
    if isinstance(task, KafkaClientUploadOperator):
        given |= OF_THE_UPLOAD
    if isinstance(task, StartBrokerOperator):
        given |= OF_THE_BROKER
    assert taken == given


def test_no_rendered_field_has_the_address_of_an_archive():
    """It may hold a token, and rendered fields are in Airflow's database."""
    sources = [path for folder in ("dags", "plugins") for path in (ROOT / folder).rglob("*.py")]

    assert {task.download for task in SCRIPTS if task.download} == set(DOWNLOADS)
    assert [path.name for path in sources if re.search(r"\{\{[^}]*downloads\.\S*url", path.read_text())] == []


def test_steps_stand_in_the_order_of_the_runbook():
    before = {task.task_id: task.get_flat_relative_ids(upstream=True) for task in dag.tasks}

    assert {"kafka_client.instance", "kafka_client.key_pair", "kafka_client.java"} <= before["kafka_client.kafka"]
    assert "kafka_client.iam_auth" in before["kafka_client.classpath"] & before["kafka_client.client_properties"]
    assert before["rest_proxy.start"] == {"rest_proxy.archive", "rest_proxy.properties"}
    makes_the_sink = ("archive", "plugin", "workers", "role", "logs", "replaced", "connector")
    assert before["s3_sink.running"] == {f"s3_sink.{task}" for task in makes_the_sink}
