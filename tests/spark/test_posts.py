"""``posts`` is what silver's three tables say, whatever happened to them and to the runs that brought it up to date."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pyspark.sql import functions as F

from pinterest_lake import posts
from pinterest_lake.contract import ENTITIES
from pinterest_lake.posts import ALL, BLOCK, COLUMNS, MOST_RANGES, NONE
from pinterest_lake.schemas import SILVER
from pinterest_lake.tables import CHANGE_FEED
from tests.spark.batch import files, version

FAR = 1_000_000
KEYS = [*range(12), *range(FAR, FAR + 12)]
VALUES = {
    "pin": {"category": ["art", "quotes", None], "poster_name": ["Ann", None], "follower_count": [1, 2000, None]},
    "geo": {"country": ["Chad", "Mali", None], "timestamp": ["2018-06-01T00:00:00Z", "2020-12-31T23:59:59Z", None]},
    "user": {"user_name": ["A B", None], "age": [17, 40, None], "date_joined": ["2016-01-01T00:00:00Z", None]},
}


@pytest.fixture(autouse=True)
def many_rows(monkeypatch):
    """These few rows are so many that it is asked which have changed."""
    monkeypatch.setattr(posts, "SMALL", 0)


@pytest.fixture(scope="module")
def filled(bare_lake):
    """A lake with a few posts in silver."""
    draw = random.Random(7)
    for entity in ENTITIES:
        create(bare_lake, entity)
        put(bare_lake, entity, [row_of(entity, key, draw) for key in KEYS[:16]])
    return bare_lake


@pytest.fixture
def up_to_date(filled):
    """A lake whose ``posts`` are up to date with silver."""
    posts.refresh(filled)
    return filled


def row_of(entity, ind, draw):
    return {"ind": ind} | {name: draw.choice(values) for name, values in VALUES[entity].items()}


def create(lake, entity):
    feed = f"'{CHANGE_FEED}' = 'true'"
    lake.create_table(entity, SILVER[entity], found_by="ind", properties=[feed])


def put(lake, entity, rows):
    """Rows in the place of those that silver has of their keys, if it has any."""
    keys = [row["ind"] for row in rows]
    lake.rows(rows, SILVER[entity]).writeTo(lake.name(entity)).overwrite(F.col("ind").isin(keys))


def correct(lake, ind=3, category="corrected"):
    put(lake, "pin", [{"ind": ind, "category": category, "poster_name": "Ann", "follower_count": 7}])


def sql(lake, statement, table):
    return lake.spark.sql(statement.format(lake.name(table)))


def expected(lake):
    """By key, what silver's rows say, put together without Spark."""
    silver = {entity: {row.ind: row for row in lake.table(entity).collect()} for entity in ENTITIES}
    return {key: _post(*(silver[entity].get(key) for entity in ENTITIES)) for key in set().union(*silver.values())}


def _post(pin, geo, user):
    return (
        *((pin.category, pin.poster_name, pin.follower_count) if pin else (None, None, None)),
        *((geo.country, geo.timestamp and as_utc(geo.timestamp).year) if geo else (None, None)),
        *((user.user_name, user.age, user.date_joined) if user else (None, None, None)),
        *(row is not None for row in (pin, geo, user)),
    )


def as_utc(moment: datetime) -> datetime:
    """Spark gives a timestamp in the machine's zone."""
    return moment.astimezone(UTC)


def assert_right(lake):
    stored = lake.table(posts.TABLE).select("ind", *COLUMNS).collect()
    assert {row.ind: tuple(row)[1:] for row in stored} == expected(lake)
    assert len({row.ind for row in stored}) == len(stored)


def test_only_ranges_with_a_change_are_made_anew_and_a_rerun_writes_nothing(up_to_date):
    put(up_to_date, "user", [{"ind": FAR + 20, "user_name": "New User", "age": 20}])
    posts.refresh(up_to_date)
    before = files(up_to_date, posts.TABLE)

    correct(up_to_date)
    seen = posts.refresh(up_to_date)

    assert_right(up_to_date)
    assert before & files(up_to_date, posts.TABLE)  # the far ones
    written = version(up_to_date, posts.TABLE)
    assert posts.refresh(up_to_date) == seen
    assert version(up_to_date, posts.TABLE) == written
    assert posts.still_reflects(up_to_date, seen)


def test_few_rows_are_made_anew_without_a_question(up_to_date, monkeypatch):
    monkeypatch.setattr(posts, "SMALL", 1_000)
    monkeypatch.setattr(posts, "_changed", kill)
    correct(up_to_date, category="few")

    posts.refresh(up_to_date)

    assert_right(up_to_date)


def change_feed_lost(lake):
    sql(lake, "ALTER TABLE {} SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'false')", "pin")
    correct(lake)


def vacuumed(lake):
    correct(lake)
    lake.spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    sql(lake, "VACUUM {} RETAIN 0 HOURS", "pin")


def replaced(lake):
    rows = lake.table("user").collect()
    some = lake.spark.createDataFrame(rows[:5], lake.table("user").schema)
    some.writeTo(lake.name("user")).using("delta").createOrReplace()


def made_again_in_as_many_commits(lake):
    rows, commits = lake.table("geo").where("ind > 3").collect(), version(lake, "geo") + 1
    again = lake.spark.createDataFrame(rows, lake.table("geo").schema)
    sql(lake, "DROP TABLE {}", "geo")
    create(lake, "geo")
    again.writeTo(lake.name("geo")).append()
    while version(lake, "geo") < commits:
        sql(lake, "ALTER TABLE {} SET TBLPROPERTIES ('a' = 'b')", "geo")


def edited(lake):
    sql(lake, "UPDATE {} SET category = 'edited'", posts.TABLE)


EVENTS = [change_feed_lost, vacuumed, replaced, made_again_in_as_many_commits, edited]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_posts_are_right_whatever_was_done_to_silver_or_to_them(up_to_date, event):
    event(up_to_date)

    posts.refresh(up_to_date)

    assert_right(up_to_date)
    feed = sql(up_to_date, "DESCRIBE DETAIL {}", "pin").first().properties[CHANGE_FEED]
    assert feed == "true"  # again, if it was off


class Killed(Exception):
    pass


def kill(*_, **__):
    raise Killed


def test_a_killed_run_is_made_good_by_the_next(up_to_date, monkeypatch):
    correct(up_to_date, category="earlier")  # and what had cleaned geo and user was killed, too
    with monkeypatch.context() as patched:
        patched.setattr(posts, "_make_anew", kill)
        with pytest.raises(Killed):
            posts.refresh(up_to_date)

    put(up_to_date, "geo", [{"ind": 3, "country": "Chad"}])
    posts.refresh(up_to_date)

    assert_right(up_to_date)


def test_of_two_runs_at_once_the_later_rows_stay(up_to_date, monkeypatch):
    """The other run commits after this one has read silver, and replaces other keys, too."""
    other, posts_of = replace(up_to_date, spark=up_to_date.spark.newSession()), posts.posts_of

    def overtaken(*silver):
        monkeypatch.setattr(posts, "posts_of", posts_of)
        earlier = posts_of(*silver).localCheckpoint()
        put(other, "pin", [{"ind": ind, "category": "later"} for ind in (3, FAR + 5)])
        assert posts.still_reflects(other, posts.refresh(other))
        return earlier

    monkeypatch.setattr(posts, "posts_of", overtaken)
    correct(up_to_date, category="earlier")
    seen = posts.refresh(up_to_date)

    assert_right(up_to_date)
    assert not posts.still_reflects(up_to_date, seen)
    assert posts.still_reflects(up_to_date, posts.refresh(up_to_date))


def test_after_any_history_posts_equal_a_full_recomputation(up_to_date):
    lake, draw = up_to_date, random.Random(2018)
    for _ in range(4):
        for entity in draw.sample(ENTITIES, draw.randrange(1, 3)):
            keys = draw.sample(KEYS, draw.randrange(1, 6))
            match draw.randrange(6):
                case 0:
                    sql(lake, "DELETE FROM {} WHERE ind IN " + f"({', '.join(map(str, keys))})", entity)
                case 1:
                    sql(lake, "OPTIMIZE {}", entity)
                case _:
                    put(lake, entity, [row_of(entity, key, draw) for key in keys])
        posts.refresh(lake)
        assert_right(lake)


def test_blocks_of_keys_that_are_next_to_each_other_are_one_range():
    assert posts._within([]) == NONE
    assert (
        posts._within([0, 1, 4]) == f"ind BETWEEN 0 AND {2 * BLOCK - 1} OR ind BETWEEN {4 * BLOCK} AND {5 * BLOCK - 1}"
    )
    assert posts._within(range(0, 2 * MOST_RANGES, 2)).count("OR") == MOST_RANGES - 1
    assert posts._within(range(0, 2 * MOST_RANGES + 2, 2)) == ALL
