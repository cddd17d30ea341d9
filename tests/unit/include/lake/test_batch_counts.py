"""Notebooks' exit JSON to ledger entries."""

from __future__ import annotations

import json

import pytest

from include.lake.batch_counts import LakeCountError, lake_entries, parse_exit, quarantine_shortfall
from include.settings import ENTITIES

EXITS = {
    "load": {
        "bronze": {s: {"records_in": 97, "inserted": 90, "already_stored": 7, "first": "p0@3"} for s in ENTITIES},
        "quarantined": {"pin": 4, "geo": 0, "user": 0},
    },
    **{
        f"clean_{s}": {
            "silver": {
                s: {"records_in": 97, "inserted": 80, "updated": 6, "duplicates": 5, "quarantined": 6, "rows": 500}
            }
        }
        for s in ENTITIES
    },
    "analyses": {"gold": {"rows": {"pin": 500, "geo": 499, "user": 498}, "joined": 498}, "tables": {}},
}


def test_counts_become_entries():
    entries = lake_entries("r", EXITS)

    bronze, silver, gold = entries["bronze"][0], entries["silver"][0], entries["gold"][0]
    assert (bronze.records_in, bronze.records_out, bronze.duplicates, bronze.first) == (97, 97, 0, "p0@3")
    assert (silver.records_out, silver.duplicates, silver.quarantined, silver.stored) == (86, 5, 6, 500)
    assert (gold.records_in, gold.records_out, gold.unmatched) == (500, 498, 2)
    assert [entry.unmatched for entry in entries["gold"]] == [2, 1, 0]


def test_a_count_that_is_missing_is_not_zero():
    entries = lake_entries(
        "r", {**EXITS, "load": {"bronze": {"pin": {"records_in": 97, "inserted": 97}}}, "analyses": {}}
    )

    assert entries["bronze"][0].records_out is None
    assert entries["bronze"][1].records_in is None
    assert entries["gold"][0].records_out is None
    assert entries["gold"][0].unmatched is None


def test_more_joined_rows_than_rows_is_not_hidden():
    exits = {**EXITS, "analyses": {"gold": {"rows": dict.fromkeys(ENTITIES, 500), "joined": 501}}}
    gold = lake_entries("r", exits)["gold"][0]

    assert (gold.records_in, gold.records_out, gold.unmatched) == (500, 501, 0)


def test_dead_letters_that_the_load_did_not_keep_are_named():
    assert quarantine_shortfall(EXITS, {"pin": 4}) == []
    assert quarantine_shortfall(EXITS, {"pin": 5, "geo": 1}) == ["pin: 4 of 5 dead letters", "geo: 0 of 1 dead letters"]


def test_exit_json():
    assert parse_exit("load", {"notebook_output": {"result": json.dumps({"a": 1}), "truncated": False}}) == {"a": 1}


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ({}, "Notebook load returned nothing"),
        ({"notebook_output": {}}, "returned nothing"),
        ({"notebook_output": {"result": "{", "truncated": False}}, "did not return JSON"),
        ({"notebook_output": {"result": "[1]"}}, "JSON list, not an object"),
        ({"notebook_output": {"result": '{"a"', "truncated": True}}, "more than Databricks keeps"),
    ],
)
def test_an_exit_that_cannot_be_read_is_an_error(output, problem):
    with pytest.raises(LakeCountError, match=problem):
        parse_exit("load", output)
