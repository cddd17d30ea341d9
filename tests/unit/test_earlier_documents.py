"""Documents of earlier runs lie in users' buckets: they are read with the same meaning, under their old names.

``tests/documents/earlier`` is such a bucket, written before ``stream`` became ``entity``, ``streams`` ``entities``,
``by_stream`` ``by_entity``, and ``path`` ``route``. What is written now has the new names only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from include import bucket_layout
from include.landing.bookmark import Place, parse_bookmark
from include.landing.document import dump
from include.landing.interval import Interval, PartitionRange, acknowledged_ranges
from include.landing.manifest import Manifest
from include.ledger.entry import HOPS, entries_json, parse_entries
from include.ledger.table import ledger_table
from include.ledger.verdict import LedgerDocument, Status, reconcile
from include.positions.kinesis import ShardRange
from include.posting.entries import posting_entries
from include.posting.order import PostingOrder
from include.posting.progress import PostingProgress, RefusedRow, Settled
from include.report.page import render_report
from include.settings import ENTITIES, Ledger
from pinterest import run_documents
from pinterest.posting_store import PostingStore
from pinterest.run_documents import RunDocuments
from tests.builders import BUCKET, ROOT, USER_ID, Bucket

DAG, RUN = "pinterest_pipeline", "manual__1"
EARLIER = ROOT / "tests" / "documents" / "earlier"
ANY = Ledger(max_refused_share=1, max_quarantined_share=1)
OLD_NAMES = {"stream", "streams", "by_stream", "path"}
FIRST_NUMBER = 49_590_338_271_490_256_608_559_692_538_361_571_095_921_575_989_136_588_898
A, B = "shardId-000000000000", "shardId-000000000001"
TOPICS = {entity: f"{USER_ID}.{entity}" for entity in ENTITIES}


def stored(key: str) -> str:
    return (EARLIER / key).read_text()


def names(document: Any) -> Iterator[str]:
    """Every key of a JSON document, at any depth. Entities are keys, too: ``{"pin": …}``."""
    if isinstance(document, dict):
        yield from document
        for value in document.values():
            yield from names(value)
    elif isinstance(document, list):
        for value in document:
            yield from names(value)


def assert_new_names(text: str, *expected: str) -> None:
    found = set(names(json.loads(text)))
    assert not found & OLD_NAMES
    assert found >= set(expected)


@pytest.fixture
def bucket() -> Bucket:
    bucket = Bucket()
    files = [path for path in EARLIER.rglob("*") if path.is_file()]
    bucket.objects = {path.relative_to(EARLIER).as_posix(): path.read_bytes() for path in files}
    return bucket


@pytest.fixture
def documents(bucket, monkeypatch) -> RunDocuments:
    monkeypatch.setattr(run_documents, "S3Hook", bucket)
    return RunDocuments(BUCKET, DAG, RUN)


@pytest.mark.parametrize(
    ("key", "old"),
    [
        (bucket_layout.posting_progress(DAG, RUN), {"path", "streams"}),
        (bucket_layout.posting_progress(DAG, RUN, "stream"), {"path", "streams"}),
        (bucket_layout.ledger(DAG, RUN, "api"), {"path", "stream"}),
        (bucket_layout.ledger(DAG, RUN, "api", "stream"), {"path", "stream"}),
        (bucket_layout.ledger(DAG, RUN, "landed"), {"path", "stream"}),
        (bucket_layout.report_ledger(DAG, RUN), {"path", "stream"}),
        (bucket_layout.manifest(DAG, RUN), {"by_stream"}),
        (bucket_layout.dead_letters(DAG, RUN), {"stream"}),
    ],
)
def test_the_stored_documents_have_the_old_names(key, old):
    found = set(names(json.loads(stored(key))))

    assert found & OLD_NAMES == old
    assert not found & {"entity", "entities", "by_entity", "route"}


def test_progress_of_posting_to_kafka():
    key = bucket_layout.posting_progress(DAG, RUN)
    progress = PostingProgress.parse(stored(key), source=key)

    assert (progress.route, progress.dag_id, progress.run_id, progress.seed) == ("batch", DAG, RUN, 100)
    assert (progress.first_draw, progress.posts, progress.drawn, progress.complete) == (40, 4, 2, False)
    assert acknowledged_ranges(progress) == {
        "pin": {0: ((10, 12),), 1: ((4, 5),)},
        "geo": {0: ((7, 9),), 2: ((0, 1),)},
        "user": {0: ((3, 5),)},
    }
    counts = {
        entity: (one.drawn, one.read, one.missing, one.acknowledged, one.refused, one.unsettled)
        for entity, one in progress.entities.items()
    }
    assert counts == {"pin": (4, 4, 0, 3, 1, []), "geo": (4, 3, 1, 3, 0, []), "user": (4, 4, 0, 2, 0, [2, 3])}
    assert [refusal.code for refusal in progress.entities["pin"].refusals] == ["42201"]
    assert progress.entities["user"].due(0, 4) == [2, 3]
    assert_new_names(progress.model_dump_json(), "route", "entities")
    assert PostingProgress.parse(progress.model_dump_json(), source=key) == progress


def test_progress_of_posting_to_kinesis():
    key = bucket_layout.posting_progress(DAG, RUN, "stream")
    progress = PostingProgress.parse(stored(key), source=key)

    assert (progress.route, progress.posts, progress.complete) == ("stream", 2, True)
    for entity in ENTITIES:
        shards = [ShardRange.of(A, [FIRST_NUMBER]), ShardRange.of(B, [FIRST_NUMBER + 4])]
        assert progress.entities[entity].shards == shards
    assert_new_names(progress.model_dump_json(), "route", "entities")


def test_a_run_that_was_begun_before_goes_on_where_it_was(bucket, documents):
    store = PostingStore(documents)
    progress = store.begin(PostingOrder(posts=4, seed=100))
    progress.hand_out("user", progress.entities["user"].due(0, 4), [])
    progress.settle("user", Settled(acknowledged={2: (0, 5), 3: (0, 6)}))
    store.save(progress, [])

    assert progress.complete
    key = bucket_layout.posting_progress(DAG, RUN)
    assert_new_names(bucket.text(key), "route", "entities")
    assert PostingProgress.parse(bucket.text(key), source=key) == progress
    assert bucket.json(bucket_layout.seed_position(100))["next_draw"] == 44


def test_a_stream_run_that_was_begun_before_goes_on_where_it_was(bucket, documents):
    store = PostingStore(documents, "stream")
    progress = store.begin(PostingOrder(posts=2, seed=100))

    assert (progress.route, progress.complete) == ("stream", True)
    store.write_ledger(progress)
    assert_new_names(bucket.text(bucket_layout.ledger(DAG, RUN, "api", "stream")), "route", "entity")


def test_the_next_run_of_the_seed_goes_on_after_it(documents):
    assert PostingStore(documents).next_draw(100) == 42


def test_rows_refused_before_are_known_and_new_ones_are_added(bucket, documents):
    store = PostingStore(documents)
    progress = store.begin(PostingOrder(posts=4, seed=100))
    known = RefusedRow("pin", 2, 5730, "42201", "not valid JSON", {"index": 5730})
    new = RefusedRow("user", 2, 5730, "42201", "not valid JSON", {"ind": 5730})
    store.save(progress, [known, new])

    lines = bucket.json_lines(bucket_layout.refused_rows(DAG, RUN))
    assert [(line.get("entity") or line["stream"], line["draw"], line["code"]) for line in lines] == [
        ("pin", 2, "42201"),
        ("geo", 3, "no_source_row"),
        ("user", 2, "42201"),
    ]
    assert_new_names(json.dumps(lines[-1]), "entity")


@pytest.mark.parametrize("route", ["batch", "stream"])
def test_entries_of_a_hop(route):
    entries = parse_entries(stored(bucket_layout.ledger(DAG, RUN, "api", route)))
    key = bucket_layout.posting_progress(DAG, RUN, route)
    counted_anew = posting_entries(PostingProgress.parse(stored(key), source=key))["api"]

    assert [(entry.route, entry.hop, entry.entity) for entry in entries] == [(route, "api", e) for e in ENTITIES]
    assert [entry.model_dump(exclude={"counted_at", "counted_by", "reason"}) for entry in entries] == [
        entry.model_dump(exclude={"counted_at", "counted_by", "reason"}) for entry in counted_anew
    ]
    assert_new_names(entries_json(entries), "route", "entity")
    assert parse_entries(entries_json(entries)) == entries


def test_entries_of_the_hop_landed():
    pin, geo, user = parse_entries(stored(bucket_layout.ledger(DAG, RUN, "landed")))

    assert (pin.entity, pin.records_in, pin.records_out, pin.quarantined) == ("pin", 4, 3, 1)
    assert (geo.entity, geo.records_in, geo.records_out, geo.first, geo.last) == ("geo", 4, 4, "p0@10", "p1@4")
    assert (user.entity, user.route, user.run_id) == ("user", "batch", RUN)


def test_the_ledger_of_a_run():
    document = LedgerDocument.model_validate_json(stored(bucket_layout.report_ledger(DAG, RUN)))

    assert document.verdict.status is Status.LOST
    assert document.verdict.routes == ("batch", "stream")
    lost = document.verdict.finding("batch", "geo", "landed")
    assert (lost.status, lost.records, lost.positions) == (Status.LOST, 1, ("p1@4",))
    assert str(lost).startswith("batch: geo at hop landed: lost at p1@4: 1 lost inside the hop")
    assert [(f.route, f.entity, f.hop) for f in document.verdict.failures] == [
        ("batch", "geo", "landed"),
        ("batch", "geo", "bronze"),
    ]
    hops = {route: HOPS[route] for route in document.verdict.routes}
    assert reconcile(document.entries, RUN, limits=ANY, hops=hops).failures == document.verdict.failures
    assert "geo at hop landed: lost at p1@4" in ledger_table(document)
    assert_new_names(document.model_dump_json(), "route", "entity")
    assert LedgerDocument.model_validate_json(document.model_dump_json()) == document


def test_the_interval():
    interval = Interval.model_validate_json(stored(bucket_layout.interval(DAG, RUN)))

    assert {entity: topic.topic for entity, topic in interval.topics.items()} == TOPICS
    for topic in interval.topics.values():
        assert topic.partitions == {
            0: PartitionRange(start=10, stop=13, earliest=2),
            1: PartitionRange(start=4, stop=5),
        }


def test_the_manifest():
    manifest = Manifest.model_validate_json(stored(bucket_layout.manifest(DAG, RUN)))

    assert manifest.dead_letters.by_entity == {"pin": 1}
    assert (manifest.dead_letters.count, manifest.dead_letters.next_offsets) == (1, {0: 7})
    assert {entity: topic.topic for entity, topic in manifest.topics.items()} == TOPICS
    (loaded,) = manifest.topics["pin"].partitions[0].objects
    assert (loaded.first_offset, loaded.last_offset, loaded.lines) == (10, 11, 2)
    assert_new_names(dump(manifest), "by_entity", "from", "to")
    assert Manifest.model_validate_json(dump(manifest)) == manifest


def test_the_bookmark():
    bookmark = parse_bookmark(stored(bucket_layout.bookmark(USER_ID)))

    for topic in TOPICS.values():
        assert bookmark.topics[topic] == {
            "0": Place(next_offset=10, object=bucket_layout.sink_object(topic, 0, 0)),
            "1": Place(next_offset=4),
        }
    assert bookmark.topics[f"{USER_ID}-dead-letters"] == {"0": Place(next_offset=6)}
    assert (bookmark.cluster, bookmark.topic_ids, bookmark.lake) == (None, {}, None)
    assert parse_bookmark(dump(bookmark)) == bookmark


def test_the_page_shows_dead_letters_and_ledger_of_before():
    document = LedgerDocument.model_validate_json(stored(bucket_layout.report_ledger(DAG, RUN)))
    letters = [json.loads(line) for line in stored(bucket_layout.dead_letters(DAG, RUN)).splitlines()]
    renamed = [{**{k: v for k, v in line.items() if k != "stream"}, "entity": line["stream"]} for line in letters]

    page = render_report(document, analyses={}, dead_letters=letters, user_id=USER_ID)

    assert page == render_report(document, analyses={}, dead_letters=renamed, user_id=USER_ID)
    assert "truncated_json" in page
