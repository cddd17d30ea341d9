"""Something is no longer what earlier runs remember: that is said before anything happens, and then everything loads.

These come after all other runs: what they change, the others build on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from lab.state import USER_ID
from tests.lab.lab_parts import wait_until
from tests.lab.pipeline_runs import ENTITIES, Pipeline, Run

PINS = f"{USER_ID}.pin"
COMMITTED, ABORTED = 12, 5
FIRST_IND = 3_000_000
POSTS = 40


class Renewed(NamedTuple):
    """A run that must refuse, a run that loads all, and what was there before them."""

    refused: Run
    ends: dict[int, int]
    loaded: Run
    bronze: dict[str, int]
    silver: dict[str, int]


def kafka(pipeline: Pipeline) -> dict[str, str]:
    return {"bootstrap.servers": f"127.0.0.1:{pipeline.lab.port('kafka')}"}


def make_again(pipeline: Pipeline, topic: str) -> None:
    admin = AdminClient(kafka(pipeline))
    admin.delete_topics([topic])[topic].result(30)
    wait_until(lambda: topic not in admin.list_topics(timeout=10).topics, f"{topic} is gone")
    admin.create_topics([NewTopic(topic, 3, 1)])[topic].result(30)


def produce_in_transactions(pipeline: Pipeline) -> None:
    """Pins that a transaction commits, and as many as ``ABORTED`` that another one does not."""
    producer = Producer({**kafka(pipeline), "transactional.id": "test"})
    producer.init_transactions(30)
    for first, count, end in (
        (0, COMMITTED, producer.commit_transaction),
        (COMMITTED, ABORTED, producer.abort_transaction),
    ):
        producer.begin_transaction()
        for number in range(first, first + count):
            pin = {"index": FIRST_IND + number, "title": "made again", "category": "art"}
            producer.produce(PINS, json.dumps(pin).encode(), partition=number % 3)
        producer.flush(30)
        end(30)


def log_ends(pipeline: Pipeline) -> dict[int, int]:
    consumer = Consumer({**kafka(pipeline), "group.id": "nobody"})
    try:
        partitions = consumer.list_topics(PINS, 10).topics[PINS].partitions
        return {number: consumer.get_watermark_offsets(TopicPartition(PINS, number), 10)[1] for number in partitions}
    finally:
        consumer.close()


@contextmanager
def somebody_looks(pipeline: Pipeline) -> Iterator[None]:
    """A member of the seeds' consumer group reads the topics all the time, as a console consumer does."""
    consumer = Consumer({**kafka(pipeline), "group.id": "students", "auto.offset.reset": "earliest"})
    consumer.subscribe([f"{USER_ID}.{entity}" for entity in ENTITIES])
    try:
        wait_until(lambda: consumer.poll(0.1) is not None, "the group has a member")
        yield
    finally:
        consumer.close()


@pytest.fixture(scope="module")
def renewed(pipeline, second_run) -> Renewed:
    """The topic of pins and the data stream of users are made again, silver's table of geo is dropped."""
    make_again(pipeline, PINS)
    produce_in_transactions(pipeline)
    ends = log_ends(pipeline)
    with pipeline.changed_settings(databricks={"catalog": "spark_catalog", "schema": "another"}):
        refused = pipeline.run("pinterest_batch", posts=POSTS)
    assert log_ends(pipeline) == ends, "nothing was posted"

    bronze = {entity: pipeline.count(f"bronze_{entity}") for entity in ENTITIES}
    silver = {entity: pipeline.count(f"`{entity}`") for entity in ENTITIES}
    pipeline.query("drop table geo")
    pipeline.kinesis.delete_stream(StreamName=f"streaming-{USER_ID}-user")
    # Everything that lies in the bucket is loaded again, the poison of other tests included.
    with somebody_looks(pipeline), pipeline.changed_settings(ledger={"max_quarantined_share": 0.1}):
        loaded = pipeline.run("pinterest_pipeline", posts=POSTS, start="0", on_new_identity="load_all")
    return Renewed(refused, ends, loaded, bronze, silver)


def test_a_run_names_what_is_no_longer_the_same_and_posts_nothing(renewed):
    assert renewed.refused.exit_code != 0
    last_word = renewed.refused.log.rpartition("pinterest_batch failed at ")[2]
    assert last_word.startswith("identity: ")
    assert f"topic {PINS} was " in last_word
    assert "the lake was spark_catalog.pinterest and is spark_catalog.another now" in last_word
    assert "on_new_identity=load_all" in last_word


def test_a_run_that_is_told_to_loads_everything_and_reconciles(pipeline, renewed):
    renewed.loaded.assert_reconciled()
    pin = renewed.loaded.entry("topic", "pin")
    assert (pin["records_in"], pin["extra"], pin["records_out"]) == (POSTS, COMMITTED, POSTS + COMMITTED)
    assert renewed.loaded.entry("bronze", "pin")["records_out"] == POSTS + COMMITTED
    for entity in ("geo", "user"):
        assert renewed.loaded.entry("bronze", entity)["records_out"] == renewed.bronze[entity] + POSTS


def test_no_record_of_the_new_topic_meets_one_of_the_old(pipeline, renewed):
    assert pipeline.count("bronze_pin") == renewed.bronze["pin"] + POSTS + COMMITTED
    assert pipeline.count("pin") == renewed.silver["pin"] + COMMITTED
    [aborted] = pipeline.query(f"select count(*) as n from pin where ind >= {FIRST_IND + COMMITTED}")
    assert aborted["n"] == "0"


def test_a_table_that_was_dropped_is_filled_again(pipeline, renewed):
    assert pipeline.count("geo") == renewed.silver["geo"]


def test_what_the_sink_wrote_of_the_old_topic_is_set_aside(pipeline, renewed):
    assert any(f"/topics/{PINS}/" in key for key in pipeline.keys("set_aside/"))
