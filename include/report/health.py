"""Whether a route moves: its last run's counts in, a state out. That a part says RUNNING proves nothing here.

Pure. It sees what runs have counted, and whether Airflow says that a run goes on; no more. What is on a topic or in a
shard now is known only as of the last count, and nobody asks a connector or a job for its state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from include.bucket_layout import REPLAY_DAG
from include.ledger.entry import HOPS, Entry, Hop, Route
from include.ledger.shares import given
from include.settings import ENTITIES

PATIENCE = timedelta(minutes=35)
"""How long a run may count nothing: a task has 30 minutes for most of what it does."""

CADENCE: dict[Route, timedelta] = {"batch": timedelta(hours=26), "stream": timedelta(minutes=95)}
"""How long a count stays recent: a day, or an hour, with the time that a run takes."""

RUN_BY: dict[Hop, tuple[str, ...]] = {
    "source": ("posting.post", "posting_stream.post"),
    "api": ("posting.post", "posting_stream.post", "rest_api"),
    "topic": ("rest_proxy", "topics"),
    "landed": ("s3_sink",),
    "bronze": ("lake_batch.job.load",),
    "silver": ("lake_batch.job",),
    "gold": ("lake_batch.job.analyses",),
    "kinesis": ("data_streams",),
    "table": ("lake_stream.job",),
}
"""The stages and tasks that move a hop's records. Others only look: ``landing.objects`` waits for the sink."""

HOLDS: dict[Route, Hop] = {"batch": "topic", "stream": "kinesis"}
LAKE: dict[Route, Hop] = {"batch": "silver", "stream": "table", "replay": "replayed"}
JUDGED = tuple(HOLDS)
"""A replay is no route that records take by themselves."""


class State(StrEnum):
    MOVING = "moving"
    IDLE = "idle"
    STALLED = "stalled"
    LYING = "lying"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class SeenRun:
    """A run as Airflow and its documents show it. ``state`` is Airflow's: queued, running, success, failed."""

    dag_id: str
    run_id: str
    state: str
    started_at: datetime | None
    entries: tuple[Entry, ...] = ()
    failed_tasks: tuple[str, ...] = ()

    @property
    def goes_on(self) -> bool:
        return self.state in ("queued", "running")

    def of(self, route: Route) -> list[Entry]:
        return [one for one in self.entries if one.route == route]

    def counted(self, route: Route, hop: Hop) -> dict[str, Entry]:
        return {one.entity: one for one in self.of(route) if one.hop == hop}

    def last_counted(self, route: Route) -> datetime | None:
        return max((datetime.fromisoformat(one.counted_at) for one in self.of(route)), default=None)


@dataclass(frozen=True)
class Health:
    """``hop`` is where records stand still, if they do. ``because`` is a sentence."""

    route: Route
    state: State
    because: str
    hop: Hop | None = None


@dataclass(frozen=True)
class Freshness:
    """How new the lake is; None is unknown.

    ``lake_at`` is when a run counted the lake last, and ``took`` the time from that run's count of the source until
    then. ``waiting`` records were held before the lake, by the last run that counted anything, and are not accounted
    for in it.
    """

    route: Route
    lake_at: datetime | None
    waiting: int | None
    took: timedelta | None


def health(route: Route, runs: Sequence[SeenRun], now: datetime) -> Health:
    """Judge a route.

    - ``moving``: the last run handed records through every hop, not long ago, or goes on and has counted just now.
    - ``idle``: all that the last run was given is accounted for, and nothing has come since, or nothing was given.
    - ``stalled``: records wait at a hop, and a task that moves them failed, or nothing was counted there.
    - ``lying``: records wait at a hop that was counted and has taken none of them, while nothing that moves them
      failed: it says that it runs, and stands still.
    - ``unknown``: no run has counted anything.

    :param runs: newest first
    """
    run = _last(route, runs)
    if run is None:
        return Health(route, State.UNKNOWN, "No run has counted anything on this route.")
    return _standing(route, run) or _uncounted(route, run, now) or _whole(route, run, now)


def freshness(route: Route, runs: Sequence[SeenRun]) -> Freshness:
    """:param runs: newest first"""
    last = _last(route, runs)
    waiting = _waiting(route, last) if last else None
    reached = next((one for one in runs if one.counted(route, LAKE[route])), None)
    if reached is None:
        return Freshness(route, None, waiting, None)
    begun, ended = _at(reached.counted(route, "source")), _at(reached.counted(route, LAKE[route]))
    return Freshness(route, ended, waiting, ended - begun if begun and ended else None)


def _last(route: Route, runs: Sequence[SeenRun]) -> SeenRun | None:
    """The last run that has counted anything; a replay loads what was there before."""
    return next((one for one in runs if one.of(route) and one.dag_id != REPLAY_DAG), None)


def _standing(route: Route, run: SeenRun) -> Health | None:
    """The first hop that was counted and accounts for nothing of what it was given, of an entity at least."""
    for hop in HOPS[route]:
        still = {
            entity: waiting
            for entity, entry in run.counted(route, hop).items()
            if (waiting := given(entry)) and _accounted(entry) == 0
        }
        if not still:
            continue
        records = f"{sum(still.values()):,} records of {', '.join(still)} wait before hop {hop}, which took none"
        failed = _movers_failed(hop, run)
        if failed:
            return Health(route, State.STALLED, f"{records}; {', '.join(failed)} failed.", hop)
        return Health(route, State.LYING, f"{records}, though nothing that moves them has failed.", hop)
    return None


def _uncounted(route: Route, run: SeenRun, now: datetime) -> Health | None:
    hops = HOPS[route]
    missing = next((hop for hop in hops if len(run.counted(route, hop)) < len(ENTITIES)), None)
    if missing is None:
        return None
    waiting = _handed_on(route, run, hops[hops.index(missing) - 1]) if missing != hops[0] else None
    wait = "How many records wait there is not known" if waiting is None else f"{waiting:,} records wait there"
    last = run.last_counted(route) or run.started_at
    if run.goes_on and last is not None and now - last <= PATIENCE:
        return Health(route, State.MOVING, f"A run goes on; hop {missing} is next, and was not counted yet.")
    if run.goes_on:
        since = f"since {last:%Y-%m-%d %H:%M} UTC" if last else "at all"
        return Health(route, State.STALLED, f"A run goes on, and has counted nothing {since}. {wait}.", missing)
    failed = _movers_failed(missing, run) or run.failed_tasks
    why = f"{', '.join(failed)} failed" if failed else "the run ended before"
    return Health(route, State.STALLED, f"Hop {missing} was not counted: {why}. {wait}.", missing)


def _whole(route: Route, run: SeenRun, now: datetime) -> Health:
    last = run.last_counted(route)
    assert last is not None, "a run with entries"
    came = sum(given(entry) or 0 for entry in run.counted(route, HOLDS[route]).values())
    if not came:
        return Health(route, State.IDLE, "The last run was given nothing.")
    if now - last > CADENCE[route]:
        return Health(route, State.IDLE, f"Nothing has come since {last:%Y-%m-%d %H:%M} UTC.")
    return Health(route, State.MOVING, f"The last run's {came:,} records went through every hop.")


def _movers_failed(hop: Hop, run: SeenRun) -> tuple[str, ...]:
    return tuple(task for task in run.failed_tasks if any(f".{name}." in f".{task}." for name in RUN_BY[hop]))


def _accounted(entry: Entry) -> int | None:
    counts = (entry.records_out, entry.duplicates, entry.quarantined, entry.refused, entry.unmatched)
    return None if None in counts else sum(count or 0 for count in counts)


def _handed_on(route: Route, run: SeenRun, hop: Hop) -> int | None:
    counts = [entry.records_out for entry in run.counted(route, hop).values()]
    return sum(count or 0 for count in counts) if counts and None not in counts else None


def _waiting(route: Route, run: SeenRun) -> int | None:
    """Records that were held before the lake, less those that are accounted for in it or on the way to it."""
    held = _handed_on(route, run, HOLDS[route])
    if held is None:
        return None
    between = HOPS[route][HOPS[route].index(HOLDS[route]) + 1 : HOPS[route].index(LAKE[route])]
    aside = sum((one.quarantined or 0) for hop in between for one in run.counted(route, hop).values())
    lake = [max(0, (_accounted(one) or 0) - (one.extra or 0)) for one in run.counted(route, LAKE[route]).values()]
    return max(0, held - aside - sum(lake))


def _at(counted: Mapping[str, Entry]) -> datetime | None:
    return max((datetime.fromisoformat(one.counted_at) for one in counted.values()), default=None)
