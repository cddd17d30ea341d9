"""What the replay notebook counted, as entries and as lines: the same for a dry run and for the run that follows."""

from __future__ import annotations

import pytest

from include.lake.batch_counts import LakeCountError
from include.lake.replay_counts import replay_entries, told
from include.ledger.verdict import reconcile

FIGURES = {
    "records": 5,
    "passing": 3,
    "staying": {"no_ind": 1, "replayed_often": 1},
    "inserted": 1,
    "updated": 1,
    "duplicates": 1,
    "listed": [
        {
            "position": "u.pin:0:12",
            "object": "o",
            "was": "no_ind",
            "replays": 0,
            "corrected": True,
            "stays": None,
            "because": None,
        },
        {
            "position": None,
            "object": "o",
            "was": "no_position",
            "replays": 0,
            "corrected": False,
            "stays": "no_position",
            "because": "it has none",
        },
    ],
}


def exits(what="quarantine", *, dry_run=False, **entities):
    return {"replay": {"what": what, "dry_run": dry_run, "rules": 1, "entities": entities}}


def test_every_record_is_accounted_for():
    entries = replay_entries("r", exits(pin=FIGURES))

    assert reconcile(
        [*entries["chosen"], *entries["replayed"]], "r", hops={"replay": ("chosen", "replayed")}
    ).reconciled
    pin = entries["chosen"][0]
    assert (pin.records_in, pin.records_out, pin.quarantined) == (5, 3, 2)
    assert [entry.records_in for entry in entries["replayed"]] == [3, 0, 0]


def test_silver_is_counted_by_its_rows():
    figures = {**FIGURES, "inserted": 0, "updated": 0, "duplicates": 1, "rows": 2, "kept": 4}

    entries = replay_entries("r", exits("silver", pin=figures))

    assert (entries["replayed"][0].records_out, entries["replayed"][0].duplicates) == (2, 1)
    assert entries["chosen"][0].remark == (
        "pin: 4 rows cannot be made anew, because bronze does not hold their records: they stay as they are"
    )


def test_what_is_told():
    lines = told(exits(dry_run=True, pin=FIGURES))

    assert lines[:3] == [
        "pin: 5 records; 3 pass, 1 would be added, 1 replaced, 1 change nothing; still refused: 1 no_ind, "
        "1 replayed_often",
        "  u.pin:0:12 (no_ind) would be replayed, with its correction",
        "  o (no_position) stays: no_position: it has none",
    ]
    assert told(exits(pin=FIGURES))[1] == "  u.pin:0:12 (no_ind) was replayed, with its correction"


@pytest.mark.parametrize(
    ("exit_json", "said"), [({}, "did not count anything"), (exits(geo={"records": 1}), "did not count geo: passing")]
)
def test_what_was_not_counted_is_named(exit_json, said):
    with pytest.raises(LakeCountError, match=said):
        replay_entries("r", exit_json)
