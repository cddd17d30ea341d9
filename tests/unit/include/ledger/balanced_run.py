"""The entries of a run that balances, by hand."""

from __future__ import annotations

from include.ledger.entry import HOPS, Entry
from include.settings import ENTITIES, Ledger

RUN = "manual__1"
LIMITS = Ledger(max_refused_share=0.02, max_quarantined_share=0.1)
"""What the run below leaves aside: 2 of 100, and 10 of 101."""


# One stream of a run of 100 posts: 2 refused by the API, 3 records of others on the topic, 4 dead letters,
# 1 line written twice, 5 rows seen before, 6 rows invalid; 500 rows in the table, 498 of them with both partners.
GOOD = {
    "source": {"records_in": 100, "records_out": 100},
    "api": {"records_in": 100, "records_out": 98, "refused": 2},
    "topic": {"records_in": 98, "extra": 3, "records_out": 101},
    "landed": {"records_in": 101, "extra": 1, "records_out": 97, "duplicates": 1, "quarantined": 4},
    "bronze": {"records_in": 97, "records_out": 97},
    "silver": {"records_in": 97, "records_out": 86, "duplicates": 5, "quarantined": 6, "stored": 500},
    "gold": {"records_in": 500, "records_out": 498, "unmatched": 2},
    "kinesis": {"records_in": 98, "extra": 1, "records_out": 99},
    "table": {"records_in": 99, "extra": 4, "records_out": 90, "duplicates": 8, "quarantined": 5},
    "chosen": {"records_in": 20, "records_out": 12, "quarantined": 8},
    "replayed": {"records_in": 12, "records_out": 9, "duplicates": 3},
}


def entry(hop, entity="pin", route="batch", **counts):
    return Entry(route=route, hop=hop, entity=entity, run_id=RUN, counted_by="hand", **{**GOOD[hop], **counts})


def run_with(*changed, without=()):
    """A good run of all streams on both paths; ``changed`` entries replace those of the same place."""
    replaced = {(one.route, one.hop, one.entity): one for one in changed}
    return [
        replaced.get((route, hop, entity)) or entry(hop, entity, route)
        for route in HOPS
        for hop in HOPS[route]
        for entity in ENTITIES
        if (hop, entity) not in without
    ]
