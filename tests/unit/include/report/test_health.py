"""What a route's last counts say of its health."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.ledger.entry import HOPS
from include.report.health import CADENCE, JUDGED, PATIENCE, RUN_BY, SeenRun, State, freshness, health
from include.settings import ENTITIES
from tests.page_runs import counted

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def seen(entries, state="success", failed=(), at=NOW - 5 * MINUTE):
    return SeenRun("pinterest_pipeline", "r", state, at, tuple(entries), failed)


def run(state="success", failed=(), at=NOW - 5 * MINUTE, **kwargs):
    return seen(counted("r", at, **kwargs), state, failed, at)


def judged(route, *runs):
    found = health(route, runs, NOW)
    return found.state, found.hop


def test_a_run_that_went_through_every_hop_moves():
    assert judged("batch", run()) == (State.MOVING, None)
    assert health("stream", [run()], NOW).because == "The last run's 1,500 records went through every hop."


@pytest.mark.parametrize("route", JUDGED)
def test_a_whole_run_becomes_idle_when_the_next_one_is_overdue(route):
    end = timedelta(seconds=10 * (len(HOPS[route]) - 1))
    at = NOW - CADENCE[route] - end

    assert judged(route, run(at=at)) == (State.MOVING, None)
    assert judged(route, run(at=at - MINUTE)) == (State.IDLE, None)


def test_a_replay_says_nothing_about_the_route():
    """It loads what was there before, and counts no source."""
    failed = run("failed", ("batch.lake_batch.job.load",), until="landed")
    replay = SeenRun("pinterest_replay", "manual__replay", "success", NOW, run(at=NOW).entries)

    assert health("batch", [replay, failed], NOW) == health("batch", [failed], NOW)
    assert health("batch", [replay], NOW).state == State.UNKNOWN


def test_a_run_that_was_given_nothing_is_idle():
    nothing = dict.fromkeys(("records_in", "records_out", "extra", "duplicates", "stored"), 0)
    changes = {(hop, entity): nothing for hop in HOPS["stream"] for entity in ENTITIES}

    assert judged("stream", run(changes=changes)) == (State.IDLE, None)


def test_duplicates_move():
    """A replay adds nothing, and its records have been to the end."""
    changes = {("table", entity): {"records_out": 0, "duplicates": 500} for entity in ENTITIES}

    assert judged("stream", run(changes=changes)) == (State.MOVING, None)


@pytest.mark.parametrize(
    ("hop", "failed", "state"),
    [
        ("landed", ("batch.landing.objects",), State.LYING),  # it only looks; the connector says that it runs
        ("landed", (), State.LYING),
        ("landed", ("provision.s3_sink.running", "batch.landing.objects"), State.STALLED),
        ("topic", ("rest_proxy",), State.STALLED),
        ("topic", ("batch.landing.consumer",), State.LYING),
        ("silver", ("batch.lake_batch.job.clean_pin",), State.STALLED),
    ],
)
def test_a_counted_hop_that_took_nothing_lies_unless_what_moves_it_failed(hop, failed, state):
    changes = {(hop, "geo"): {"records_out": 0, "duplicates": 0}}

    assert judged("batch", run("failed", failed, until=hop, changes=changes)) == (state, hop)


def test_it_says_how_many_wait_of_what():
    changes = {("table", entity): {"records_out": 0, "duplicates": 0} for entity in ("pin", "user")}

    assert health("stream", [run(changes=changes)], NOW).because == (
        "1,000 records of pin, user wait before hop table, which took none, though nothing that moves them has failed."
    )


def test_a_part_that_is_lost_is_the_verdicts_matter():
    assert judged("stream", run(changes={("table", "pin"): {"records_out": 3}})) == (State.MOVING, None)


@pytest.mark.parametrize(
    ("state", "ago", "expected"),
    [
        ("running", PATIENCE, State.MOVING),
        ("running", PATIENCE + MINUTE, State.STALLED),
        ("failed", 2 * MINUTE, State.STALLED),
        ("success", 2 * MINUTE, State.STALLED),
    ],
)
def test_a_hop_that_was_not_counted(state, ago, expected):
    """A run that goes on has time; one that has ended has none."""
    at = NOW - ago
    entries = [one for one in counted("r", at, ("stream",)) if one.hop == "source"]

    found = health("stream", [seen(entries, state, at=at)], NOW)

    assert (found.state, found.hop) == (expected, "api" if expected is State.STALLED else None)
    if state == "failed":
        assert found.because == "Hop api was not counted: the run ended before. 1,500 records wait there."


def test_what_failed_is_named():
    found = health("batch", [run("failed", ("batch.lake_batch.job.load",), routes=("batch",), until="landed")], NOW)

    assert found.because == "Hop bronze was not counted: batch.lake_batch.job.load failed. 1,500 records wait there."


def test_only_the_newest_run_of_the_route_counts():
    older = run(changes={("landed", "pin"): {"records_out": 0}})
    stream = run(routes=("stream",))

    assert judged("batch", stream, run(), older) == (State.MOVING, None)
    assert judged("batch", stream, older, run()) == (State.LYING, "landed")


def test_without_counts_nothing_is_known():
    waiting = SeenRun("pinterest_batch", "r", "running", NOW)

    assert judged("batch") == judged("batch", waiting) == (State.UNKNOWN, None)
    fresh = freshness("batch", [waiting])
    assert (fresh.lake_at, fresh.waiting, fresh.took) == (None, None, None)


def test_freshness():
    at = NOW - 5 * MINUTE
    fresh = freshness("batch", [run(at=at)])

    assert (fresh.lake_at, fresh.waiting, fresh.took) == (at + timedelta(seconds=50), 0, timedelta(seconds=50))


def test_the_lake_is_as_old_as_the_last_run_that_reached_it():
    stopped = run("failed", until="kinesis", routes=("stream",))
    fresh = freshness("stream", [stopped, run(at=NOW - 60 * MINUTE)])

    assert (fresh.lake_at, fresh.waiting, fresh.took) == (
        NOW - 60 * MINUTE + timedelta(seconds=30),
        1500,
        timedelta(seconds=30),
    )


def test_records_in_quarantine_do_not_wait():
    changes = {
        ("landed", "pin"): {"records_out": 490, "quarantined": 10},
        ("silver", "pin"): {"records_in": 490, "records_out": 480, "duplicates": 3, "quarantined": 7},
    }

    assert freshness("batch", [run(changes=changes)]).waiting == 0


def test_a_hop_that_cannot_be_counted_leaves_it_unknown():
    entries = [
        one.model_copy(update={"records_out": None}) if one.hop == "kinesis" else one for one in counted("r", NOW)
    ]

    assert freshness("stream", [seen(entries)]).waiting is None


def test_every_hop_is_moved_by_something():
    assert set(RUN_BY) == {hop for route in JUDGED for hop in HOPS[route]}
