"""Silver and the nine gold tables, against pandas on the source rows."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC

import pytest
from pyspark.sql import functions as F

from pinterest_lake import gold
from pinterest_lake.session_settings import INTERPRET
from tests.oracle import GOLD_COLUMNS, SILVER_COLUMNS, expected_gold, expected_silver, sorted_rows
from tests.spark.batch import clean, load

ENTITIES = ("pin", "geo", "user")


@pytest.fixture(scope="module")
def posted(real_rows):
    """What the seeds' script might send: posts drawn at random, many of them twice, some with a row missing."""
    draw = random.Random(100)
    drawn = [draw.randrange(len(real_rows["pin"])) for _ in range(600)]
    rows = {entity: [real_rows[entity][number] for number in drawn] for entity in ENTITIES}
    gone = {entity: {row[key] for row in rows[entity][first:40:7]} for entity, key, first in
            (("pin", "index", 0), ("geo", "ind", 1), ("user", "ind", 2))}  # fmt: skip
    return {
        "pin": [row for row in rows["pin"] if row["index"] not in gone["pin"]],
        "geo": [row for row in rows["geo"] if row["ind"] not in gone["geo"]],
        "user": [row for row in rows["user"] if row["ind"] not in gone["user"]],
    }


def test_of_an_empty_lake_every_table_is_empty(lake):
    answer = gold.refresh(lake)

    assert answer["gold"] == {"rows": dict.fromkeys(ENTITIES, 0), "joined": 0}
    assert {name: table["rows"] for name, table in answer["tables"].items()} == {name: [] for name in GOLD_COLUMNS}


@pytest.fixture(scope="module")
def answer(lake, new_bucket, posted):
    """What the notebook exits with when the posts are loaded and cleaned."""
    bucket = new_bucket()
    for entity in ENTITIES:
        half = len(posted[entity]) // 2
        bucket.put(entity, posted[entity][:half])
        bucket.put(entity, posted[entity][half:], first=half)
    uri = bucket.manifest()
    for entity in ENTITIES:
        load(lake, uri, entity)
        clean(lake, uri, entity)
    return gold.refresh(lake)


def test_silver_equals_an_independent_recomputation(lake, answer, posted):
    silver = expected_silver(*(posted[entity] for entity in ENTITIES))

    for entity in ENTITIES:
        stored = lake.table(entity).select(*SILVER_COLUMNS[entity]).collect()
        assert len(stored) == len(silver[entity])
        assert {row.ind: tuple(map(as_naive_utc, row)) for row in stored} == silver[entity]
    assert answer["gold"] == {
        "rows": {entity: len(silver[entity]) for entity in ENTITIES},
        "joined": len(set.intersection(*(set(silver[entity]) for entity in ENTITIES))),
    }


def test_gold_equals_an_independent_recomputation(lake, answer, posted):
    for table, expected in expected_gold(*(posted[entity] for entity in ENTITIES)).items():
        assert len(expected) > 0, table
        stored = lake.table(table)
        assert tuple(stored.columns) == GOLD_COLUMNS[table] == tuple(answer["tables"][table]["columns"])
        assert sorted_rows(stored.collect()) == expected, table
        assert sorted_rows(answer["tables"][table]["rows"]) == expected, table


def test_again_it_gives_the_same_and_after_it_queries_are_compiled_as_before(lake, answer, compiling_sessions):
    compiling = replace(lake, spark=compiling_sessions())
    compiled = {name: compiling.spark.conf.get(name) for name in INTERPRET}
    assert compiled.items().isdisjoint(INTERPRET.items())

    assert gold.refresh(compiling) == answer
    assert {name: compiling.spark.conf.get(name) for name in INTERPRET} == compiled


def as_naive_utc(value):
    """Spark gives a timestamp in the machine's zone."""
    return value.astimezone(UTC).replace(tzinfo=None) if hasattr(value, "astimezone") else value


def test_what_another_run_adds_to_silver_meanwhile_is_in_gold_too(lake, answer, monkeypatch):
    rewrite, times = gold._rewrite, []

    def disturbed(lake, silver):
        found = rewrite(lake, silver)
        times.append(found)
        if len(times) == 1:
            added = lake.table("pin").limit(1).withColumn("ind", F.lit(7_777_777))
            added.write.format("delta").mode("append").saveAsTable(lake.name("pin"))
        return found

    monkeypatch.setattr(gold, "_rewrite", disturbed)

    rows = gold.refresh(lake)["gold"]["rows"]

    assert len(times) == 2
    assert rows["pin"] == answer["gold"]["rows"]["pin"] + 1
