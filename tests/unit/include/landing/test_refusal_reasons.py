"""The reason code of a record that the sink refused."""

from __future__ import annotations

import json

import pytest

from include.landing.refusal_reasons import classify
from tests.json_texts import REFUSED

NO_OBJECTS = ("not_json_object", "truncated_json", "array_of_rows", "kpl_aggregate")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(b"not json", "not_json_object", id="text"),
        pytest.param(b"", "not_json_object", id="empty"),
        pytest.param(b" \n", "not_json_object", id="blank"),
        pytest.param(None, "not_json_object", id="no value"),
        pytest.param(b"\xff\xfe{", "not_json_object", id="no UTF-8"),
        pytest.param(b'"text"', "not_json_object", id="string"),
        pytest.param(b"42", "not_json_object", id="number"),
        pytest.param(b"null", "not_json_object", id="null"),
        pytest.param(b'{"a":NaN}', "not_json_object", id="not a JSON number"),
        pytest.param(b'{"a" 1}', "not_json_object", id="no colon"),
        pytest.param(b'{"a":1}}', "not_json_object", id="one bracket too many"),
        pytest.param(b'{"a":1]', "not_json_object", id="the wrong bracket"),
        pytest.param(b'[{"index":1},{"index":2}]', "array_of_rows", id="array of rows"),
        pytest.param(b"[]", "array_of_rows", id="empty array"),
        pytest.param(b'{"index":7528,"title":"Farm', "truncated_json", id="cut in a string"),
        pytest.param(b'{"index":7528,', "truncated_json", id="cut after a comma"),
        pytest.param(b'[{"index":1},', "truncated_json", id="cut in an array"),
        pytest.param(b'{"a":"\\"', "truncated_json", id="cut after an escaped quote"),
        pytest.param(b'{"a":tru', "truncated_json", id="cut in a literal"),
        pytest.param(b'{"a":-1.', "truncated_json", id="cut in a number"),
        pytest.param(b'{"a":"\\u00', "truncated_json", id="cut in an escape"),
        pytest.param(b'{"a":1  ', "truncated_json", id="cut before a bracket"),
        pytest.param(b'{"a" 1', "truncated_json", id="cut, and without a colon"),
        pytest.param(b'{"a":1}x', "not_json_object", id="text after the object"),
        pytest.param(b'["' + b"x" * 1_000_000, "truncated_json", id="a megabyte, cut"),
        pytest.param(b"9" * 5000, "not_json_object", id="a number of 5000 digits"),
    ],
)
def test_reason(value, reason):
    code, message = classify(value)

    assert code == reason
    assert message


@pytest.mark.parametrize("name", [name for name, (_, reason) in REFUSED.items() if reason in NO_OBJECTS])
def test_a_dead_letter_has_the_reason_that_the_lake_gives(name):
    value, reason = REFUSED[name]

    assert classify(value)[0] == reason


def test_every_beginning_of_a_row_is_truncated():
    row = json.dumps({"a": [1.5, -2e10, True, None, {"b": 'é\\"\n🚗'}], "c": -0.1e-5, "d": "é🚗"})
    unescaped = json.dumps(json.loads(row), ensure_ascii=False)

    for text in (row, unescaped):
        codes = {classify(text[:length].encode())[0] for length in range(1, len(text))}
        assert codes == {"truncated_json"}
