"""Dirty values, one by one. The expected side is written by hand from docs/data.md, never computed by the code."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from pinterest_lake.cleaning import CLEAN
from pinterest_lake.records import read, with_record
from tests.spark.source_rows import ROWS

NBSP = "\u00a0"
NO_TEXTS = [("empty", ""), ("blank", " "), ("non-breaking blank", NBSP)] + [
    (f"says {text}", text) for text in ("null", "N/A", "n/a", "none", "None", "NaN")
]


def moment(*parts):
    return datetime(*parts, tzinfo=UTC)


DATES = [
    ("2018-12-31 10:00:00.250000", moment(2018, 12, 31, 10, 0, 0, 250_000)),
    ("2018-12-31T10:00:00.5", moment(2018, 12, 31, 10, 0, 0, 500_000)),
    ("2018-12-31T10:00:00,25", moment(2018, 12, 31, 10, 0, 0, 250_000)),
    ("2018-12-31T10:00:00.123456789", moment(2018, 12, 31, 10, 0, 0, 123_456)),
    ("2018:12:31 10:00:00.000001", moment(2018, 12, 31, 10, 0, 0, 1)),
    ("2018-12-31T10:00:00Z", moment(2018, 12, 31, 10)),
    ("2018-12-31 10:00:00.250Z", moment(2018, 12, 31, 10, 0, 0, 250_000)),
    ("2018-12-31T10:00:00+02:00", moment(2018, 12, 31, 8)),
    ("2018-12-31T10:00:00+0200", moment(2018, 12, 31, 8)),
    ("2018-12-31T10:00:00+02", moment(2018, 12, 31, 8)),
    ("2018-12-31 10:00:00.25-03:30", moment(2018, 12, 31, 13, 30, 0, 250_000)),
    ("2018-12-31T23:50:00-05:00", moment(2019, 1, 1, 4, 50)),
    ("2019-01-01T05:20:00+05:30", moment(2018, 12, 31, 23, 50)),
    ("2018:12:31 10:00:00-00:00", moment(2018, 12, 31, 10)),
    ("2018-12-31T10:00:00.123456789+14:00", moment(2018, 12, 30, 20, 0, 0, 123_456)),
    (f" 2018-12-31T10:00:00Z{NBSP}", moment(2018, 12, 31, 10)),
    ("2018-12-31", moment(2018, 12, 31)),
    ("2018:12:31", moment(2018, 12, 31)),
]

CASES = [
    # entity, fields sent, column, what it becomes, id
    *(
        ("pin", {field: raw}, field, None, f"{field} {name}")
        for field in ("unique_id", "title", "description", "poster_name", "follower_count", "tag_list")
        for name, raw in NO_TEXTS
    ),
    *(
        ("pin", {field: raw}, field, None, f"{field} {name}")
        for field in ("is_image_or_video", "image_src", "save_location", "category")
        for name, raw in NO_TEXTS
    ),
    ("pin", {"title": "No Title Data Available"}, "title", None, "no title"),
    ("pin", {"title": "Loading..."}, "title", None, "title not loaded"),
    ("pin", {"title": "Loading... faster"}, "title", "Loading... faster", "a title that begins like it"),
    ("pin", {"title": "User Info Error"}, "title", "User Info Error", "another column's error is a title"),
    ("pin", {"title": "Farmhouse\nDining Room"}, "title", "Farmhouse\nDining Room", "newline inside a title"),
    ("pin", {"title": "Resin Mosaic Coasters\n"}, "title", "Resin Mosaic Coasters", "newline after a title"),
    ("pin", {"title": f"Royal{NBSP}Men"}, "title", f"Royal{NBSP}Men", "non-breaking blank inside a title"),
    ("pin", {"title": "Entryway Table "}, "title", "Entryway Table", "blank after a title"),
    ("pin", {"title": '"Fall", 🍂 Ñandú Ж שלום'}, "title", '"Fall", 🍂 Ñandú Ж שלום', "quotes, emoji, alphabets"),
    ("pin", {"title": "[DIY] Shelf"}, "title", "[DIY] Shelf", "a title in brackets is a text"),
    ("pin", {"title": "a\u2028b\rc"}, "title", "a\u2028b\rc", "line separators inside a title"),
    ("pin", {"description": "No description available"}, "description", None, "no description"),
    ("pin", {"description": "No description available Story format"}, "description", None, "no description, story"),
    ("pin", {"description": "Untitled"}, "description", None, "untitled"),
    ("pin", {"description": "Art."}, "description", None, "art with a dot"),
    ("pin", {"description": "Art. Deco"}, "description", "Art. Deco", "more than art"),
    ("pin", {"description": "5,237 points • 127 comments"}, "description", None, "scraped counter"),
    ("pin", {"description": "404 points • 22 comments"}, "description", None, "small scraped counter"),
    ("pin", {"description": "404 points • all good"}, "description", "404 points • all good", "no scraped counter"),
    ("pin", {"description": f"Our mission is…{NBSP}"}, "description", "Our mission is…", "cut by the source"),
    ("pin", {"description": f"No description available{NBSP}"}, "description", None, "no description, with a blank"),
    ("pin", {"poster_name": "User Info Error"}, "poster_name", None, "no poster"),
    ("pin", {"poster_name": "Mujer de 10 "}, "poster_name", "Mujer de 10", "blank after a poster"),
    ("pin", {"poster_name": " 🌸Rose🌸 555 0199"}, "poster_name", "🌸Rose🌸 555 0199", "a poster keeps emoji, digits"),
    ("pin", {"tag_list": "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"}, "tag_list", None, "no tags"),
    ("pin", {"tag_list": "N,o,T,a,g,s"}, "tag_list", "N,o,T,a,g,s", "other single letters are tags"),
    ("pin", {"image_src": "Image src error."}, "image_src", None, "no image"),
    ("pin", {"image_src": "Image src error"}, "image_src", "Image src error", "the dot is part of the error"),
    (
        "pin",
        {"is_image_or_video": "multi-video(story page format)"},
        "is_image_or_video",
        "multi-video(story page format)",
        "multi-video stays",
    ),
    ("pin", {"save_location": "Local save in /data/diy"}, "save_location", "/data/diy", "words before the folder"),
    ("pin", {"save_location": "/data/Local save in x"}, "save_location", "/data/Local save in x", "only before it"),
    ("pin", {"save_location": "Local save in "}, "save_location", None, "words and no folder"),
    ("pin", {"follower_count": "437"}, "follower_count", 437, "plain followers"),
    ("pin", {"follower_count": "0"}, "follower_count", 0, "no followers are a number"),
    ("pin", {"follower_count": 437}, "follower_count", 437, "followers as a JSON number"),
    ("pin", {"follower_count": "26k"}, "follower_count", 26_000, "thousands"),
    ("pin", {"follower_count": "985k"}, "follower_count", 985_000, "most thousands"),
    ("pin", {"follower_count": "15M"}, "follower_count", 15_000_000, "millions"),
    ("pin", {"follower_count": " 8M "}, "follower_count", 8_000_000, "millions between blanks"),
    ("pin", {"follower_count": "User Info Error"}, "follower_count", None, "follower error"),
    ("pin", {"follower_count": "8m"}, "follower_count", None, "a unit the source never writes"),
    ("pin", {"follower_count": "1.5M"}, "follower_count", None, "a decimal the source never writes"),
    ("pin", {"follower_count": "-5"}, "follower_count", None, "negative followers"),
    ("pin", {"follower_count": "k"}, "follower_count", None, "unit alone"),
    ("pin", {"follower_count": "9999M"}, "follower_count", None, "more followers than an int holds"),
    ("pin", {"follower_count": "9" * 40}, "follower_count", None, "more followers than a long holds"),
    ("pin", {"follower_count": "9223372036854775807M"}, "follower_count", None, "overflow in the product"),
    ("pin", {"category": "diy-and-crafts"}, "category", "diy-and-crafts", "category"),
    ("pin", {"index": 0}, "ind", 0, "smallest ind"),
    ("pin", {"index": 2**31 - 1}, "ind", 2**31 - 1, "largest ind"),
    ("pin", {"index": 2863.0}, "ind", 2863, "ind with a fraction of nothing"),
    ("pin", {"index": -0.0}, "ind", 0, "ind of minus nothing"),
    ("pin", {"title": None}, "title", None, "JSON null"),
    ("geo", {}, "coordinates", [-89.5236, -154.567], "latitude, then longitude"),
    ("geo", {"latitude": 90, "longitude": 0}, "coordinates", [90.0, 0.0], "whole degrees"),
    ("geo", {"latitude": None}, "coordinates", None, "half a point is none"),
    ("geo", {"longitude": float("nan")}, "coordinates", None, "not a number"),
    ("geo", {"country": "Cote d'Ivoire"}, "country", "Cote d'Ivoire", "apostrophe"),
    ("geo", {"country": " Niger "}, "country", "Niger", "blanks around a country"),
    *(("geo", {"country": raw}, "country", None, f"country {name}") for name, raw in NO_TEXTS),
    ("geo", {"timestamp": "2018-12-31 23:59:59"}, "timestamp", moment(2018, 12, 31, 23, 59, 59), "space"),
    ("geo", {"timestamp": "2018-12-31T23:59:59"}, "timestamp", moment(2018, 12, 31, 23, 59, 59), "T"),
    ("geo", {"timestamp": "2018:12:31 23:59:59"}, "timestamp", moment(2018, 12, 31, 23, 59, 59), "colons"),
    ("geo", {"timestamp": "2020-02-29 00:00:00"}, "timestamp", moment(2020, 2, 29), "leap day"),
    *(("geo", {"timestamp": raw}, "timestamp", expected, f"timestamp {raw}") for raw, expected in DATES),
    *(("geo", {"timestamp": raw}, "timestamp", None, f"timestamp {name}") for name, raw in NO_TEXTS),
    ("user", {}, "user_name", "Thomas Turner", "first, blank, last"),
    ("user", {"first_name": " Thomas ", "last_name": f"Turner{NBSP}"}, "user_name", "Thomas Turner", "trimmed names"),
    ("user", {"first_name": "Mary Ann"}, "user_name", "Mary Ann Turner", "blank inside a name"),
    ("user", {"last_name": "Null"}, "user_name", "Thomas Null", "a family may be called Null"),
    ("user", {"first_name": None}, "user_name", None, "no first name"),
    ("user", {"last_name": None}, "user_name", None, "no last name"),
    *(("user", {"first_name": raw}, "user_name", None, f"first name {name}") for name, raw in NO_TEXTS),
    *(("user", {"last_name": raw}, "user_name", None, f"last name {name}") for name, raw in NO_TEXTS),
    ("user", {}, "age", 34, "age"),
    ("user", {"age": 34.0}, "age", 34, "age with a fraction of nothing"),
    ("user", {"age": -5}, "age", -5, "age below 0"),
    ("user", {"age": None}, "age", None, "unknown age"),
    ("user", {}, "date_joined", moment(2016, 12, 22, 0, 2, 2), "date joined"),
    ("user", {"date_joined": "2016-12-22T00:02:02"}, "date_joined", moment(2016, 12, 22, 0, 2, 2), "joined, T"),
    ("user", {"date_joined": "2016:12:22 00:02:02"}, "date_joined", moment(2016, 12, 22, 0, 2, 2), "joined, colons"),
]


@pytest.fixture(scope="module")
def cleaned(spark):
    """Every case's row, cleaned in one go for each entity: (entity, case number) to row."""
    results = {}
    for entity, row in ROWS.items():
        lines = [
            (number, json.dumps({**row, **sent}, ensure_ascii=False))
            for number, (of, sent, *_) in enumerate(CASES)
            if of == entity
        ]
        frame = read(with_record(spark.createDataFrame(lines, "number INT, raw STRING")), entity)
        results |= {(entity, row.number): row for row in CLEAN[entity](frame, keep=["number"]).collect()}
    return results


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{case[0]}: {case[4]}" for case in CASES])
def test_value(cleaned, number):
    entity, _, column, expected, _ = CASES[number]
    value = cleaned[entity, number][column]

    if isinstance(expected, datetime):
        value = value.astimezone(UTC)
    assert value == expected
    assert type(value) is type(expected)


def test_every_sentinel_at_once(spark, real_rows):
    """Row 7528 of the source: nothing is known but its key, id, kind, folder and category."""
    worst = next(row for row in real_rows["pin"] if row["index"] == 7528)
    frame = read(with_record(spark.createDataFrame([(json.dumps(worst),)], "raw STRING")), "pin")

    assert tuple(CLEAN["pin"](frame).first()) == (
        7528,
        "fbe53c66-3442-4773-b19e-d3ec6f54dddf",
        None,
        None,
        None,
        None,
        None,
        "multi-video(story page format)",
        None,
        "/data/mens-fashion",
        "mens-fashion",
    )


@pytest.mark.parametrize(
    ("entity", "schema"),
    [
        (
            "pin",
            "ind int, unique_id string, title string, description string, follower_count int, poster_name string, "
            "tag_list string, is_image_or_video string, image_src string, save_location string, category string",
        ),
        ("geo", "ind int, country string, coordinates array<double>, timestamp timestamp"),
        ("user", "ind int, user_name string, age int, date_joined timestamp"),
    ],
)
def test_columns_and_their_order(spark, entity, schema):
    frame = read(with_record(spark.createDataFrame([], "raw STRING")), entity)

    assert ", ".join(f"{name} {of}" for name, of in CLEAN[entity](frame).dtypes) == schema
