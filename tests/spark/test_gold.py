"""The nine analyses, against pandas on the source rows, and against cases worked out by hand."""

from __future__ import annotations

import random
from datetime import UTC

import pytest
from batch import clean, load
from oracle import GOLD_COLUMNS, SILVER_COLUMNS, expected_gold, expected_silver, sorted_rows

from pinterest_lake import gold
from pinterest_lake.analyses import ANALYSES, Facts, posts_of

STREAMS = ("pin", "geo", "user")


@pytest.fixture(scope="module")
def posted(real_rows):
    """What the seeds' script might send: posts drawn at random, many of them twice, some with a row missing."""
    draw = random.Random(100)
    drawn = [draw.randrange(len(real_rows["pin"])) for _ in range(600)]
    rows = {stream: [real_rows[stream][number] for number in drawn] for stream in STREAMS}
    gone = {stream: {row[key] for row in rows[stream][first:40:7]} for stream, key, first in
            (("pin", "index", 0), ("geo", "ind", 1), ("user", "ind", 2))}  # fmt: skip
    return {
        "pin": [row for row in rows["pin"] if row["index"] not in gone["pin"]],
        "geo": [row for row in rows["geo"] if row["ind"] not in gone["geo"]],
        "user": [row for row in rows["user"] if row["ind"] not in gone["user"]],
    }


def test_silver_and_gold_equal_an_independent_recomputation(lake, bucket, posted):
    for stream in STREAMS:
        half = len(posted[stream]) // 2
        bucket.put(stream, posted[stream][:half])
        bucket.put(stream, posted[stream][half:], first=half)
    uri = bucket.manifest()
    for stream in STREAMS:
        load(lake, uri, stream)
        clean(lake, uri, stream)

    answer = gold.refresh(lake)

    rows = [posted[stream] for stream in STREAMS]
    silver = expected_silver(*rows)
    for stream in STREAMS:
        stored = lake.table(stream).select(*SILVER_COLUMNS[stream]).collect()
        assert len(stored) == len(silver[stream])
        assert {row.ind: tuple(map(as_naive_utc, row)) for row in stored} == silver[stream]
    for table, expected in expected_gold(*rows).items():
        assert len(expected) > 0, table
        stored = lake.table(table)
        assert tuple(stored.columns) == GOLD_COLUMNS[table] == tuple(answer["tables"][table]["columns"])
        assert sorted_rows(stored.collect()) == expected, table
        assert sorted_rows(answer["tables"][table]["rows"]) == expected, table
    indexes = [set(silver[stream]) for stream in STREAMS]
    assert answer["gold"] == {
        "rows": {stream: len(silver[stream]) for stream in STREAMS},
        "joined": len(set.intersection(*indexes)),
    }

    assert gold.refresh(lake) == answer


def test_after_it_queries_are_compiled_again(lake):
    compiled = {name: lake.spark.conf.get(name) for name in gold.INTERPRET}

    gold.refresh(lake)

    assert {name: lake.spark.conf.get(name) for name in gold.INTERPRET} == compiled


def as_naive_utc(value):
    """Spark gives a timestamp in the machine's zone."""
    return value.astimezone(UTC).replace(tzinfo=None) if hasattr(value, "astimezone") else value


def analyse(spark, analysis, pins=(), geos=(), users=()):
    """The rows of one analysis; pins, geos and users are short tuples of what the analyses use."""
    pin = spark.createDataFrame(list(pins), "ind INT, category STRING, poster_name STRING, follower_count INT")
    geo = spark.createDataFrame(list(geos), "ind INT, country STRING, timestamp STRING")
    user = spark.createDataFrame(list(users), "ind INT, user_name STRING, age INT, date_joined STRING")
    geo = geo.withColumn("timestamp", geo.timestamp.cast("timestamp"))
    user = user.withColumn("date_joined", user.date_joined.cast("timestamp"))
    session = spark.conf.get("spark.sql.session.timeZone")
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    try:
        return sorted_rows(ANALYSES[analysis](Facts(posts_of(pin, geo, user), user)).collect())
    finally:
        spark.conf.set("spark.sql.session.timeZone", session)


def test_all_ties_are_kept(spark):
    categories = ["art", "art", "quotes", "quotes", "tattoos"]
    pins = [(ind, category, "a", 1) for ind, category in enumerate(categories, start=1)]
    geos = [(ind, "Bhutan", "2018-01-01 00:00:00Z") for ind in range(1, 6)]

    assert analyse(spark, "popular_category_by_country", pins, geos) == [("Bhutan", "art", 2), ("Bhutan", "quotes", 2)]


def test_a_year_is_whole_and_in_utc(spark):
    pins = [(ind, "art", "a", 1) for ind in range(6)]
    geos = [
        (0, "Chad", "2017-12-31 23:59:59Z"),
        (1, "Chad", "2018-01-01 00:00:00Z"),
        (2, "Chad", "2022-12-31 23:59:59Z"),
        (3, "Chad", "2023-01-01 00:00:00Z"),
        (4, "Chad", None),
        (5, None, "2019-06-01 00:00:00Z"),
    ]

    answer = analyse(spark, "popular_category_by_year", pins, geos)

    assert answer == [(2018, "art", 1), (2019, "art", 1), (2022, "art", 1)]


def test_a_poster_counts_once_however_many_pins(spark):
    pins = [(1, "art", "Rose", 467), (2, "art", "Rose", 6000), (3, "art", "Rose", 6000), (4, "art", "Ann", 6000)]
    pins += [(5, "art", "Who", None), (6, "art", "Elsewhere", 6000)]
    geos = [(ind, "Niger" if ind < 6 else "Mali", "2018-01-01 00:00:00Z") for ind in range(1, 7)]

    assert analyse(spark, "top_poster_by_country", pins, geos) == [
        ("Mali", "Elsewhere", 6000),
        ("Niger", "Ann", 6000),
        ("Niger", "Rose", 6000),
    ]
    assert analyse(spark, "country_of_top_poster", pins, geos) == [("Mali", 6000), ("Niger", 6000)]


def test_age_groups_have_both_their_ends(spark):
    ages = [None, 17, 18, 24, 25, 35, 36, 50, 51, 99]
    pins = [(ind, f"category {age}", "a", ind) for ind, age in enumerate(ages)]
    users = [(ind, "u", age, "2016-01-01 00:00:00Z") for ind, age in enumerate(ages)]

    answer = analyse(spark, "popular_category_by_age_group", pins, (), users)

    assert {category: group for group, category, _ in answer} == {
        "category None": "unknown",
        "category 17": "unknown",
        "category 18": "18-24",
        "category 24": "18-24",
        "category 25": "25-35",
        "category 35": "25-35",
        "category 36": "36-50",
        "category 50": "36-50",
        "category 51": "50+",
        "category 99": "50+",
    }


def test_the_median_is_exact_and_over_pins(spark):
    pins = [(1, "art", "a", 1), (2, "art", "a", 2), (3, "art", "a", 3), (4, "art", "a", 40), (5, "art", "a", None)]
    users = [(ind, "same person", 20, "2016-01-01 00:00:00Z") for ind in range(1, 6)]

    assert analyse(spark, "median_followers_by_age_group", pins, (), users) == [("18-24", 2.5)]
    assert analyse(spark, "median_followers_by_join_year", pins, (), users) == [(2016, 2.5)]
    assert analyse(spark, "median_followers_by_join_year_and_age_group", pins, (), users) == [("18-24", 2016, 2.5)]


def test_a_person_joins_once(spark):
    users = [
        (1, "Aaron Abbott", 20, "2015-10-23 16:08:41Z"),
        (2, "Aaron Abbott", 20, "2015-10-23 16:08:41Z"),
        (3, "Aaron Abbott", 21, "2015-10-23 16:08:41Z"),
        (4, None, 21, "2015-10-23 16:08:41Z"),
        (5, "New Year", 30, "2020-12-31 23:59:59Z"),
        (6, "Too Late", 30, "2021-01-01 00:00:00Z"),
        (7, "Too Early", 30, "2014-12-31 23:59:59Z"),
        (8, "No Date", 30, None),
    ]

    assert analyse(spark, "users_joined_by_year", users=users) == [(2015, 3), (2020, 1)]
