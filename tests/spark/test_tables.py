"""A few values of ours as rows of Spark's."""

from __future__ import annotations

import pytest
from py4j.protocol import Py4JJavaError

SCHEMA = "number BIGINT, text STRING, part DOUBLE, places ARRAY<STRUCT<name: STRING, at: TIMESTAMP>>"


def test_rows_hold_what_they_are_given_in_its_order(bare_lake):
    places = [{"name": "p0", "at": "2024-03-01T09:30:00.123456+00:00"}]
    values = [
        {"number": 2**53 + 1, "text": 'é 🎄 "quoted"\n\u2028', "part": 0.1, "places": places},
        {"number": -1, "text": None, "part": None, "places": []},
    ]

    rows = bare_lake.rows(values, SCHEMA)

    at = "transform(places, place -> unix_micros(place.at)) AS at"
    assert [tuple(row) for row in rows.selectExpr("number", "text", "part", at).collect()] == [
        (values[0]["number"], values[0]["text"], 0.1, [1_709_285_400_123_456]),
        (-1, None, None, []),
    ]


@pytest.mark.parametrize("number", ["many", 1.5, 2**63])
def test_a_value_that_is_not_of_its_type_fails_and_is_not_lost(bare_lake, number):
    with pytest.raises(Py4JJavaError, match="MALFORMED_RECORD_IN_PARSING"):
        bare_lake.rows([{"number": number}], SCHEMA).collect()
