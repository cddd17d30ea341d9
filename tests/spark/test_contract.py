"""The lake's half of the contract: it reads the documents of ``tests/contract``, and its code holds no other facts."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from pinterest_lake import contract, widgets
from pinterest_lake.analyses import ANALYSES, age_group
from pinterest_lake.cleaning import CLEAN
from pinterest_lake.manifest import LandedObject, PartitionRange, read_manifest
from pinterest_lake.posts import posts_of
from pinterest_lake.quarantine import dead_letters
from pinterest_lake.schemas import SILVER
from pinterest_lake.stream_query import Query
from pinterest_lake.tables import Lake

DOCUMENTS = Path(__file__).parents[1] / "contract"
RUN = "landing/pinterest_batch/manual__2026-01-02T03:04:05+00:00"
TOPIC = "0e36c8cd403d.pin"


@pytest.fixture
def manifest_uri(tmp_path):
    folder = tmp_path / RUN
    folder.mkdir(parents=True)
    for name in ("manifest.json", "dead_letters.jsonl"):
        (folder / name).write_text((DOCUMENTS / name).read_text())
    return f"file://{folder}/manifest.json"


def test_the_manifest_is_read(spark, manifest_uri):
    manifest = read_manifest(spark, manifest_uri)

    prefix = f"topics/{TOPIC}/partition=0/{TOPIC}+0+000000000"
    assert manifest.root == manifest_uri.split("/landing/")[0]
    assert manifest.topics["pin"].topic == TOPIC
    assert manifest.topics["pin"].ranges == (
        PartitionRange(
            0, 0, 6, (LandedObject(f"{prefix}0.json", 2, 0, 1), LandedObject(f"{prefix}3.json", 2, 3, 4)), ((5, 6),)
        ),
        PartitionRange(1, 7, 7, ()),
    )
    assert (manifest.topics["pin"].size, manifest.topics["pin"].has_empty) == (5, True)
    assert manifest.topics["pin"].stored_as == f"{TOPIC}#T2"
    assert manifest.tables == {"bronze_pin": "b1"}
    assert manifest.dead_letters == f"{RUN}/dead_letters.jsonl"


@pytest.mark.parametrize("field", ["entity", "stream"], ids=["as written now", "as earlier runs wrote it"])
def test_dead_letters_are_read(spark, manifest_uri, field):
    file = Path(manifest_uri.removeprefix("file://")).with_name("dead_letters.jsonl")
    letter = json.loads(file.read_text())
    letter[field] = letter.pop("entity")
    file.write_text(json.dumps(letter) + "\n")
    lake = Lake(spark.newSession(), "spark_catalog", "none")
    manifest = read_manifest(lake.spark, manifest_uri)

    [row] = dead_letters(lake, manifest, manifest.dead_letters, "pin").collect()

    assert (row.topic, row.partition, row.offset, row.raw) == (TOPIC, 0, 2, "poison")
    assert (row.reason, row.message) == (letter["reason"], letter["message"])
    assert row.object == manifest.dead_letters
    assert dead_letters(lake, manifest, manifest.dead_letters, "geo").isEmpty()


def test_the_tests_own_bucket_is_as_landing_leaves_it(bucket):
    """The manifests of the other tests have the fields of the real one."""
    bucket.put("pin", [{"index": 1}])
    bucket.dead_letter("pin", b"poison", offset=1)
    path = Path(bucket.manifest().removeprefix("file://"))
    ours, real = json.loads(path.read_text()), json.loads((DOCUMENTS / "manifest.json").read_text())
    [letter] = path.with_name("dead_letters.jsonl").read_text().splitlines()

    assert set(ours) == set(real)
    assert set(ours["topics"]["pin"]) == set(real["topics"]["pin"])
    assert set(ours["topics"]["pin"]["partitions"]["0"]) == set(real["topics"]["pin"]["partitions"]["0"])
    listed, really_listed = (one["topics"]["pin"]["partitions"]["0"]["objects"][0] for one in (ours, real))
    assert set(listed) == set(really_listed)
    assert set(ours["dead_letters"]) == set(real["dead_letters"])
    assert set(json.loads(letter)) == set(json.loads((DOCUMENTS / "dead_letters.jsonl").read_text()))


def test_the_code_knows_every_entity():
    assert tuple(CLEAN) == tuple(SILVER) == contract.ENTITIES


def test_what_the_stream_notebook_exits_with():
    """``run`` returns these counts, by entity; what Airflow's side prints of them."""
    job = SimpleNamespace(checkpoints="folder", checkpoint_names={"pin": "streaming-pin@1"})
    [counts] = Query(job, {"pin": "streaming-pin"}).counts.values()

    assert set(counts) == {"batches", "records", "inserted", "updated", "superseded", "quarantined"}
    assert set(counts) - {"batches"} <= set(contract.STREAM_BATCHES_COLUMNS)


def test_widgets_have_the_contracts_defaults():
    made = {}
    dbutils = SimpleNamespace(widgets=SimpleNamespace(text=made.setdefault, get=lambda name: made[name] or "given"))

    given = widgets.read(dbutils, "stream")

    assert made == {name: default or "" for name, default in contract.parameters("stream").items()}
    assert (given["trigger"], given["user_id"]) == ("available_now", "given")


def test_analyses_have_the_contracts_columns(spark):
    pin = spark.createDataFrame([], "ind INT, category STRING, poster_name STRING, follower_count INT")
    geo = spark.createDataFrame([], "ind INT, country STRING, timestamp TIMESTAMP")
    user = spark.createDataFrame([], "ind INT, user_name STRING, age INT, date_joined TIMESTAMP")
    posts = posts_of(pin, geo, user)

    assert {name: analysis(posts).columns for name, analysis in ANALYSES.items()} == contract.ANALYSES


def test_age_groups_cover_every_age_from_their_first_on(spark):
    groups = spark.range(0, 120).selectExpr("CAST(id AS INT) AS age").select("age", age_group()).collect()
    first = min(start for start, _ in contract.AGE_GROUPS.values())

    assert {row.age_group for row in groups if row.age < first} == {contract.AGE_GROUP_OF_OTHERS}
    assert {row.age_group for row in groups if row.age >= first} == set(contract.AGE_GROUPS)
