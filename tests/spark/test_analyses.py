"""The nine analyses, against cases worked out by hand."""

from __future__ import annotations

import pytest

from pinterest_lake.analyses import ANALYSES
from pinterest_lake.posts import posts_of
from tests.oracle import sorted_rows


@pytest.fixture
def analyse(bare_lake):
    """Gives the rows of one analysis; pins, geos and users are short tuples of what the analyses use."""

    def rows_of(values, columns, *moments):
        names = [column.split()[0] for column in columns.split(", ")]
        rows = bare_lake.rows([dict(zip(names, value, strict=True)) for value in values], columns)
        return rows.withColumns({name: rows[name].cast("timestamp") for name in moments})

    def analyse(analysis, pins=(), geos=(), users=()):
        pin = rows_of(pins, "ind INT, category STRING, poster_name STRING, follower_count INT")
        geo = rows_of(geos, "ind INT, country STRING, timestamp STRING", "timestamp")
        user = rows_of(users, "ind INT, user_name STRING, age INT, date_joined STRING", "date_joined")
        return sorted_rows(ANALYSES[analysis](posts_of(pin, geo, user)).collect())

    return analyse


def test_all_ties_are_kept(analyse):
    categories = ["art", "art", "quotes", "quotes", "tattoos"]
    pins = [(ind, category, "a", 1) for ind, category in enumerate(categories, start=1)]
    geos = [(ind, "Bhutan", "2018-01-01 00:00:00Z") for ind in range(1, 6)]

    assert analyse("popular_category_by_country", pins, geos) == [("Bhutan", "art", 2), ("Bhutan", "quotes", 2)]


def test_a_year_is_whole_and_in_utc(analyse):
    pins = [(ind, "art", "a", 1) for ind in range(6)]
    geos = [
        (0, "Chad", "2017-12-31 23:59:59Z"),
        (1, "Chad", "2018-01-01 00:00:00Z"),
        (2, "Chad", "2022-12-31 23:59:59Z"),
        (3, "Chad", "2023-01-01 00:00:00Z"),
        (4, "Chad", None),
        (5, None, "2019-06-01 00:00:00Z"),
    ]

    answer = analyse("popular_category_by_year", pins, geos)

    assert answer == [(2018, "art", 1), (2019, "art", 1), (2022, "art", 1)]


def test_a_poster_counts_once_however_many_pins(analyse):
    pins = [(1, "art", "Rose", 467), (2, "art", "Rose", 6000), (3, "art", "Rose", 6000), (4, "art", "Ann", 6000)]
    pins += [(5, "art", "Who", None), (6, "art", "Elsewhere", 6000)]
    geos = [(ind, "Niger" if ind < 6 else "Mali", "2018-01-01 00:00:00Z") for ind in range(1, 7)]

    assert analyse("top_poster_by_country", pins, geos) == [
        ("Mali", "Elsewhere", 6000),
        ("Niger", "Ann", 6000),
        ("Niger", "Rose", 6000),
    ]
    assert analyse("country_of_top_poster", pins, geos) == [("Mali", 6000), ("Niger", 6000)]


def test_age_groups_have_both_their_ends(analyse):
    ages = [None, 17, 18, 24, 25, 35, 36, 50, 51, 99]
    pins = [(ind, f"category {age}", "a", ind) for ind, age in enumerate(ages)]
    users = [(ind, "u", age, "2016-01-01 00:00:00Z") for ind, age in enumerate(ages)]

    answer = analyse("popular_category_by_age_group", pins, (), users)

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


def test_the_median_is_exact_and_over_pins(analyse):
    pins = [(1, "art", "a", 1), (2, "art", "a", 2), (3, "art", "a", 3), (4, "art", "a", 40), (5, "art", "a", None)]
    users = [(ind, "same person", 20, "2016-01-01 00:00:00Z") for ind in range(1, 6)]

    assert analyse("median_followers_by_age_group", pins, (), users) == [("18-24", 2.5)]
    assert analyse("median_followers_by_join_year", pins, (), users) == [(2016, 2.5)]
    assert analyse("median_followers_by_join_year_and_age_group", pins, (), users) == [("18-24", 2016, 2.5)]


def test_a_person_joins_once(analyse):
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

    assert analyse("users_joined_by_year", users=users) == [(2015, 3), (2020, 1)]
