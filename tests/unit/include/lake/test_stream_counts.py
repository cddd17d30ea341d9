"""The hops kinesis and table, from what was read of the shards and of the batches: expected figures by hand."""

from __future__ import annotations

import json

import pytest

from include.lake.stream_counts import (
    StreamBatch,
    accounted_for,
    batches_query,
    kinesis_entry,
    owners,
    spans,
    table_entry,
)
from include.ledger.entry import Entry
from include.ledger.verdict import Finding, reconcile
from include.positions.kinesis import ShardRange
from include.settings import Ledger

A, B, C = (f"shardId-{number:012d}" for number in range(3))
ANY = Ledger(max_refused_share=1, max_quarantined_share=1)
SOURCE = "streaming-0e36c8cd403d-pin"


def holds(shard_id: str, *numbers: int) -> ShardRange:
    return ShardRange.of(shard_id, numbers)


def batch(number: int, shards: dict[str, tuple[int, int, int]], run_id: str = "r", **outcomes: int) -> StreamBatch:
    """``shards``: first, last, records. What has no outcome is inserted."""
    records = sum(one[2] for one in shards.values())
    figures = {"updated": 0, "superseded": 0, "quarantined": 0, **outcomes}
    inserted = records - sum(figures.values())
    held = [{"shard_id": s, "first": str(f), "last": str(t), "records": n} for s, (f, t, n) in shards.items()]
    row = [SOURCE, "q", number, records, inserted, *figures.values(), json.dumps(held), run_id]
    return StreamBatch.of_row([str(value) for value in row])


def finding(*entries: Entry) -> Finding:
    hops = tuple(entry.hop for entry in entries)
    verdict = reconcile(entries, "r", hops={"stream": hops}, entities=("pin",), limits=ANY)
    return verdict.finding("stream", "pin", hops[-1])


def kinesis(posted, found) -> Entry:
    return kinesis_entry("r", "pin", posted, found)


def table(posted, handed_on, batches, records: dict[str, list[int]]) -> Entry:
    """``records`` are the sequence numbers that Kinesis holds, by shard."""

    def within(of):
        counted = {}
        for shard_id, ranges in of.items():
            inside = [n for n in records.get(shard_id, []) if any(first <= n <= last for first, last in ranges)]
            counted[shard_id] = ShardRange.of(shard_id, inside) if inside else None
        return counted

    return table_entry(
        "r",
        "pin",
        posted,
        handed_on,
        batches,
        in_spans=within(spans(posted, batches)),
        in_run=within({one.shard_id: [one.span] for one in posted}),
    )


def test_everything_that_was_acknowledged_is_there():
    entry = kinesis([holds(A, 10, 12, 19), holds(B, 3)], {A: holds(A, 10, 12, 19), B: holds(B, 3)})

    assert (entry.records_in, entry.records_out, entry.extra, entry.positions) == (4, 4, 0, ())
    assert (entry.first, entry.last) == (f"{A}@10", f"{B}@3")
    assert finding(entry).status == "reconciled"


def test_others_records_in_between_are_extra():
    entry = kinesis([holds(A, 10, 19)], {A: holds(A, 10, 11, 12, 19)})

    assert (entry.records_in, entry.records_out, entry.extra) == (2, 4, 2)
    assert finding(entry).status == "reconciled"


@pytest.mark.parametrize(
    ("found", "lost", "position"),
    [
        (None, 4, f"{A}@10-19"),
        (holds(A, 17, 19), 2, f"{A}@10-16"),
        (holds(A, 10, 12), 2, f"{A}@13-19"),
        (holds(A, 10, 12, 19), 1, f"{A}@10-19"),
    ],
    ids=["the shard is gone", "the oldest have expired", "the end is missing", "one in the middle"],
)
def test_what_is_not_there_is_lost_with_its_range(found, lost, position):
    entry = kinesis([holds(A, 10, 12, 17, 19)], {A: found})

    assert finding(entry).status == "lost"
    assert finding(entry).records == lost
    assert entry.positions == (position,)


def test_another_shards_extra_does_not_make_up_for_a_loss():
    entry = kinesis([holds(A, 10, 11, 12), holds(B, 5, 9)], {A: holds(A, 11, 12), B: holds(B, 5, 7, 9)})

    assert (entry.records_in, entry.records_out, entry.extra) == (5, 5, 1)
    assert (finding(entry).status, finding(entry).records) == ("lost", 1)
    assert entry.positions == (f"{A}@10",)


def test_as_many_records_that_are_not_the_same_are_a_loss():
    entry = kinesis([holds(A, 10, 12, 19)], {A: holds(A, 10, 13, 19)})

    assert (finding(entry).status, finding(entry).records) == ("lost", 1)
    assert entry.positions == (f"{A}@10-19",)


def test_a_run_that_posted_nothing_balances():
    assert finding(kinesis([], {}), table([], 0, [], {})).status == "reconciled"


def test_a_batch_that_holds_just_the_run():
    posted = [holds(A, 10, 12, 19)]
    entry = table(posted, 3, [batch(7, {A: (10, 19, 3)}, updated=1, quarantined=1)], {A: [10, 12, 19]})

    assert (entry.records_in, entry.extra, entry.records_out, entry.quarantined) == (3, 0, 2, 1)
    assert finding(kinesis(posted, {A: holds(A, 10, 12, 19)}), entry).status == "reconciled"


def test_others_records_of_the_same_batches_are_extra():
    posted = [holds(A, 10, 19)]
    batches = [batch(7, {A: (3, 12, 3), B: (1, 2, 2)}), batch(8, {A: (15, 30, 3)}, superseded=2)]
    entry = table(posted, 4, batches, {A: [3, 10, 12, 15, 19, 30], B: [1, 2]})

    assert (entry.records_in, entry.extra, entry.records_out, entry.duplicates) == (4, 4, 6, 2)
    assert entry.positions == ()
    assert finding(entry).status == "reconciled"


def test_a_batch_in_between_without_any_record_of_the_run_does_not_count():
    """Shard B of batches 7 and 9 is read, and what batch 8 has of it, between them, is none of the run's business."""
    posted = [holds(A, 10, 19)]
    batches = [batch(7, {A: (10, 10, 1), B: (1, 2, 2)}), batch(9, {A: (19, 19, 1), B: (8, 9, 2)})]
    entry = table(posted, 2, batches, {A: [10, 19], B: [1, 2, 4, 5, 8, 9]})

    assert (entry.extra, entry.records_out) == (4, 6)


def test_parent_and_children_of_a_split_shard_are_counted_like_any_other():
    posted = [holds(A, 10, 11), holds(B, 20, 22), holds(C, 21)]
    batches = [batch(1, {A: (10, 11, 2)}), batch(2, {B: (20, 22, 2), C: (21, 21, 1)})]
    found = {A: holds(A, 10, 11), B: holds(B, 20, 22), C: holds(C, 21)}
    entry = table(posted, 5, batches, {A: [10, 11], B: [20, 22], C: [21]})

    assert finding(kinesis(posted, found), entry).status == "reconciled"


@pytest.mark.parametrize(
    ("batches", "lost", "positions"),
    [
        ([], 3, (f"{A}@10-19",)),
        ([batch(1, {A: (10, 12, 2)})], 1, (f"{A}@13-19",)),
        ([batch(1, {A: (19, 19, 1)})], 2, (f"{A}@10-18",)),
        ([batch(1, {A: (10, 10, 1)}), batch(2, {A: (19, 19, 1)})], 1, ()),
    ],
    ids=["no batch", "the end", "the beginning", "between two batches"],
)
def test_what_no_batch_holds_is_lost_with_its_range(batches, lost, positions):
    posted = [holds(A, 10, 12, 19)]
    entry = table(posted, 3, batches, {A: [10, 12, 19]})
    found = finding(kinesis(posted, {A: posted[0]}), entry)

    assert (found.status, found.records, entry.positions) == ("lost", lost, positions)


def test_records_that_expired_before_they_were_read_are_lost_whoever_else_is_in_the_batch():
    """10 and 12 were there when the shards were counted, and gone when the lake came."""
    posted = [holds(A, 10, 12, 19)]
    entry = table(posted, 3, [batch(1, {A: (19, 30, 4)})], {A: [19, 24, 25, 30]})
    found = finding(kinesis(posted, {A: posted[0]}), entry)

    assert (found.status, found.records, entry.positions) == ("lost", 2, (f"{A}@10-18",))


def test_a_record_that_is_in_two_batches_is_told():
    posted = [holds(A, 10, 12, 19)]
    entry = table(posted, 3, [batch(1, {A: (10, 12, 2)}), batch(2, {A: (12, 19, 2)}, superseded=1)], {A: [10, 12, 19]})
    found = finding(kinesis(posted, {A: posted[0]}), entry)

    assert (found.status, found.records) == ("duplicated", 1)


def test_what_cannot_be_counted_any_more_is_not_called_a_duplicate():
    """The batch held 3 and 4 of others, which have expired since."""
    entry = table([holds(A, 10, 19)], 2, [batch(1, {A: (3, 19, 4)})], {A: [10, 19]})

    assert entry.extra is None
    assert A in entry.counted_by
    assert finding(entry).status == "unverified"


def test_without_the_hop_before_nothing_is_proven():
    entry = table([holds(A, 10)], None, [batch(1, {A: (10, 10, 1)})], {A: [10]})

    assert (entry.records_in, finding(entry).status) == (None, "unverified")


def test_the_query_orders_sequence_numbers_as_numbers():
    query = batches_query("c.s.stream_batches", {SOURCE: [ShardRange.of(A, [9, 10**56])], "other": []}, "r's")

    assert "FROM c.s.stream_batches WHERE" in query
    assert f"source = '{SOURCE}'" in query
    assert r"(source = 'other' AND (run_id = 'r\'s'))" in query
    assert f"lpad(s.last, 64, '0') >= '{'0' * 63}9'" in query
    assert f"lpad(s.first, 64, '0') <= '{'0' * 7}1{'0' * 56}'" in query


def test_without_data_streams_the_query_has_no_rows():
    assert " WHERE false " in batches_query("c.s.stream_batches", {}, "r")


LEFT = batch(1, {A: (1, 4, 4)})
OWN = batch(2, {A: (10, 19, 2)})
LATER = batch(3, {A: (30, 31, 2)})


def test_what_an_earlier_run_left_is_extra_of_the_run_that_committed_it():
    posted = [holds(A, 10, 19)]
    batches = accounted_for("r", posted, [LEFT, OWN, LATER], job_goes_on=False)
    entry = table(posted, 2, batches, {A: [1, 2, 3, 4, 10, 19, 30, 31]})

    assert batches == [LEFT, OWN, LATER]
    assert (entry.records_in, entry.extra, entry.records_out) == (2, 6, 8)
    assert finding(kinesis(posted, {A: holds(A, 10, 19)}), entry).status == "reconciled"


def test_of_a_job_that_goes_on_later_batches_are_later_runs():
    assert accounted_for("r", [holds(A, 10, 19)], [LEFT, OWN, LATER], job_goes_on=True) == [LEFT, OWN]
    assert accounted_for("r", [], [LEFT, OWN, LATER], job_goes_on=True) == []


def test_batches_of_others_count_only_where_they_hold_the_runs_records():
    others = [batch(n, {A: span}, run_id="other") for n, span in enumerate([(1, 4, 4), (10, 12, 2), (19, 30, 2)])]

    assert accounted_for("r", [holds(A, 12, 19)], others, job_goes_on=False) == others[1:]


@pytest.mark.parametrize(
    ("others", "told"),
    [
        ({"run 0": [holds(A, 1, 2, 3, 4)]}, ("4 of run 0", "2 of other producers")),
        ({"run 0": [holds(A, 1, 2, 3, 4)], "run 9": [holds(A, 30, 31)]}, ("4 of run 0", "2 of run 9")),
        ({"run 0": [holds(A, 1, 2, 5)]}, ("some of run 0",)),
        ({"run 0": [holds(A, 11, 12)]}, ("some of run 0",)),
        ({"run 0": [holds(B, 1, 2)], "run 9": [holds(A, 50)]}, ()),
        ({}, ()),
    ],
    ids=["others beside", "all known", "beyond a span", "between the run's own", "elsewhere", "nothing known"],
)
def test_whose_the_extra_records_are(others, told):
    assert owners(6, {A: [(1, 4), (10, 19), (30, 31)]}, [holds(A, 10, 19)], others) == told
