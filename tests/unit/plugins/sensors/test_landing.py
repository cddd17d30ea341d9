"""Waiting for the interval in a bucket that also holds objects that are empty, cut off, or not the sink's."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout

from include.bucket_layout import interval as interval_key
from include.bucket_layout import partition_prefix, posting_progress, sink_object
from include.landing.document import LandingError, dump
from include.landing.entries import topic_entry
from include.landing.interval import Interval, PartitionRange, TopicRanges
from include.ledger.entry import entries_json, parse_entries
from include.posting.progress import PostingProgress, Settled
from include.settings import ENTITIES
from pinterest import run_documents
from pinterest.hooks.kafka_client import Completed
from pinterest.sensors import landing as module
from pinterest.sensors.landing import LandedObjectsSensor
from tests.builders import USER_ID, Bucket, settings

PIN = f"{USER_ID}.pin"
LANDED = "ledger/d/r/landed.json"
TOPIC = "ledger/d/r/topic.json"
MANIFEST = "landing/d/r/manifest.json"


class ChangingBucket(Bucket):
    """``later`` replaces objects once they have been listed."""

    def __init__(self) -> None:
        super().__init__()
        self.later: dict[str, bytes] = {}

    def page(self, **asked):
        found = super().page(**asked)
        self.objects |= self.later
        return found


def lines(first: int, last: int, **fields) -> bytes:
    return b"".join(
        json.dumps({"index": offset, "_topic": PIN, "_partition": 0, "_offset": offset, **fields}).encode() + b"\n"
        for offset in range(first, last + 1)
    )


@pytest.fixture
def bucket(monkeypatch):
    """The interval is offsets 0 to 9 of the pin topic's only partition; there are no dead letters."""
    bucket = ChangingBucket()
    topics = {
        entity: TopicRanges(
            topic=f"{USER_ID}.{entity}",
            partitions={0: PartitionRange(start=0, stop=10 if entity == "pin" else 0)},
        )
        for entity in ENTITIES
    }
    bucket.objects[interval_key("d", "r")] = dump(Interval(topics=topics)).encode()
    kafka = SimpleNamespace(run=lambda *_, **__: Completed("", "", 0))
    monkeypatch.setattr(run_documents, "S3Hook", bucket)
    monkeypatch.setattr(module, "settings", settings)
    monkeypatch.setattr(module, "KafkaToolsHook", lambda *_: kafka)
    return bucket


def wait(**times) -> str:
    sensor = LandedObjectsSensor(task_id="objects", gap_seconds=0, letters_seconds=0, poke_interval=0.01, **times)
    return sensor.execute({"ti": SimpleNamespace(dag_id="d"), "run_id": "r"})


def pin_entry(bucket):
    return next(entry for entry in parse_entries(bucket.objects[LANDED]) if entry.entity == "pin")


def test_what_is_not_the_sinks_is_named_and_left_out(bucket):
    foreign = {
        f"{partition_prefix(PIN, 0)}notes.txt": b"mine",
        f"{partition_prefix(PIN, 0)}{PIN}+0+0000000005.json.gz": b"\x1f\x8b",
        f"{partition_prefix(PIN, 7)}{PIN}+7+0000000000.json": lines(0, 3),
        f"topics/{PIN}/README": b"read me",
        sink_object(PIN, 0, 2): b"",
        sink_object(PIN, 0, 3): lines(3, 5)[:-4],
        sink_object(PIN, 0, 4): b"<html>\nnot ours\n",
    }
    ours = {sink_object(PIN, 0, 0): lines(0, 5), sink_object(PIN, 0, 6): lines(6, 9)}
    bucket.objects |= foreign | ours

    assert wait() == MANIFEST

    manifest = json.loads(bucket.objects[MANIFEST])
    assert [one["key"] for one in manifest["topics"]["pin"]["partitions"]["0"]["objects"]] == sorted(ours)
    reasons = {one["key"]: one["reason"] for one in manifest["ignored"]}
    assert reasons == {
        f"{partition_prefix(PIN, 0)}notes.txt": "its name is not one that the sink gives",
        f"{partition_prefix(PIN, 0)}{PIN}+0+0000000005.json.gz": "its name is not one that the sink gives",
        partition_prefix(PIN, 7): f"is not a partition of {PIN} on the broker",
        f"topics/{PIN}/README": f"is not a partition of {PIN} on the broker",
        sink_object(PIN, 0, 2): "is empty",
        sink_object(PIN, 0, 3): "its last line (3) is cut off",
        sink_object(PIN, 0, 4): "line 1 is not JSON and its last line (2) is cut off",
    }
    entry = pin_entry(bucket)
    assert (entry.records_in, entry.records_out, entry.extra, entry.duplicates) == (10, 10, 0, 0)


DAMAGED = [
    pytest.param(b"", "3-5", "is empty", id="empty"),
    pytest.param(lines(3, 5)[:-4], "5", r"its last line \(3\) is cut off", id="truncated"),
    pytest.param(b"\x1f\x8b\x08binary\n" * 3, "3-5", "line 1 is not JSON", id="not ours"),
    pytest.param(lines(3, 5, _topic="other"), "3-5", "line 1 belongs to other partition 0", id="of another topic"),
]


@pytest.mark.parametrize(("content", "offsets", "fault"), DAMAGED)
def test_a_damaged_object_that_is_needed_fails_the_task_and_is_named(bucket, content, offsets, fault):
    bucket.objects |= {
        sink_object(PIN, 0, 0): lines(0, 2),
        sink_object(PIN, 0, 3): content,
        sink_object(PIN, 0, 6): lines(6, 9),
    }

    with pytest.raises(AirflowFailException, match=rf"still on the topic.*offsets {offsets} are in no object") as error:
        wait()

    error.match(rf"{PIN}\+0\+0000000003\.json .*{fault}".replace(".pin", r"\.pin"))
    entry = pin_entry(bucket)
    assert (entry.records_in, entry.positions) == (10, (f"p0@{offsets}",))
    assert entry.records_out == 10 - (1 if offsets == "5" else 3)
    assert MANIFEST not in bucket.objects


def test_many_gaps_of_many_partitions_are_told_in_a_short_paragraph_with_what_can_be_done(bucket):
    partitions = {number: PartitionRange(start=0, stop=200) for number in range(3)}
    topics = {entity: TopicRanges(topic=f"{USER_ID}.{entity}", partitions=partitions) for entity in ENTITIES}
    bucket.objects[interval_key("d", "r")] = dump(Interval(topics=topics)).encode()
    for topic in topics.values():
        for number in partitions:
            for offset in range(1, 200, 2):
                line = {"_topic": topic.topic, "_partition": number, "_offset": offset}
                bucket.objects[sink_object(topic.topic, number, offset)] = json.dumps(line).encode() + b"\n"

    with pytest.raises(AirflowFailException, match="passed over records that are still on the topic") as error:
        wait()

    told = str(error.value)
    assert len(told) < 1200
    assert "0, 2, 4, 6, 8, 10, 12, 14, 16, 18 and 90 more ranges to 198" in told
    assert "8 more partitions lack 800 records" in told
    assert f"delete the connector {USER_ID}-connector" in told
    assert f"--group connect-{USER_ID}-connector --topic {PIN}:0 --reset-offsets --to-offset 0 --execute" in told


def test_only_what_the_topic_has_no_more_is_called_lost(bucket):
    before = Interval.model_validate_json(bucket.objects[interval_key("d", "r")])
    later = {0: PartitionRange(start=0, stop=10, earliest=4)}
    now = Interval(topics={**before.topics, "pin": TopicRanges(topic=PIN, partitions=later)})
    bucket.objects[interval_key("d", "r")] = dump(now).encode()
    bucket.objects |= {sink_object(PIN, 0, 0): lines(0, 2), sink_object(PIN, 0, 6): lines(6, 9)}

    with pytest.raises(
        AirflowFailException, match=r"Records are lost.*begins at 4 now, so offset 3 cannot be had again"
    ):
        wait()


@pytest.fixture
def forgetful(bucket, monkeypatch):
    """The broker has forgotten the first four offsets of pins, and no bookmark says what they were."""
    before = Interval.model_validate_json(bucket.objects[interval_key("d", "r")])
    pins = TopicRanges(
        topic=PIN, partitions={0: PartitionRange(start=0, stop=10, earliest=4, empty=((9, 10),), forgotten=((0, 4),))}
    )
    interval = Interval(topics={**before.topics, "pin": pins})
    bucket.objects[interval_key("d", "r")] = dump(interval).encode()
    progress = PostingProgress(dag_id="d", run_id="r", seed=100, first_draw=0, posts=2)
    progress.hand_out("pin", range(2), [])
    progress.settle("pin", Settled(acknowledged={0: (0, 7), 1: (0, 8)}))
    bucket.objects[posting_progress("d", "r")] = progress.model_dump_json().encode()
    entries = [topic_entry("r", entity, topic, progress, "a group") for entity, topic in interval.topics.items()]
    bucket.objects[TOPIC] = entries_json(entries).encode()
    monkeypatch.setattr(module, "settings", lambda: settings(s3_sink={"rotate_ms": 100}))
    return bucket


def test_forgotten_offsets_that_nothing_holds_count_as_empty(forgetful, caplog):
    """Markers of transactions and expired dead letters look like this once a lake is loaded again."""
    forgetful.objects |= {sink_object(PIN, 0, 0): lines(0, 1), sink_object(PIN, 0, 4): lines(4, 8)}

    assert wait() == MANIFEST

    assert f"{PIN} partition 0: offsets 2-3 are older than what the broker keeps" in caplog.text
    topic = next(entry for entry in parse_entries(forgetful.objects[TOPIC]) if entry.entity == "pin")
    landed = pin_entry(forgetful)
    assert (topic.records_in, topic.extra, topic.records_out) == (2, 5, 7)
    assert topic.counted_by == "a group; 2 offsets that nothing holds anymore count as empty"
    assert (landed.records_in, landed.records_out, landed.positions) == (7, 7, ())
    manifest = json.loads(forgetful.objects[MANIFEST])
    assert manifest["topics"]["pin"]["partitions"]["0"]["empty"] == [[2, 4], [9, 10]]
    others = [entry for entry in parse_entries(forgetful.objects[TOPIC]) if entry.entity != "pin"]
    assert {(entry.records_out, entry.counted_by) for entry in others} == {(0, "a group")}
    assert wait() == MANIFEST, "a rerun finds nothing missing"


def test_forgotten_offsets_at_the_end_count_as_empty_once_the_sink_has_had_its_time(forgetful):
    interval = Interval.model_validate_json(forgetful.objects[interval_key("d", "r")])
    all_gone = {0: PartitionRange(start=0, stop=10, earliest=10, forgotten=((0, 7), (9, 10)))}
    interval.topics["pin"] = TopicRanges(topic=PIN, partitions=all_gone)
    forgetful.objects[interval_key("d", "r")] = dump(interval).encode()
    forgetful.objects |= {sink_object(PIN, 0, 5): lines(5, 8)}

    wait()

    assert pin_entry(forgetful).records_out == 4


def test_what_the_sink_still_writes_of_forgotten_offsets_is_loaded(forgetful):
    forgetful.objects |= {sink_object(PIN, 0, 0): lines(0, 1), sink_object(PIN, 0, 4): lines(4, 8)}
    forgetful.later = {sink_object(PIN, 0, 2): lines(2, 3)}

    wait()

    assert pin_entry(forgetful).records_out == 9


def test_a_record_that_is_known_is_lost_also_where_the_broker_has_forgotten_others(forgetful):
    """As one that the REST API acknowledged to the run: it is not among those that may never have been a record."""
    interval = Interval.model_validate_json(forgetful.objects[interval_key("d", "r")])
    known = {0: PartitionRange(start=0, stop=10, earliest=4, empty=((9, 10),), forgotten=((0, 2), (3, 4)))}
    interval.topics["pin"] = TopicRanges(topic=PIN, partitions=known)
    forgetful.objects[interval_key("d", "r")] = dump(interval).encode()
    forgetful.objects |= {sink_object(PIN, 0, 0): lines(0, 1), sink_object(PIN, 0, 4): lines(4, 8)}

    with pytest.raises(AirflowFailException, match=r"Records are lost.* offsets 2 are .*begins at 4 now, so offset 2 "):
        wait()


def test_a_cut_off_object_that_is_written_again_is_read_again(bucket):
    whole = {sink_object(PIN, 0, 0): lines(0, 4), sink_object(PIN, 0, 5): lines(5, 9)}
    bucket.objects |= whole | {sink_object(PIN, 0, 5): lines(5, 9)[:-4]}
    bucket.later = whole

    wait()

    assert pin_entry(bucket).records_out == 10


def test_records_that_do_not_arrive_end_the_wait_with_their_offsets(bucket):
    bucket.objects[sink_object(PIN, 0, 0)] = lines(0, 6)

    with pytest.raises(AirflowSensorTimeout, match=rf"{PIN}.*7-9.*Look at the connector {USER_ID}-connector"):
        wait(timeout=0.1)

    assert pin_entry(bucket).positions == ("p0@7-9",)


def test_a_complete_interval_is_published_and_later_hops_are_forgotten(bucket):
    later = [f"ledger/d/r/{hop}.json" for hop in ("bronze", "silver", "gold")]
    bucket.objects |= {
        sink_object(PIN, 0, 0): lines(0, 9),
        **dict.fromkeys(later, b"[]"),
        "ledger/d/r/topic.json": b"[]",
    }

    key = wait()

    manifest = json.loads(bucket.objects[key])
    assert (manifest["topics"]["pin"]["partitions"]["0"]["from"], manifest["dead_letters"]["count"]) == (0, 0)
    assert bucket.objects[manifest["dead_letters"]["key"]] == b""
    assert [one for one in later if one in bucket.objects] == []
    assert "ledger/d/r/topic.json" in bucket.objects
    assert pin_entry(bucket).records_out == 10


def test_an_interval_that_moves_during_the_wait_is_not_published(bucket):
    bucket.objects[sink_object(PIN, 0, 0)] = lines(0, 9)
    before = Interval.model_validate_json(bucket.objects[interval_key("d", "r")])
    grown = {0: PartitionRange(start=0, stop=12)}
    now = Interval(topics={**before.topics, "pin": TopicRanges(topic=PIN, partitions=grown)})
    bucket.later = {interval_key("d", "r"): dump(now).encode()}

    with pytest.raises(
        LandingError, match=r"partition 0: .* 0 to 10, but the interval is 0 to 12: run landing.objects"
    ):
        wait()

    assert MANIFEST not in bucket.objects
    assert LANDED not in bucket.objects
