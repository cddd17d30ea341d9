"""What may not pass, and why; what looks odd and may."""

from __future__ import annotations

import json

import pytest
from pyspark.sql import functions as F

from pinterest_lake.records import read, with_record
from pinterest_lake.refusals import explained, is_valid
from tests.spark.source_rows import GEO, PIN, USER

LONG = "x" * 1_000_000

NO_DATES = [
    "2018-02-30T00:00:00Z",
    "2018-02-30",
    "2018-13-01T00:00:00.250+02:00",
    "0000-00-00 00:00:00",
    "2018-01-00 00:00:00",
    "2018-01-01T24:00:00",
    "2018-01-01T23:59:60Z",
    "2018-01-01T10:00:00+19:00",
    "2018-01-01T10:00:00+02:60",
    "2018-01-01T10:00:00 +02:00",
    "2018-01-01T10:00:00+2",
    "2018-01-01T10:00:00+02:",
    "2018-01-01T10:00:00.",
    "2018-01-01T10:00:00.Z",
    "2018-01-01T10:00:00ZZ",
    "2018-01-01T10:00:00[Europe/Berlin]",
    "2018-01-01Z",
    "2018-01-01 10:00",
    "2018-01:01 10:00:00",
    "20180101T100000Z",
    "18-01-01 10:00:00",
    "12018-01-01 10:00:00",
]

REFUSED = [
    ("pin", "not json at all", "not_json_object", "'not json at all'"),
    ("pin", '"a text"', "not_json_object", "a text"),
    ("pin", "null", "not_json_object", "null"),
    ("pin", "7528", "not_json_object", "7528"),
    ("pin", json.dumps([PIN, PIN]), "array_of_rows", "array"),
    ("pin", json.dumps([]), "array_of_rows", "array"),
    ("pin", json.dumps(["country"]), "array_of_rows", "array"),
    ("pin", json.dumps(PIN)[:-20], "truncated_json", "last bracket"),
    ("geo", json.dumps({"value": GEO}), "nested_value", "inside another object"),
    ("pin", json.dumps({"value": {"value": PIN}}), "nested_value", "inside another object"),
    ("user", json.dumps({"Data": USER}), "nested_value", "inside another object"),
    ("user", json.dumps(PIN), "wrong_stream", "index"),
    ("user", json.dumps(GEO), "wrong_stream", "country"),
    ("geo", json.dumps(USER), "wrong_stream", "first_name"),
    ("geo", json.dumps(PIN), "wrong_stream", "title"),
    ("pin", json.dumps(GEO), "wrong_stream", "ind"),
    ("pin", json.dumps(USER), "wrong_stream", "age"),
    ("pin", json.dumps({**PIN, "index": None}), "no_ind", "index is missing"),
    ("pin", json.dumps({name: value for name, value in PIN.items() if name != "index"}), "no_ind", "index"),
    ("geo", json.dumps({name: value for name, value in GEO.items() if name != "ind"}), "no_ind", "ind"),
    ("geo", "{}", "no_ind", "ind"),
    ("pin", json.dumps({**PIN, "index": ["index"]}), "ind_not_an_integer", '["index"]'),
    ("pin", json.dumps({**PIN, "index": "seven"}), "ind_not_an_integer", "'seven'"),
    ("pin", json.dumps({**PIN, "index": "7528"}), "ind_not_an_integer", "'7528'"),
    ("geo", json.dumps({**GEO, "ind": 7.5}), "ind_not_an_integer", "7.5"),
    ("geo", json.dumps({**GEO, "ind": True}), "ind_not_an_integer", "true"),
    ("user", json.dumps({**USER, "ind": {"a": 1}}), "ind_not_an_integer", '{"a":1}'),
    ("user", json.dumps({**USER, "ind": -1}), "ind_out_of_range", "'-1'"),
    ("user", json.dumps({**USER, "ind": 2**31}), "ind_out_of_range", "'2147483648'"),
    ("user", json.dumps({**USER, "ind": 2**63}), "ind_out_of_range", "'9223372036854775808'"),
    ("user", json.dumps({**USER, "ind": 10**50}), "ind_not_an_integer", "'1.0E50'"),
    ("user", json.dumps({**USER, "ind": 2147483648.0}), "ind_out_of_range", "'2147483648'"),
    ("user", json.dumps({**USER, "ind": -1.0}), "ind_out_of_range", "'-1'"),
    ("user", json.dumps({**USER, "ind": 1e300}), "ind_not_an_integer", "E300"),
    ("user", '{"ind":4.0065e4}', "ind_not_an_integer", "40065"),
    ("user", json.dumps({**USER, "ind": "40065.0"}), "ind_not_an_integer", "'40065.0'"),
    ("user", json.dumps({**USER, "ind": 40065.000001}), "ind_not_an_integer", "'40065.000001'"),
    ("user", '{"ind":2863.0000000000001,"age":34}', "ind_not_an_integer", "'2863.0000000000001'"),
    ("user", '{"age":34,"ind":2862.99999999999999999}', "ind_not_an_integer", "'2862.99999999999999999'"),
    ("user", '{"ind":2863,"age":34.00000000000000001}', "field_not_of_type", "age: '34.00000000000000001' is not INT"),
    ("user", json.dumps({**USER, "age": "old"}), "field_not_of_type", "age: 'old' is not INT"),
    ("user", json.dumps({**USER, "age": 34.5}), "field_not_of_type", "age: '34.5' is not INT"),
    ("user", json.dumps({**USER, "age": "old", "ind": -1}), "ind_out_of_range", "'-1'"),
    ("user", json.dumps({**USER, "age": "34"}), "field_not_of_type", "age: '34' is not INT"),
    ("user", json.dumps({**USER, "age": True}), "field_not_of_type", "age: 'true' is not INT"),
    ("user", json.dumps({**USER, "age": 2**31}), "field_not_of_type", "age: '2147483648' is not INT"),
    ("user", json.dumps({**USER, "date_joined": "soon"}), "field_not_of_type", "date_joined: 'soon' is not a date"),
    ("user", json.dumps({**USER, "first_name": {"is": "Tom"}}), "field_not_of_type", "first_name"),
    ("geo", json.dumps({**GEO, "latitude": "north"}), "field_not_of_type", "latitude: 'north' is not DOUBLE"),
    ("geo", json.dumps({**GEO, "latitude": "NaN"}), "field_not_of_type", "latitude: 'NaN' is not DOUBLE"),
    ("geo", json.dumps({**GEO, "latitude": "Infinity"}), "field_not_of_type", "latitude: 'Infinity' is not DOUBLE"),
    ("geo", json.dumps({**GEO, "timestamp": "2018-02-30 00:00:00"}), "field_not_of_type", "'2018-02-30 00:00:00'"),
    ("geo", json.dumps({**GEO, "timestamp": "31/12/2018"}), "field_not_of_type", "'31/12/2018'"),
    *(
        ("geo", json.dumps({**GEO, "timestamp": text}), "field_not_of_type", f"timestamp: '{text}' is not a date")
        for text in NO_DATES
    ),
    ("geo", json.dumps({**GEO, "timestamp": 1514764800}), "field_not_of_type", "1514764800"),
    ("geo", json.dumps({**GEO, "country": ["Niger"]}), "field_not_of_type", "country"),
    ("pin", json.dumps({**PIN, "title": {"text": "x"}}), "field_not_of_type", "title"),
    ("pin", json.dumps({**PIN, "downloaded": 0.5}), "field_not_of_type", "downloaded: '0.5' is not INT"),
    ("pin", json.dumps({**PIN, "downloaded": "yes"}), "field_not_of_type", "downloaded: 'yes' is not INT"),
]

PASSED = [
    ("pin", PIN, "as sent"),
    ("pin", {**PIN, "colour": "red"}, "unknown extra field"),
    ("pin", {**PIN, "value": {"a": 1}}, "extra field called value"),
    ("pin", {**PIN, "age": "a word"}, "extra field of another entity"),
    ("pin", {**PIN, "title": "{curly} things"}, "title that begins with a brace"),
    ("pin", {**PIN, "title": '"description": {'}, "title that quotes JSON"),
    ("pin", {**PIN, "description": LONG}, "a megabyte of text"),
    ("pin", {"index": 5}, "nothing but a key"),
    ("pin", {"index": 5, "title": 5, "category": True}, "texts that are numbers or truths"),
    ("geo", {**GEO, "latitude": None, "longitude": None, "country": None, "timestamp": None}, "nulls"),
    ("geo", {**GEO, "timestamp": "null"}, "no date"),
    ("user", {**USER, "age": None, "date_joined": ""}, "no age, no date"),
    ("user", {**USER, "ind": 40065.0, "age": 34.0}, "whole numbers written with a point"),
    ("geo", {**GEO, "ind": 40065.0, "latitude": -90, "longitude": 1e2}, "numbers written otherwise"),
    ("geo", {**GEO, "timestamp": "2018-12-31T10:00:00.250+02:00"}, "a date with a fraction and an offset"),
    ("user", '{"ind":12345678,"age":3.4e1}', "a whole number with an exponent"),
    ("user", '{"age":34,"ind"\t:\n40065.000\n}', "a key between blanks"),
    ("user", '{"age":34,"ind" : 40065}', "a plain key between blanks"),
    ("user", '{"\\u0069nd":40065}', "a key spelled with an escape"),
    ("user", {**USER, "index": 7}, "extra key of another entity"),
]


def text_of(row):
    return row if isinstance(row, str) else json.dumps(row)


@pytest.fixture(scope="module")
def split(spark):
    """What becomes of every case: (entity, raw) to (reason, message), or None where it passes."""
    outcomes = {}
    cases = [(entity, raw) for entity, raw, *_ in REFUSED] + [(of, text_of(row)) for of, row, _ in PASSED]
    for entity in ("pin", "geo", "user"):
        texts = spark.createDataFrame([(raw,) for of, raw in cases if of == entity], "raw STRING")
        records = read(with_record(texts.withColumn("sent", F.col("raw"))), entity)
        valid, refused = records.where(is_valid(entity)), explained(records.where(~is_valid(entity)), entity)
        outcomes |= {(entity, row.sent): None for row in valid.select("sent").collect()}
        outcomes |= {(entity, row.sent): (row.reason, row.message) for row in refused.collect()}
    return outcomes


@pytest.mark.parametrize(
    ("entity", "raw", "reason", "names"), REFUSED, ids=[f"{case[0]}: {case[2]}: {case[1][:40]}" for case in REFUSED]
)
def test_refused(split, entity, raw, reason, names):
    outcome = split[entity, raw]

    assert outcome, "it passed"
    assert outcome[0] == reason
    assert names in outcome[1]


@pytest.mark.parametrize(("entity", "row"), [case[:2] for case in PASSED], ids=[case[2] for case in PASSED])
def test_passed(split, entity, row):
    assert split[entity, text_of(row)] is None


def test_every_line_is_on_one_side(split):
    assert len(split) == len(REFUSED) + len(PASSED)
