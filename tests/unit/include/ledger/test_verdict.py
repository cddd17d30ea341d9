"""The verdict on hand-made runs: what was lost, doubled or not counted, and where."""

from __future__ import annotations

import random

import pytest

from include.ledger.entry import HOPS
from include.ledger.verdict import SEVERITY, LedgerDocument, Status, reconcile
from include.settings import ENTITIES, Ledger
from tests.unit.include.ledger.balanced_run import LIMITS, RUN, entry, run_with


def judge(entries, **changed):
    return reconcile(entries, RUN, **{"limits": LIMITS, **changed})


def test_a_run_that_balances_is_reconciled():
    verdict = judge(run_with())

    assert verdict.reconciled
    assert len(verdict.findings) == (7 + 4 + 2) * 3


def test_a_lost_object_is_named_with_its_positions():
    lost = entry("landed", "geo", records_out=90, positions=("p1@40-46",))

    verdict = judge(run_with(lost))

    found = verdict.finding("batch", "geo", "landed")
    assert (found.status, found.records, found.positions) == (Status.LOST, 7, ("p1@40-46",))
    assert str(found).startswith("batch: geo at hop landed: lost at p1@40-46: 7 lost inside the hop")
    assert verdict.finding("batch", "pin", "landed").status is Status.RECONCILED


def test_what_a_replay_leaves_is_no_excess():
    """It was refused before, and the run before was judged by it."""
    all_stay = entry("chosen", "pin", "replay", records_out=0, quarantined=20)

    assert judge(
        run_with(all_stay, entry("replayed", "pin", "replay", records_in=0, records_out=0, duplicates=0))
    ).reconciled


def test_a_replayed_record_that_the_lake_does_not_hold_is_lost():
    lost = judge(run_with(entry("replayed", "geo", "replay", records_out=8))).finding("replay", "geo", "replayed")

    assert (lost.status, lost.records) == (Status.LOST, 1)


def test_a_doubled_record_is_named_with_its_position():
    doubled = entry("bronze", "user", records_out=98, positions=("p0@12",))

    verdict = judge(run_with(doubled))

    found = verdict.finding("batch", "user", "bronze")
    assert (found.status, found.records, found.positions) == (Status.DUPLICATED, 1, ("p0@12",))
    assert verdict.status is Status.LOST  # one more than bronze handed on is one that silver did not get


def test_loss_between_two_hops():
    verdict = judge(run_with(entry("silver", records_in=90, records_out=79)))

    found = verdict.finding("batch", "pin", "silver")
    assert (found.status, found.records) == (Status.LOST, 7)
    assert "97 handed on by bronze, 90 received" in found.explanation


def test_gold_must_see_the_whole_table_and_not_only_the_run():
    verdict = judge(run_with(entry("gold", records_in=499, records_out=497)))

    found = verdict.finding("batch", "pin", "gold")
    assert (found.status, found.records) == (Status.LOST, 1)
    assert "500 rows in silver's table, 499 received" in found.explanation


def test_a_hop_without_an_entry_is_unverified_and_so_is_the_input_of_the_next():
    verdict = judge(run_with(without=[("topic", "geo")]))

    assert verdict.status is Status.UNVERIFIED
    assert [(f.hop, f.entity) for f in verdict.failures] == [("topic", "geo"), ("landed", "geo")]


@pytest.mark.parametrize(
    ("name", "count"),
    [("records_in", None), ("records_out", None), ("duplicates", None), ("quarantined", None), ("unmatched", None)],
)
def test_a_count_that_could_not_be_taken_is_never_zero(name, count):
    verdict = judge(run_with(entry("gold", "user", **{name: count})))

    found = verdict.finding("batch", "user", "gold")
    assert found.status is Status.UNVERIFIED
    assert name in found.explanation


def test_an_entry_of_another_run_does_not_count():
    foreign = entry("api").model_copy(update={"run_id": "manual__0"})

    verdict = judge(run_with(foreign))

    assert verdict.finding("batch", "pin", "api").status is Status.UNVERIFIED
    assert "manual__0" in verdict.finding("batch", "pin", "api").explanation


def test_two_entries_for_one_place_are_trusted_no_more_than_none():
    verdict = judge([*run_with(), entry("api")])

    assert verdict.finding("batch", "pin", "api").status is Status.UNVERIFIED


def test_a_loss_and_a_repeat_of_the_same_size_do_not_hide_each_other():
    verdict = judge(run_with(entry("bronze", records_in=96, records_out=97)))

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

    assert not judge(run_with(entry(hop, entity, route, **{name: good + change}))).reconciled


def test_one_path_is_no_proof_of_the_other():
    lost = entry("table", "geo", "stream", records_out=89)
    entries = run_with(lost)

    assert judge(entries).finding("stream", "geo", "table").status is Status.LOST
    assert judge(entries, hops={"batch": HOPS["batch"]}).reconciled
    assert not judge([one for one in entries if one.route == "batch"]).reconciled


def test_no_entries_at_all_is_no_success():
    assert reconcile([], RUN).status is Status.UNVERIFIED


def lines(entries, *failed_tasks, **changed):
    verdict = judge(entries, **changed)
    document = LedgerDocument(
        dag_id="d", run_id=RUN, written_at="now", verdict=verdict, entries=tuple(entries), failed_tasks=failed_tasks
    )
    return document.failure_lines


NOTHING = {"records_out": 0, "duplicates": 0}


def test_an_empty_source_table_is_told_once_with_the_reason():
    reason = "no_source_row: geolocation_data has no row ind=5730"
    behind = {
        "records_in": 0,
        "records_out": 0,
        "extra": 0,
        "duplicates": 0,
        "quarantined": 0,
        "refused": 0,
        "stored": 0,
    }
    behind |= {"unmatched": 0}
    unmatched = [entry("gold", entity, records_out=0, unmatched=500) for entity in ("pin", "user")]
    entries = run_with(
        entry("source", "geo", records_out=0, refused=100, reason=reason),
        *(entry(hop, "geo", **behind) for hop in HOPS["batch"][1:]),
        *unmatched,
    )

    assert judge(entries).status is Status.NOTHING_PASSED
    (line,) = lines(entries)
    assert line.startswith(
        "batch: geo at hop source: nothing passed: none of 100 came through: 100 refused (most often"
    )
    assert reason in line


@pytest.mark.parametrize(
    ("hop", "route", "counts"),
    [
        ("api", "batch", {"records_out": 0, "refused": 100}),
        ("landed", "batch", {"records_out": 0, "extra": 0, "duplicates": 0, "quarantined": 101}),
        ("silver", "batch", {**NOTHING, "quarantined": 97}),
        ("table", "stream", {**NOTHING, "quarantined": 103}),
    ],
)
def test_nothing_passed_whatever_the_shares_allow(hop, route, counts):
    allowed = Ledger(max_refused_share=1, max_quarantined_share=1)
    verdict = judge(run_with(entry(hop, "geo", route, **counts)), limits=allowed)

    assert verdict.finding(route, "geo", hop).status is Status.NOTHING_PASSED
    assert verdict.finding(route, "pin", hop).status is Status.RECONCILED


@pytest.mark.parametrize(("hop", "route", "records"), [("silver", "batch", 97), ("table", "stream", 103)])
def test_a_replay_whose_records_are_all_duplicates_passes(hop, route, records):
    replay = entry(hop, "pin", route, records_out=0, duplicates=records, quarantined=0)

    assert judge(run_with(replay)).reconciled


def test_a_run_that_was_given_nothing_passes():
    empty = dict.fromkeys(
        ("records_in", "extra", "records_out", "duplicates", "quarantined", "refused", "unmatched"), 0
    )

    assert judge(
        [entry(hop, "pin", **empty, stored=0) for hop in HOPS["batch"]],
        entities=("pin",),
        hops={"batch": HOPS["batch"]},
    ).reconciled


def test_rows_without_any_partner_are_told_if_nothing_else_is():
    line, *more = lines(run_with(entry("gold", records_out=0, unmatched=500)))

    assert line == "batch: pin at hop gold: nothing passed: none of 500 came through: 500 without a partner"
    assert more == []


def test_too_many_refused_names_counts_share_setting_and_reason():
    refused = [entry("source", records_out=99, refused=1), entry("api", records_in=99, records_out=98, refused=1)]
    entries = run_with(*(one.model_copy(update={"reason": f"4220{n}: bad"}) for n, one in enumerate(refused)))

    assert judge(entries).reconciled
    (line,) = lines(
        entries,
        limits=Ledger(max_refused_share=0.015, max_quarantined_share=0.1),
        hops={"batch": HOPS["batch"]},
        entities=("pin",),
    )
    assert line.startswith(
        "batch: pin at hop source: too many refused: 2 of 100 records were refused, 2 %; ledger.max_refused_share "
        "allows 1.5 % (most often 42200: bad). Correct what is refused, or raise it."
    )


def test_too_many_quarantined_counts_dead_letters_silver_and_others_records():
    (line,) = lines(run_with(), limits=Ledger(max_refused_share=1), hops={"batch": HOPS["batch"]}, entities=("geo",))

    assert line.startswith(
        "batch: geo at hop silver: too many quarantined: 10 of 101 records (3 of all are of earlier runs or other "
        "producers) are in quarantine, 9.9 %; ledger.max_quarantined_share allows 1 %."
    )
    assert "from quarantine where stream = 'geo'" in line


@pytest.mark.parametrize("allowed", [0.0, 0.01, 0.07, 0.1, 0.29, 1.0])
@pytest.mark.parametrize("seed", range(25))
def test_a_share_is_too_large_exactly_beyond_what_is_allowed(seed, allowed):
    records = random.Random(seed).choice([1, 7, 100, 300, 2900, 100_000])
    for aside in {0, 1, round(records * allowed), round(records * allowed) + 1}:
        if aside >= records:
            continue
        taken = {"records_in": records, "extra": 0, "records_out": records - aside, "duplicates": 0}
        for hop, route, name in (("api", "batch", "refused"), ("table", "stream", "quarantined")):
            one = entry(hop, "pin", route, **{**taken, "refused": 0, "quarantined": 0, name: aside})
            limits = Ledger(max_refused_share=allowed, max_quarantined_share=allowed)
            verdict = reconcile([one], RUN, limits=limits, hops={route: (hop,)}, entities=("pin",))
            assert verdict.reconciled == (aside * 100 <= round(allowed * 100) * records), (aside, records)


def test_what_did_not_balance_is_worse_than_what_was_left_aside():
    assert SEVERITY[-3:] == (Status.DUPLICATED, Status.LOST, Status.UNVERIFIED)
    lost = entry("silver", "geo", records_out=40, quarantined=50)
    found = judge(run_with(lost)).finding("batch", "geo", "silver")

    assert (found.status, found.records) == (Status.LOST, 2)
    assert "54 of 101 records" in found.explanation


def test_hops_behind_a_failed_task_are_told_in_one_line():
    entries = run_with(without=[(hop, entity) for hop in HOPS["batch"][3:] for entity in ENTITIES])

    assert lines(entries, "batch.landing.objects", "stream.posting_stream.post") == (
        "batch: pin, geo and user at hops landed, bronze, silver and gold: unverified: not counted, because "
        "batch.landing.objects failed",
    )


def test_the_first_cause_comes_before_what_follows_from_it():
    lost = entry("landed", "geo", records_out=90, positions=tuple(f"p0@{n}" for n in range(7)))
    entries = run_with(lost, without=[(hop, entity) for hop in HOPS["batch"][4:] for entity in ENTITIES])

    first, second = lines(entries)
    assert first.startswith("batch: geo at hop landed: lost at p0@0, p0@1, p0@2, p0@3, p0@4 and more: 7 lost inside")
    assert second.endswith(
        "at hops bronze, silver and gold: unverified: not counted, because hop landed is not in order"
    )


def test_a_run_that_counted_nothing_takes_a_line_for_each_route():
    told = lines([])

    assert [line.split(":")[0] for line in told] == ["batch", "stream", "replay"]
    assert all("because the task that counts it failed or did not run" in line for line in told)
