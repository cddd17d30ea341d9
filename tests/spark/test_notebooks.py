"""The notebooks as the job runs them: widgets in, JSON out, the cleaning tasks side by side, a session each."""

from __future__ import annotations

import ast
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import pytest

from pinterest_lake import job
from tests.spark.bucket import TOPICS
from tests.spark.source_rows import PIN

NOTEBOOKS = Path(__file__).parents[2] / "spark" / "notebooks"
CONTRACT = Path(__file__).parents[1] / "contract"
NAMES = ("load", "clean_pin", "clean_geo", "clean_user", "analyses", "stream", "check", "maintenance", "replay")


class Exit(BaseException):
    pass


def dbutils(parameters):
    defaults = {}

    def leave(value):
        raise Exit(value)

    return SimpleNamespace(
        widgets=SimpleNamespace(
            text=lambda name, default="": defaults.setdefault(name, default),
            get=lambda name: parameters.get(name, defaults[name]),
        ),
        notebook=SimpleNamespace(exit=leave),
    )


def run_notebook(session, name, **parameters):
    source = (NOTEBOOKS / f"{name}.py").read_text()
    try:
        exec(compile(source, name, "exec"), {"spark": session, "dbutils": dbutils(parameters)})
    except Exit as exit:
        return json.loads(str(exit))
    raise AssertionError(f"{name} left nothing")


def test_a_run_of_all_notebooks(spark, compiling_sessions, bucket, real_rows, monkeypatch):
    monkeypatch.setattr(job, "MANY", 0)  # so that queries are compiled, as those of a large run are
    for entity, rows in real_rows.items():
        bucket.put(entity, rows[:40])
    bucket.put("user", [PIN], partition=1)
    bucket.put("geo", [{"value": {}}], partition=1)
    bucket.put("pin", [{"index": "x"}], partition=1)
    bucket.dead_letter("geo", b"poison", offset=40)
    parameters = {
        "manifest": bucket.manifest({"geo": {0: (0, 41)}}),
        "run_id": "manual__2026-01-02T03:04:05+00:00",
        "catalog": "spark_catalog",
        "schema": "notebooks",
        "user_id": "0e36c8cd403d",
        "storage": "instance_profile",
        "secret_scope": "",
        "credentials_table": "",
    }
    checking = parameters | {"bucket": "s3a://user-0e36c8cd403d-bucket"}
    try:
        assert run_notebook(compiling_sessions(), "check", **checking) == {"tables": {}}
        loaded = run_notebook(compiling_sessions(), "load", **parameters)
        with ThreadPoolExecutor(3) as pool:
            cleaned = list(pool.map(lambda name: run_notebook(compiling_sessions(), name, **parameters), NAMES[1:4]))
        analysed = run_notebook(compiling_sessions(), "analyses", **parameters)
        quarantine = spark.table("spark_catalog.notebooks.quarantine").groupBy("stream").count().collect()
        checked = run_notebook(compiling_sessions(), "check", **checking)["tables"]
        replaying = parameters | {"bucket": f"file://{bucket.folder}", "what": "quarantine", "entities": '["pin"]'}
        bucket.write("corrections/pin.json", json.dumps({f"{TOPICS['pin']}:1:0": {**PIN, "index": 5}}))
        replaying |= {"corrections": "corrections/pin.json", "reasons": '["ind_not_an_integer"]'}
        planned = run_notebook(compiling_sessions(), "replay", **replaying)
        replayed = run_notebook(compiling_sessions(), "replay", **replaying, dry_run="false")
        corrected = spark.table("spark_catalog.notebooks.posts").where("ind = 5 AND has_pin AND NOT has_geo").count()
    finally:
        spark.sql("DROP SCHEMA IF EXISTS spark_catalog.notebooks CASCADE")

    assert set(loaded) == {"bronze", "quarantined", "bookmark", "tables"}
    assert len(set(loaded["tables"].values())) == 7
    loaded["tables"] = {name: f"id of {name}" for name in sorted(loaded["tables"])}
    assert loaded["bronze"]["pin"] == {
        "records_in": 41,
        "inserted": 41,
        "already_stored": 0,
        "first": "p0@0 p1@0",
        "last": "p0@39 p1@0",
    }
    assert loaded["quarantined"] == {"pin": 0, "geo": 1, "user": 0}
    assert loaded["bookmark"]["0e36c8cd403d.geo"]["0"]["next_offset"] == 41
    expected = {"records_in": 41, "inserted": 40, "updated": 0, "duplicates": 0, "quarantined": 1, "rows": 40}
    expected["of_earlier_rules"] = 0
    assert cleaned == [{"silver": {entity: expected}} for entity in ("pin", "geo", "user")]
    assert analysed["gold"] == {"rows": {"pin": 40, "geo": 40, "user": 40}, "joined": 40}
    assert len(analysed["tables"]) == 9
    assert {row.stream: row["count"] for row in quarantine} == {"pin": 1, "geo": 2, "user": 1}

    assert set(checked) == {"bronze_pin", "bronze_geo", "bronze_user", "pin", "geo", "user", "quarantine"}
    assert len({UUID(id) for id in checked.values()}) == 7

    assert planned["replay"].pop("dry_run") is True
    assert replayed["replay"].pop("dry_run") is False
    assert replayed["replay"] == planned["replay"]
    assert planned["replay"]["entities"]["pin"]["inserted"] == 1
    assert replayed["gold"]["rows"] == {"pin": 41, "geo": 40, "user": 40}
    assert corrected == 1

    exits = {"load": loaded, **dict(zip(NAMES[1:4], cleaned, strict=True)), "analyses": analysed}
    for table in analysed["tables"].values():
        del table["rows"][1:]
    assert exits == json.loads((CONTRACT / "exits.json").read_text()), "Airflow's side reads what tests/contract/ holds"


@pytest.mark.parametrize("missing", ["manifest", "run_id"])
def test_a_missing_parameter_is_named(spark, missing):
    given = {"manifest": "s3a://bucket/landing/dag/run/manifest.json", "run_id": "run", "catalog": "spark_catalog"}
    parameters = given | {missing: ""}

    with pytest.raises(ValueError, match=f"parameter {missing} is empty"):
        run_notebook(spark.newSession(), "load", **parameters)


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.py")), ids=lambda path: path.stem)
def test_notebooks_are_thin_and_in_source_format(path):
    text = path.read_text()

    assert text.startswith("# Databricks notebook source\n# MAGIC %md\n# MAGIC # ")
    assert len(text.splitlines()) < 30
    assert not re.search(r"USE CATALOG|GRANT|read_files|VOLUME", text)
    assert [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.FunctionDef, ast.If, ast.For))] == []


def test_every_notebook_of_the_job_is_there():
    assert {path.stem for path in NOTEBOOKS.glob("*.py")} == set(NAMES)
