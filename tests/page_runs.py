"""Runs of the pipeline as Airflow and the bucket remember them, for tests of the page "Pinterest pipeline"."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import product

from include import bucket_layout
from include.ledger.entry import HOPS, Entry, Hop, Route, entries_json
from include.ledger.verdict import LedgerDocument, reconcile
from include.settings import ENTITIES, Entity

POISON = "<script>alert('poison')</script>"
COUNTS: dict[tuple[Route, Hop], dict[str, int]] = {
    **{(route, hop): {"records_in": 500, "records_out": 500} for route in HOPS for hop in HOPS[route]},
    ("batch", "silver"): {"records_in": 500, "records_out": 469, "duplicates": 31, "stored": 963},
    ("batch", "gold"): {"records_in": 963, "records_out": 963},
    ("stream", "table"): {"records_in": 500, "records_out": 486, "duplicates": 14},
}
"""A run of 500 posts that reconciles."""


@dataclass
class StoredRun:
    """A run, its state in Airflow, and its documents by key. ``minutes`` is how long ago it began."""

    dag_id: str
    run_id: str
    state: str
    minutes: int
    documents: dict[str, bytes] = field(default_factory=dict)

    def started_at(self, now: datetime) -> datetime:
        return now - timedelta(minutes=self.minutes)


def counted(
    run_id: str,
    at: datetime,
    routes: tuple[Route, ...] = ("batch", "stream"),
    until: Hop | None = None,
    changes: Mapping[tuple[Hop, Entity], Mapping[str, int]] | None = None,
) -> list[Entry]:
    """The entries of a run, to the hop ``until`` of each route. A hop takes ten seconds."""
    entries = []
    for route in routes:
        hops = HOPS[route]
        last = hops.index(until) if until in hops else len(hops) - 1
        for number, hop in enumerate(hops[: last + 1]):
            for entity in ENTITIES:
                changed = (changes or {}).get((hop, entity), {})
                entries.append(
                    Entry(
                        route=route,
                        hop=hop,
                        entity=entity,
                        run_id=run_id,
                        counted_at=(at + timedelta(seconds=10 * number)).isoformat(timespec="seconds"),
                        counted_by="by hand",
                        **{**COUNTS[route, hop], **changed},
                    )
                )
    return entries


def reported(run: StoredRun, entries: list[Entry], failed: tuple[str, ...] = ()) -> StoredRun:
    """The run with its report."""
    hops = {route: HOPS[route] for route in HOPS if any(one.route == route for one in entries)}
    document = LedgerDocument(
        dag_id=run.dag_id,
        run_id=run.run_id,
        written_at=entries[-1].counted_at,
        verdict=reconcile(entries, run.run_id, hops=hops),
        entries=tuple(entries),
        failed_tasks=failed,
    )
    run.documents[bucket_layout.report_ledger(run.dag_id, run.run_id)] = document.model_dump_json().encode()
    page = f"<!doctype html><title>report</title><p>The report of {run.run_id}{POISON}"
    run.documents[bucket_layout.report(run.dag_id, run.run_id)] = page.encode()
    return run


def stored_runs(now: datetime) -> list[StoredRun]:
    """Newest first: a run that goes on, good ones, and one whose sink stood still."""
    going = StoredRun("pinterest_stream", "scheduled__going", "running", 2)
    for route, hop in product(("stream",), ("source", "api")):
        entries = [one for one in counted(going.run_id, now, (route,)) if one.hop == hop]
        going.documents[bucket_layout.ledger(going.dag_id, going.run_id, hop, route)] = entries_json(entries).encode()

    stream = StoredRun("pinterest_stream", "scheduled__last", "success", 17)
    reported(stream, counted(stream.run_id, stream.started_at(now), ("stream",)))

    still = StoredRun("pinterest_batch", "scheduled__still", "failed", 95)
    entries = counted(still.run_id, still.started_at(now), ("batch",), "landed")
    entries = [one.model_copy(update={"records_out": 0}) if one.hop == "landed" else one for one in entries]
    reported(still, entries, ("landing.objects",))
    letter = {"entity": "pin", "partition": 0, "offset": 12, "reason": "not_json_object", "message": "an array"}
    raw = base64.b64encode(POISON.encode()).decode()
    refused = [
        {"entity": "geo", "draw": n, "ind": n, "code": "42201", "message": "too long", "value": {"ind": n}}
        for n in (7, 8)
    ]
    still.documents[bucket_layout.dead_letters(still.dag_id, still.run_id)] = (
        json.dumps({**letter, "raw_base64": raw}) + "\n"
    ).encode()
    still.documents[bucket_layout.refused_rows(still.dag_id, still.run_id)] = "".join(
        f"{json.dumps(row)}\n" for row in refused
    ).encode()

    whole = StoredRun("pinterest_pipeline", "manual__whole", "success", 240)
    reported(whole, counted(whole.run_id, whole.started_at(now)))
    return [going, stream, still, whole]
