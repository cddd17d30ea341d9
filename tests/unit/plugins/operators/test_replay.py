"""A replay's counts: logged, and in the ledger unless nothing was done."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from pinterest import run_documents
from pinterest.operators import replay as module
from pinterest.operators.replay import ReplayCountsOperator, is_true
from tests.builders import Bucket, settings

FIGURES = {"records": 3, "passing": 2, "staying": {"no_ind": 1}, "inserted": 2, "updated": 0, "duplicates": 0}
LAKE = {"catalog": "main", "schema_name": "pinterest", "tables": {"bronze_pin": "b1", "pin": "s1"}}
BOOKMARK = "landing/0e36c8cd403d.json"


@pytest.fixture
def bucket(monkeypatch):
    bucket = Bucket()
    monkeypatch.setattr(run_documents, "S3Hook", bucket)
    monkeypatch.setattr(module, "settings", settings)
    bucket.objects[BOOKMARK] = json.dumps({"lake": LAKE, "topics": {}}).encode()
    return bucket


def count(what="quarantine", *, dry_run=False):
    counted = {
        "replay": {"what": what, "dry_run": dry_run, "rules": 1, "entities": {"pin": FIGURES}},
        "lake": {"tables": {"bronze_pin": "b2", "pin": "s2", "geo": "g2"}},
    }
    operator = ReplayCountsOperator(task_id="counts", counted=counted)
    return operator.execute({"ti": SimpleNamespace(dag_id="d"), "run_id": "r"})


def test_a_dry_run_counts_the_same_and_writes_nothing(bucket):
    before = dict(bucket.objects)

    planned = count(dry_run=True)
    assert bucket.objects == before
    assert count() == planned
    assert {key for key in bucket.objects if key not in before} == {
        "ledger/d/r/replay/chosen.json",
        "ledger/d/r/replay/replayed.json",
    }


def test_silver_that_was_made_again_is_remembered_and_nothing_else(bucket):
    count("silver")

    assert bucket.json(BOOKMARK)["lake"]["tables"] == {"bronze_pin": "b1", "pin": "s2"}


def test_what_a_template_is_rendered_to():
    assert [is_true(text) for text in ("True", "False", "None")] == [True, False, False]
