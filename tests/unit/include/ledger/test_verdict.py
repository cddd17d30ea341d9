"""The verdict on hand-made runs: what was lost, doubled or not counted, and where."""

from __future__ import annotations

import random

import pytest

from include.ledger.entry import HOPS
from include.ledger.verdict import Status, reconcile
from include.settings import ENTITIES
from tests.unit.include.ledger.balanced_run import RUN, entry, run_with


def test_a_run_that_balances_is_reconciled():
    verdict = reconcile(run_with(), RUN)

    assert verdict.reconciled
    assert len(verdict.findings) == (7 + 4) * 3


def test_a_lost_object_is_named_with_its_positions():
    lost = entry("landed", "geo", records_out=90, positions=("p1@40-46",))

    verdict = reconcile(run_with(lost), RUN)

    found = verdict.finding("batch", "geo", "landed")
    assert (found.status, found.records, found.positions) == (Status.LOST, 7, ("p1@40-46",))
    assert str(found).startswith("batch: geo at hop landed: lost at p1@40-46: 7 lost inside the hop")
    assert verdict.finding("batch", "pin", "landed").status is Status.RECONCILED


def test_a_doubled_record_is_named_with_its_position():
    doubled = entry("bronze", "user", records_out=98, positions=("p0@12",))

    verdict = reconcile(run_with(doubled), RUN)

    found = verdict.finding("batch", "user", "bronze")
    assert (found.status, found.records, found.positions) == (Status.DUPLICATED, 1, ("p0@12",))
    assert verdict.status is Status.LOST  # one more than bronze handed on is one that silver did not get


def test_loss_between_two_hops():
    verdict = reconcile(run_with(entry("silver", records_in=90, records_out=79)), RUN)

    found = verdict.finding("batch", "pin", "silver")
    assert (found.status, found.records) == (Status.LOST, 7)
    assert "97 handed on by bronze, 90 received" in found.explanation


def test_gold_must_see_the_whole_table_and_not_only_the_run():
    verdict = reconcile(run_with(entry("gold", records_in=499, records_out=497)), RUN)

    found = verdict.finding("batch", "pin", "gold")
    assert (found.status, found.records) == (Status.LOST, 1)
    assert "500 rows in silver's table, 499 received" in found.explanation


def test_a_hop_without_an_entry_is_unverified_and_so_is_the_input_of_the_next():
    verdict = reconcile(run_with(without=[("topic", "geo")]), RUN)

    assert verdict.status is Status.UNVERIFIED
    assert [(f.hop, f.entity) for f in verdict.failures] == [("topic", "geo"), ("landed", "geo")]


@pytest.mark.parametrize(
    ("name", "count"),
    [("records_in", None), ("records_out", None), ("duplicates", None), ("quarantined", None), ("unmatched", None)],
)
def test_a_count_that_could_not_be_taken_is_never_zero(name, count):
    verdict = reconcile(run_with(entry("gold", "user", **{name: count})), RUN)

    found = verdict.finding("batch", "user", "gold")
    assert found.status is Status.UNVERIFIED
    assert name in found.explanation


def test_an_entry_of_another_run_does_not_count():
    foreign = entry("api").model_copy(update={"run_id": "manual__0"})

    verdict = reconcile(run_with(foreign), RUN)

    assert verdict.finding("batch", "pin", "api").status is Status.UNVERIFIED
    assert "manual__0" in verdict.finding("batch", "pin", "api").explanation


def test_two_entries_for_one_place_are_trusted_no_more_than_none():
    verdict = reconcile([*run_with(), entry("api")], RUN)

    assert verdict.finding("batch", "pin", "api").status is Status.UNVERIFIED


def test_a_loss_and_a_repeat_of_the_same_size_do_not_hide_each_other():
    verdict = reconcile(run_with(entry("bronze", records_in=96, records_out=97)), RUN)

    found = verdict.finding("batch", "pin", "bronze")
    assert found.status is Status.LOST
    assert "1 too many inside the hop" in found.explanation


@pytest.mark.parametrize("seed", range(200))
def test_no_single_change_of_a_count_passes(seed):
    draw = random.Random(seed)
    route, entity = draw.choice([*HOPS]), draw.choice(ENTITIES)
    hop = draw.choice(HOPS[route])
    name = draw.choice(["records_in", "extra", "records_out", "duplicates", "quarantined", "refused", "unmatched"])
    good = getattr(entry(hop, entity, route), name)
    change = draw.choice([1, 7, -1]) if good else draw.choice([1, 7])

    assert not reconcile(run_with(entry(hop, entity, route, **{name: good + change})), RUN).reconciled


def test_one_path_is_no_proof_of_the_other():
    lost = entry("table", "geo", "stream", records_out=89)
    entries = run_with(lost)

    assert reconcile(entries, RUN).finding("stream", "geo", "table").status is Status.LOST
    assert reconcile(entries, RUN, hops={"batch": HOPS["batch"]}).reconciled
    assert not reconcile([one for one in entries if one.route == "batch"], RUN).reconciled


def test_no_entries_at_all_is_no_success():
    assert reconcile([], RUN).status is Status.UNVERIFIED
