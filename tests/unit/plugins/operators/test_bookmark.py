"""What a run that has loaded its interval makes of the bookmark, also where topics or the lake have changed since."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from include import bucket_layout
from include.lake.identity import LakeIdentity
from include.landing.bookmark import Bookmark, Place, parse_bookmark
from include.landing.document import dump
from include.landing.interval import Interval, PartitionRange, TopicRanges
from include.landing.manifest import Manifest, ManifestDeadLetters
from include.settings import ENTITIES
from pinterest import run_documents
from pinterest.operators import bookmark as module
from pinterest.operators.bookmark import AdvanceBookmarkOperator
from tests.builders import BUCKET, USER_ID, Bucket, settings

BOOKMARK = bucket_layout.bookmark(USER_ID)
TOPICS = [f"{USER_ID}.{entity}" for entity in ENTITIES]
PIN, LETTERS = TOPICS[0], f"{USER_ID}-dead-letters"
LAKE = LakeIdentity(catalog="main", schema_name="pinterest")
KNOWN = Bookmark(
    cluster="arn:1", lake=LAKE, topic_ids={topic: (f"id of {topic}",) for topic in (*TOPICS, LETTERS)}
).advanced({topic: {"0": Place(next_offset=80)} for topic in (*TOPICS, LETTERS)})


@pytest.fixture
def bucket(monkeypatch):
    """A run has landed offsets 80 to 84 of every topic, and has read five letters."""
    bucket = Bucket()
    topics = {
        entity: TopicRanges(topic=topic, topic_id=f"id of {topic}", partitions={0: PartitionRange(start=80, stop=85)})
        for entity, topic in zip(ENTITIES, TOPICS, strict=True)
    }
    letters = ManifestDeadLetters(key="k", topic_id=f"id of {LETTERS}", count=0, next_offsets={0: 85})
    manifest = Manifest(
        dag_id="d",
        run_id="r",
        user_id=USER_ID,
        bucket=BUCKET,
        created_at="now",
        topics={},
        dead_letters=letters,
        lake=LAKE,
    )
    bucket.objects = {
        bucket_layout.interval("d", "r"): dump(Interval(topics=topics)).encode(),
        bucket_layout.manifest("d", "r"): dump(manifest).encode(),
    }
    monkeypatch.setattr(run_documents, "S3Hook", bucket)
    monkeypatch.setattr(module, "settings", settings)
    return bucket


def advance(bucket, before: Bookmark) -> dict[str, int | None]:
    """How far each topic is, once the run has moved this bookmark."""
    bucket.objects[BOOKMARK] = dump(before).encode()
    loaded = {"bookmark": {topic: {"0": {"next_offset": 85}} for topic in TOPICS}, "tables": {}}
    AdvanceBookmarkOperator(task_id="bookmark", loaded=loaded).execute(
        {"ti": SimpleNamespace(dag_id="d"), "run_id": "r"}
    )
    after = parse_bookmark(bucket.objects[BOOKMARK])
    return {topic: place.next_offset if (place := after.place(topic, 0)) else None for topic in (*TOPICS, LETTERS)}


def test_every_topic_goes_on_behind_what_was_loaded(bucket):
    assert advance(bucket, KNOWN) == dict.fromkeys((*TOPICS, LETTERS), 85)


@pytest.mark.parametrize("topic", [PIN, LETTERS])
def test_a_topic_that_was_made_again_meanwhile_starts_over(bucket, topic):
    """Another run has loaded all, and knows the topic by its new id."""
    renewed = KNOWN.of_topics("arn:1", {topic: "another"})

    assert advance(bucket, renewed) == {**dict.fromkeys((*TOPICS, LETTERS), 85), topic: None}


def test_a_lake_that_was_changed_meanwhile_keeps_its_bookmark(bucket):
    other = KNOWN.in_lake(LakeIdentity(catalog="main", schema_name="another"))

    assert advance(bucket, other) == dict.fromkeys((*TOPICS, LETTERS))


def test_the_letters_of_an_earlier_versions_manifest_are_taken(bucket):
    key = bucket_layout.manifest("d", "r")
    bucket.objects[key] = bucket.objects[key].replace(f'"id of {LETTERS}"'.encode(), b"null")

    assert advance(bucket, KNOWN)[LETTERS] == 85
