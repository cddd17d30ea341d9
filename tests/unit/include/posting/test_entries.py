"""What posting counted, as the ledger sees it: the hops ``source`` and ``api``, of both routes."""

from __future__ import annotations

from include.ledger.verdict import reconcile
from include.posting.entries import posting_entries
from include.posting.progress import RefusedRow, Settled
from include.settings import Ledger
from tests.unit.include.posting.settled import LONG, A, B, acknowledged, new, refusal, settle, settled_progress


def test_both_hops_balance_with_missing_and_refused_rows():
    progress = new(posts=4)
    gone = [RefusedRow("pin", 3, 1003, "no_source_row", "no row", None)]
    settle(
        progress,
        "pin",
        due=range(4),
        settled=Settled(acknowledged={0: (2, 9), 1: (0, 4)}, refused={2: refusal(2)}),
        missing=gone,
    )
    for entity in ("geo", "user"):
        settle(progress, entity, due=range(4), settled=acknowledged(*range(4)))

    entries = posting_entries(progress)
    source, api = entries["source"][0], entries["api"][0]
    assert (source.records_in, source.records_out, source.refused) == (4, 3, 1)
    assert (source.first, source.last) == ("draw 40", "draw 43")
    assert (api.records_in, api.records_out, api.refused, api.first, api.last) == (3, 2, 1, "p0@4", "p2@9")
    assert source.reason == "no_source_row: no row"
    assert api.reason == f"{refusal(2).code}: {refusal(2).message}"
    assert (entries["source"][1].reason, entries["api"][1].reason) == (None, None)
    counted, hops = [*entries["source"], *entries["api"]], {"batch": ("source", "api")}
    assert reconcile(counted, "manual__1", hops=hops, limits=Ledger(max_refused_share=0.5)).reconciled
    assert reconcile(counted, "manual__1", hops=hops).status == "too many refused"


def test_an_open_record_is_a_loss_at_the_api():
    progress = new(posts=4)
    for entity in ("pin", "geo", "user"):
        settle(progress, entity, due=range(4), settled=acknowledged(*range(4 if entity != "geo" else 3)))

    entries = posting_entries(progress)
    verdict = reconcile([*entries["source"], *entries["api"]], "manual__1", hops={"batch": ("source", "api")})
    assert [(f.entity, f.hop, f.status, f.records) for f in verdict.failures] == [("geo", "api", "lost", 1)]


def test_its_hops_are_those_of_the_stream():
    entries = posting_entries(settled_progress())

    api = entries["api"][0]
    assert (api.route, api.records_in, api.records_out) == ("stream", 3, 3)
    assert (api.first, api.last) == (f"{A}@{LONG}", f"{B}@4")
    verdict = reconcile([*entries["source"], *entries["api"]], "r", hops={"stream": ("source", "api")})
    assert verdict.reconciled, verdict.failures
