"""What earlier runs remember against what is there: named before anything happens, forgotten only if that is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from include import bucket_layout
from include.lake.contract import batch_tables, stream_tables
from include.landing.bookmark import Bookmark, Place, parse_bookmark
from include.landing.document import dump
from include.settings import ENTITIES
from pinterest import run_documents
from pinterest.hooks.kafka_client import Completed
from pinterest.operators import identity as module
from pinterest.operators.identity import (
    DataStreamIdentityOperator,
    KeepTablesOperator,
    LakeIdentityOperator,
    TopicIdentityOperator,
)
from tests.builders import USER_ID, Bucket, settings

TOPICS = [*(f"{USER_ID}.{entity}" for entity in ENTITIES), f"{USER_ID}-dead-letters"]
PIN = f"{USER_ID}.pin"
BOOKMARK, CHECKPOINTS = bucket_layout.bookmark(USER_ID), bucket_layout.checkpoints(USER_ID)
CONTEXT = {"ti": SimpleNamespace(dag_id="d"), "run_id": "r"}
TABLES = {name: f"id of {name}" for name in (*batch_tables(), *stream_tables(USER_ID), "quarantine")}


OWN_TAGS = {"project": "pinterest-pipeline"}


class World:
    """The topics' ids, the data streams' times of creation, and what was asked of the sink."""

    def __init__(self):
        self.topics = {topic: f"id-of-{topic}" for topic in TOPICS}
        self.created = dict.fromkeys(ENTITIES, "2026-01-01T00:00:00")
        self.settings = settings()
        self.zone = UTC
        self.restarted = []
        self.connector_tags = OWN_TAGS
        self.cluster = "arn:1"

    def kafka(self, *_):
        printed = "".join(f"topic {name} {identity}\n" for name, identity in self.topics.items())
        return SimpleNamespace(brokers={"cluster_arn": self.cluster}, run=lambda *_, **__: Completed(printed, "", 0))

    def kinesis(self, **_):
        def find_stream(name):
            at = self.created.get(name.rpartition("-")[2])
            stamp = datetime.fromisoformat(at).replace(tzinfo=UTC).astimezone(self.zone) if at else None
            return {"StreamARN": f"arn:{name}", "StreamCreationTimestamp": stamp} if at else None

        return SimpleNamespace(find_stream=find_stream)

    def restart(self, *_):
        return SimpleNamespace(restart=self.restarted.append)

    def connect(self, **_):
        found = {"connectorArn": "arn:c"} if self.connector_tags is not None else None
        return SimpleNamespace(find_connector=lambda _: found, has_tags=lambda _, tags: self.connector_tags == tags)

    def lake(self, *_):
        return SimpleNamespace(table_ids=lambda tables: {name: TABLES[name] for name in tables})


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def world(monkeypatch, bucket):
    world = World()
    monkeypatch.setattr(run_documents, "S3Hook", bucket)
    monkeypatch.setattr(module, "KafkaToolsHook", world.kafka)
    monkeypatch.setattr(module, "KinesisStreamHook", world.kinesis)
    monkeypatch.setattr(module, "MskConnectHook", world.connect)
    monkeypatch.setattr(module, "DatabricksWarehouseHook", lambda _: None)
    monkeypatch.setattr(module, "QueriedBatches", world.lake)
    monkeypatch.setattr(module, "SinkRestart", world.restart)
    monkeypatch.setattr(module, "settings", lambda: world.settings)
    return world


def look_at_topics(on_new_identity="fail", **more):
    operator = TopicIdentityOperator(
        task_id="identity",
        script="s",
        restart_script="r",
        on_new_identity=on_new_identity,
        owner_tags=OWN_TAGS,
        **more,
    )
    return operator.execute(CONTEXT)


def look_at_data_streams(on_new_identity="fail"):
    return DataStreamIdentityOperator(task_id="identity", on_new_identity=on_new_identity).execute(CONTEXT)


def look_at_lake(tables=TABLES, on_new_identity="fail"):
    LakeIdentityOperator(task_id="identity", tables=tables, on_new_identity=on_new_identity).execute(CONTEXT)


@pytest.fixture
def remembered(world, bucket):
    """Runs have loaded the topics, read the data streams and written the tables."""
    look_at_topics()
    look_at_data_streams()
    look_at_lake()
    places = {topic: {"0": Place(next_offset=85)} for topic in TOPICS}
    bookmark = parse_bookmark(bucket.objects[BOOKMARK]).advanced(places)
    bucket.objects[BOOKMARK] = dump(bookmark).encode()
    return bookmark


def test_a_bookmark_of_an_earlier_version_is_completed(world, bucket):
    bucket.objects[BOOKMARK] = f'{{"{PIN}": {{"0": {{"next_offset": 85}}}}}}'.encode()

    assert look_at_topics() == []

    bookmark = parse_bookmark(bucket.objects[BOOKMARK])
    assert bookmark.topics == {PIN: {"0": Place(next_offset=85)}}
    assert bookmark.topic_ids == {topic: (identity,) for topic, identity in world.topics.items()}
    assert (bookmark.cluster, bookmark.lake.name) == ("arn:1", "main.pinterest")


def test_what_is_the_same_writes_nothing(world, bucket, remembered):
    before = dict(bucket.objects)
    bucket.put_object = None

    assert look_at_topics() == []
    look_at_data_streams()
    look_at_lake()

    assert bucket.objects == before


@pytest.mark.parametrize(("choice", "makes_sink"), [("fail", True), ("fail", False), ("load_all", False)])
def test_a_topic_that_was_made_again_is_named_and_nothing_is_touched(world, bucket, remembered, choice, makes_sink):
    before = dict(bucket.objects)
    world.topics[PIN] = "another"

    with pytest.raises(AirflowFailException, match=f"topic {PIN} was id-of-{PIN} and is another now.*load_all"):
        look_at_topics(choice, makes_sink=makes_sink)

    assert (bucket.objects, world.restarted) == (before, [])


def test_a_topic_that_was_made_again_starts_over_where_the_sink_is_made(world, bucket, remembered):
    world.topics |= {PIN: "another", TOPICS[3]: "another-too"}

    assert look_at_topics("load_all", makes_sink=True) == [PIN, TOPICS[3]]

    assert world.restarted == [{PIN: f"id-of-{PIN}"}]
    bookmark = parse_bookmark(bucket.objects[BOOKMARK])
    assert set(bookmark.topics) == set(TOPICS[1:3])
    assert bookmark.stored_as(PIN) == f"{PIN}#another"
    assert look_at_topics() == []


def on_a_cluster_after_a_teardown(world, bucket, remembered):
    bucket.objects[BOOKMARK] = dump(remembered.without_cluster()).encode()
    world.cluster = "arn:2"
    world.topics = dict.fromkeys(TOPICS, "another")


def test_on_the_cluster_after_a_teardown_topics_start_over(world, bucket, remembered):
    on_a_cluster_after_a_teardown(world, bucket, remembered)

    assert sorted(look_at_topics(makes_sink=True)) == sorted(TOPICS)

    assert world.restarted == [{topic: f"id-of-{topic}" for topic in TOPICS[:3]}]
    bookmark = parse_bookmark(bucket.objects[BOOKMARK])
    assert (bookmark.cluster, bookmark.cluster_removed, bookmark.topics) == ("arn:2", False, {})
    assert look_at_topics() == []


def test_where_no_sink_is_made_the_cluster_after_a_teardown_is_named(world, bucket, remembered):
    on_a_cluster_after_a_teardown(world, bucket, remembered)

    with pytest.raises(AirflowFailException, match="the Kafka cluster was arn:1 and is arn:2 now"):
        look_at_topics()


def test_a_cluster_that_nobody_removed_is_a_surprise(world, bucket, remembered):
    world.cluster, world.topics = "arn:2", dict.fromkeys(TOPICS, "another")

    with pytest.raises(AirflowFailException, match="the Kafka cluster was arn:1 and is arn:2 now"):
        look_at_topics(makes_sink=True)


def test_a_connector_of_others_is_not_deleted_for_it(world, bucket, remembered):
    world.topics[PIN], world.connector_tags = "another", {}

    with pytest.raises(AirflowFailException, match=r"this pipeline did not make it.*replace_connector"):
        look_at_topics("load_all", makes_sink=True)

    assert world.restarted == []


def test_another_schema_is_named_and_then_loaded_whole(world, bucket, remembered):
    world.settings = settings(databricks={"schema": "moved"})

    with pytest.raises(AirflowFailException, match=r"the lake was main\.pinterest and is .*\.moved now"):
        look_at_topics()
    with pytest.raises(AirflowFailException, match=r"the lake was main\.pinterest .* The checkpoints under"):
        look_at_data_streams()
    assert parse_bookmark(bucket.objects[BOOKMARK]) == remembered

    assert look_at_topics("load_all") == []
    names = look_at_data_streams("load_all")["names"]
    assert parse_bookmark(bucket.objects[BOOKMARK]).topics == {}
    assert all("@" in name for name in names.values())
    assert look_at_data_streams()["names"] == names


def test_the_same_moment_in_another_time_zone_is_the_same(world, remembered):
    """botocore gives times in the zone of the machine."""
    world.zone = timezone(timedelta(hours=-5))

    assert look_at_data_streams()["names"]["pin"] == f"streaming-{USER_ID}-pin"


def test_a_data_stream_that_was_made_again_gets_a_new_checkpoint(world, remembered):
    world.created["geo"] = "2026-02-02T00:00:00"

    with pytest.raises(AirflowFailException, match=f"data stream streaming-{USER_ID}-geo was .* created at 2026-01-01"):
        look_at_data_streams()

    names = look_at_data_streams("load_all")["names"]
    assert names["pin"] == f"streaming-{USER_ID}-pin"
    assert names["geo"].startswith(f"streaming-{USER_ID}-geo@")


def test_a_data_stream_that_is_missing_is_named(world):
    del world.created["user"]

    with pytest.raises(
        AirflowFailException, match=f"no data stream streaming-{USER_ID}-user in us-east-1: run the DAG"
    ):
        look_at_data_streams()


@pytest.mark.parametrize(
    ("table", "forgets_bookmark"), [("bronze_pin", True), ("user", True), (f"{USER_ID}_pin_table", False)]
)
def test_a_table_that_is_gone_is_named_and_then_loaded_again(world, bucket, remembered, table, forgets_bookmark):
    left = {name: identity for name, identity in TABLES.items() if name != table}
    with pytest.raises(AirflowFailException, match=f"table {table} was id of {table} and no longer exists"):
        look_at_lake(left)

    look_at_lake(left, "load_all")

    assert (parse_bookmark(bucket.objects[BOOKMARK]).topics == {}) is forgets_bookmark
    assert any("@" in name for name in look_at_data_streams()["names"].values()) is not forgets_bookmark
    look_at_lake(left)


def test_the_lake_of_a_first_run_has_no_tables(world, bucket):
    look_at_topics()
    look_at_lake({})

    assert Bookmark.model_validate_json(bucket.objects[BOOKMARK]).lake.tables == {}
    look_at_lake(TABLES)


def test_the_tables_that_the_stream_wrote_are_remembered(world):
    look_at_data_streams()
    run = {"counts": {"stream": {}, "tables": TABLES}}

    KeepTablesOperator(task_id="tables", run=run).execute(CONTEXT)

    assert look_at_data_streams()["tables"] == {name: TABLES[name] for name in stream_tables(USER_ID)}


def test_the_tables_of_a_job_that_goes_on_are_asked_for(world):
    look_at_data_streams()

    KeepTablesOperator(task_id="tables", run={"run_id": 7, "conn_id": "d"}).execute(CONTEXT)

    assert look_at_data_streams()["tables"] == {name: TABLES[name] for name in stream_tables(USER_ID)}
