"""Silver made anew: what bronze says by today's rules, swapped in at once, and nothing the second time."""

from __future__ import annotations

import json

import pytest
from delta.tables import DeltaTable
from pyspark.sql import functions as F

from pinterest_lake import posts, replay_quarantine, replay_silver, silver
from pinterest_lake.cleaning import CLEAN
from pinterest_lake.contract import RULES
from pinterest_lake.lake_check import earlier_tables
from pinterest_lake.replay import Replay, run
from pinterest_lake.replay_choice import Choice, ReplayError
from pinterest_lake.replay_quarantine import Order
from pinterest_lake.replay_records import convert
from pinterest_lake.tables import Lake
from tests.spark.batch import clean, load, version
from tests.spark.bucket import TOPICS, USER_ID
from tests.spark.source_rows import USER


def user(ind, name, **also):
    return {**USER, "ind": ind, "first_name": name, **also}


def at(offset):
    return f"{TOPICS['user']}:0:{offset}"


def remake(lake, run_id, *, dry_run=False, positions=()):
    return replay_silver.remake(lake, "user", Order(run_id, dry_run), Choice(positions=positions))


def names(lake, table="user"):
    return {row.ind: row.user_name for row in lake.table(table).collect()}


def refused_offsets(lake):
    return [row.offset for row in lake.table("quarantine").where("stream = 'user' AND released_at IS NULL").collect()]


def versions(lake):
    return {table: version(lake, table) for table in ("user", "quarantine", "bronze_user")}


EXPECTED = {1: "New Turner", 2: "Two Turner", 3: "Three Turner", 4: "Right Turner", 5: "Letter Turner"}
CAPITALS = {ind: name.upper() for ind, name in EXPECTED.items() if ind != 3}


@pytest.fixture(scope="module")
def loaded(lake, new_bucket):
    bucket = new_bucket()
    bucket.put("user", [user(1, "Old"), user(1, "New"), user(2, "Two"), user(3, "Three"), {"ind": "x"}])
    bucket.dead_letter("user", json.dumps(user(5, "Letter")).encode(), offset=5)
    uri = bucket.manifest({"user": {0: (0, 6)}}, run_id="first")
    load(lake, uri, "user", "first")
    clean(lake, uri, "user", "first")
    choice = Choice(entities=("user",), corrections={at(4): json.dumps(user(4, "Right"))})
    assert replay_quarantine.replay(lake, USER_ID, Order("r1", dry_run=False), choice)["user"]["passing"] == 2
    assert names(lake) == EXPECTED
    return lake


def test_a_dropped_table_is_made_again_in_one_commit(loaded):
    loaded.spark.sql(f"DROP TABLE {loaded.name('user')}")
    with pytest.raises(ReplayError, match=r"\.user does not exist: replay what=silver"):
        run(Replay(loaded, USER_ID, "too early", "quarantine", dry_run=True))
    planned = remake(loaded, "anew", dry_run=True)
    assert not loaded.exists("user")
    loaded.create()

    assert remake(loaded, "anew") == planned
    assert {name: planned[name] for name in ("records", "passing", "inserted", "updated", "kept", "rows")} == {
        "records": 6, "passing": 6, "inserted": 5, "updated": 0, "kept": 0, "rows": 5,
    }  # fmt: skip
    assert names(loaded) == EXPECTED
    assert version(loaded, "user") == 1


def test_what_others_have_done_to_the_table_is_set_right(loaded):
    name = loaded.name("user")
    loaded.spark.sql(f"UPDATE {name} SET user_name = 'somebody' WHERE ind = 2")
    loaded.spark.sql(f"DELETE FROM {name} WHERE ind = 3")
    loaded.spark.sql(f"INSERT INTO {name} (ind, user_name, _topic, _offset) VALUES (99, 'theirs', 'no topic', 1)")
    before = version(loaded, "user")

    done = remake(loaded, "right")

    assert (done["inserted"], done["updated"], done["deleted"], done["kept"]) == (1, 1, 0, 1)
    assert names(loaded) == {**EXPECTED, 99: "theirs"}, "bronze does not hold its record"
    assert version(loaded, "user") == before + 1
    loaded.spark.sql(f"DELETE FROM {name} WHERE ind = 99")


@pytest.fixture
def other_rules(monkeypatch):
    """A version further: names are in capitals, and nobody is called Three."""
    clean_user = CLEAN["user"]

    def capital(raw, keep=()):
        return clean_user(raw, keep).withColumn("user_name", F.upper("user_name"))

    def strict(entity):
        return is_valid(entity) & (F.col("first_name") != "Three")

    is_valid = silver.is_valid
    monkeypatch.setitem(CLEAN, "user", capital)
    for module in (silver, replay_silver):
        monkeypatch.setattr(module, "RULES", RULES + 1)
        monkeypatch.setattr(module, "is_valid", strict)


def test_a_run_says_when_silver_holds_rows_of_earlier_rules(loaded, other_rules):
    assert silver.of_earlier_rules(loaded, "user") == 5


def test_changed_rules_reach_a_range_of_offsets(loaded, other_rules):
    done = remake(loaded, "range", positions=(f"{TOPICS['user']}:0:0-1",))

    assert (done["records"], done["passing"], done["updated"], done["rows"]) == (2, 2, 1, 1)
    assert names(loaded) == {**EXPECTED, 1: "NEW TURNER"}
    assert silver.of_earlier_rules(loaded, "user") == 4


def test_changed_rules_reach_every_row_and_quarantine(loaded, other_rules):
    posts.refresh(loaded)
    planned = remake(loaded, "rules", dry_run=True)
    before = version(loaded, "user")

    assert remake(loaded, "rules") == planned
    assert (planned["updated"], planned["deleted"], planned["refused"], planned["rows"]) == (3, 1, 1, 4)
    assert version(loaded, "user") == before + 1
    assert names(loaded) == CAPITALS
    posts.refresh(loaded)
    assert names(loaded, posts.TABLE) == CAPITALS
    assert refused_offsets(loaded) == [3]
    after = versions(loaded)
    assert remake(loaded, "rules again")["updated"] == 0
    assert versions(loaded) == after
    assert silver.of_earlier_rules(loaded, "user") == 0


def test_rules_that_allow_more_release_what_they_allow(loaded, monkeypatch):
    monkeypatch.setattr(replay_silver, "RULES", RULES + 2)
    monkeypatch.setattr(silver, "RULES", RULES + 2)

    done = remake(loaded, "back")

    assert (done["released"], done["inserted"], done["updated"]) == (1, 1, 4)
    assert names(loaded) == EXPECTED
    assert refused_offsets(loaded) == []


class Killed(BaseException):
    pass


def kill(*_, **__):
    raise Killed


def test_a_run_that_is_killed_leaves_the_old_rows_or_the_new_and_the_next_finishes(loaded, other_rules, monkeypatch):
    """Under the other rules one record is refused, and all others are changed."""
    for module in (silver, replay_silver):
        monkeypatch.setattr(module, "RULES", RULES + 3)
    assert names(loaded) == EXPECTED
    for commit, left in {"remake": EXPECTED, "change": CAPITALS}.items():
        with monkeypatch.context() as patched:
            patched.setattr(Lake, commit, kill)
            with pytest.raises(Killed):
                remake(loaded, f"killed at {commit}")
        assert names(loaded) == left
        assert refused_offsets(loaded) == []

    done = remake(loaded, "finishes")

    assert (done["updated"], done["deleted"], done["reopened"]) == (0, 0, 1)
    assert names(loaded) == CAPITALS
    assert refused_offsets(loaded) == [3]


def test_a_lake_of_the_earlier_contract_is_converted_and_keeps_its_rows(loaded):
    name = loaded.name("bronze_user")
    text = loaded.table("bronze_user").withColumn("raw", F.coalesce("raw", F.to_json("record"))).drop("record")
    rows = [row.asDict() for row in text.orderBy("offset").collect()]
    text.withColumn("note", F.lit("mine")).localCheckpoint().write.format("delta").mode("overwrite").option(
        "overwriteSchema", "true"
    ).saveAsTable(name)
    identity, before = table_id(loaded, "bronze_user"), version(loaded, "bronze_user")
    assert earlier_tables(loaded) == ["bronze_user"]
    expected = remake(loaded, "earlier", dry_run=True)

    convert(loaded, "bronze_user")

    assert earlier_tables(loaded) == []
    assert version(loaded, "bronze_user") == before + 1
    assert table_id(loaded, "bronze_user") == identity
    found = loaded.table("bronze_user")
    assert found.where("raw IS NULL AND record IS NOT NULL").count() == len(rows)
    kept = found.withColumn("raw", F.to_json("record")).drop("record").orderBy("offset").collect()
    assert [{**row, "note": "mine"} for row in rows] == [row.asDict() for row in kept]
    assert remake(loaded, "earlier", dry_run=True) == expected


def table_id(lake, table):
    return DeltaTable.forName(lake.spark, lake.name(table)).detail().first().id
