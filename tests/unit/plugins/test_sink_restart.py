"""The sink starts over: the connector is gone, what it wrote is set aside, its group is at the beginning."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from include import bucket_layout
from include.landing.bookmark import Bookmark, Place, parse_bookmark
from include.landing.document import dump
from pinterest import run_documents
from pinterest.hooks.kafka_client import Completed, KafkaClientError
from pinterest.hooks.msk_connect import MskConnectHook
from pinterest.operators import sink_restart as operators
from pinterest.operators.sink_restart import ReplaceConnectorOperator
from pinterest.sink_restart import SinkRestart
from tests.builders import USER_ID, Bucket, settings
from tests.unit.plugins.msk_connect_parts import ARN, described

PIN, GEO = f"{USER_ID}.pin", f"{USER_ID}.geo"
OTHERS = {f"topics/{GEO}/partition=0/a.json": b"geo", f"topics/{PIN}s/x": b"another topic's"}
BOOKMARK = bucket_layout.bookmark(USER_ID)
OWN_TAGS = {"project": "pinterest-pipeline"}


class Kafka:
    def __init__(self, code=0):
        self.code = code
        self.asked = []

    def run(self, script, environment):
        self.asked.append((script, environment))
        return Completed("changed: group", "no broker", self.code)


@pytest.fixture
def bucket() -> Bucket:
    bucket = Bucket()
    bucket.objects = {f"topics/{PIN}/partition=0/a.json": b"one", f"topics/{PIN}/partition=1/b.json": b"two", **OTHERS}
    return bucket


def add_connector(stub, *, deleted=True, state="RUNNING"):
    summary = {"connectorArn": ARN, "connectorName": f"{USER_ID}-connector", "connectorState": state}
    stub.add_response("list_connectors", {"connectors": [summary]}, {"connectorNamePrefix": f"{USER_ID}-connector"})
    if deleted:
        stub.add_response("delete_connector", {"connectorArn": ARN}, {"connectorArn": ARN})
        stub.add_response("describe_connector", described("DELETING"), {"connectorArn": ARN})
        stub.add_client_error("describe_connector", "NotFoundException")


def restart(bucket, kafka) -> int:
    hook = MskConnectHook(aws_conn_id=None)
    return SinkRestart(settings(), hook, kafka, bucket, "script", waiter_delay=0).restart({PIN: "T1"})


def test_only_the_topics_own_objects_are_set_aside(connect, bucket):
    add_connector(connect)
    kafka = Kafka()

    assert restart(bucket, kafka) == 2

    aside = f"set_aside/T1/topics/{PIN}"
    assert bucket.objects == {f"{aside}/partition=0/a.json": b"one", f"{aside}/partition=1/b.json": b"two", **OTHERS}
    [(script, environment)] = kafka.asked
    assert (script, environment["GROUP"], environment["TOPICS"]) == ("script", f"connect-{USER_ID}-connector", PIN)


def test_it_can_be_repeated_after_any_step(connect, bucket):
    add_connector(connect)
    with pytest.raises(KafkaClientError, match=r"beginning of the topics.*no broker"):
        restart(bucket, Kafka(code=1))
    connect.add_response("list_connectors", {"connectors": []})

    assert restart(bucket, Kafka()) == 0
    assert len([key for key in bucket.objects if key.startswith("set_aside/")]) == 2


@pytest.fixture
def replace(monkeypatch, bucket):
    """Runs the operator; gives what it returned and the topics of each restart."""
    restarts = []
    fake = SimpleNamespace(restart=lambda topics: restarts.append(topics) or 2)
    monkeypatch.setattr(operators, "settings", settings)
    monkeypatch.setattr(operators, "KafkaToolsHook", lambda *_: None)
    monkeypatch.setattr(operators, "SinkRestart", lambda *_: fake)
    monkeypatch.setattr(run_documents, "S3Hook", bucket)

    def run(wanted):
        operator = ReplaceConnectorOperator(task_id="replaced", replace=wanted, owner_tags=OWN_TAGS, script="s")
        return operator.execute({"ti": SimpleNamespace(dag_id="d"), "run_id": "r"}), restarts

    return run


def test_a_connector_of_others_is_replaced_if_asked(connect, bucket, replace):
    add_connector(connect, deleted=False)
    connect.add_response("list_tags_for_resource", {"tags": {}}, {"resourceArn": ARN})

    bucket.objects[BOOKMARK] = dump(Bookmark(topics={PIN: {"0": Place(next_offset=110, object="x+109")}})).encode()

    done, [topics] = replace("True")

    assert done == f"changed: deleted {USER_ID}-connector, set aside 2 objects"
    assert list(topics) == [f"{USER_ID}.{entity}" for entity in ("pin", "geo", "user")]
    assert all(label.startswith(f"{USER_ID}-connector-") for label in topics.values())
    assert parse_bookmark(bucket.objects[BOOKMARK]).topics == {PIN: {"0": Place(next_offset=110)}}


def test_a_restart_that_broke_off_is_finished_although_the_connector_is_gone(connect, bucket, replace):
    key = bucket_layout.sink_restart(USER_ID)
    bucket.objects[key] = f'{{"{PIN}": "label"}}'.encode()

    done, restarts = replace("False")

    assert (done.startswith("changed"), restarts) == (True, [{PIN: "label"}])
    assert key not in bucket.objects


def test_a_connector_of_ours_is_never_replaced(connect, replace):
    add_connector(connect, deleted=False)
    connect.add_response("list_tags_for_resource", {"tags": OWN_TAGS}, {"resourceArn": ARN})

    assert replace("True") == ("unchanged", [])


def test_nothing_is_asked_unless_it_is_wanted(connect, replace):
    assert replace("False") == ("unchanged", [])
