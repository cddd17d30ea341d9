"""Every type of MySQL and MariaDB: the JSON of its values, or why it has none."""

from __future__ import annotations

import json
import re

import pytest

from include.posting.source_types import CARRIED, NOT_JSON, READABLE, Column, encoder, problem
from tests.builders import ROOT

# as the server prints them
VALUES = [
    ("tinyint(1)", "1", "1"),
    ("tinyint(4)", "-128", "-128"),
    ("int(11)", "7528", "7528"),
    ("int(8) unsigned zerofill", "00007528", "7528"),
    ("bigint(20) unsigned", "18446744073709551615", "18446744073709551615"),
    ("year(4)", "2018", "2018"),
    ("year(4)", "0000", "0"),
    ("bit(1)", b"\x01", "1"),
    ("bit(64)", b"\xff" * 8, "18446744073709551615"),
    ("decimal(9,6)", "-89.978700", "-89.978700"),
    ("decimal(65,30)", "9" * 35 + "." + "9" * 30, "9" * 35 + "." + "9" * 30),
    ("decimal(8,2) zerofill", "000012.50", "12.50"),
    ("decimal(10,0)", "0", "0"),
    ("decimal(65,0)", "1" + "0" * 64, "1" + "0" * 64),
    ("float", "-89.97869873046875", "-89.9787"),
    ("float", "90", "90.0"),
    ("float", "16777216", "16777216.0"),
    ("float", "0.10000000149011612", "0.1"),
    ("float", "3.4028234663852886e38", "3.4028235e+38"),
    ("float", "1.401298464324817e-45", "1.4013e-45"),
    ("double", "-154.567", "-154.567"),
    ("double", "1e20", "1e+20"),
    ("double", "0.1", "0.1"),
    ("varchar(20)", '"Fall", 🍂\n', '"\\"Fall\\", \\ud83c\\udf42\\n"'),
    ("longtext", "", '""'),
    ("enum('a','b')", "b", '"b"'),
    ("set('a','b')", "a,b", '"a,b"'),
    ("json", '{"a": 1}', '"{\\"a\\": 1}"'),
    ("uuid", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", '"f81d4fae-7dec-11d0-a765-00a0c91e6bf6"'),
    ("inet6", "::1", '"::1"'),
    ("time(3)", "-838:59:59.000", '"-838:59:59.000"'),
    ("date", "2018-12-31", '"2018-12-31"'),
    ("datetime(6)", "2018-12-31 10:00:00.250000", '"2018-12-31 10:00:00.250000"'),
    ("timestamp", "2018-12-31 23:50:00", '"2018-12-31 23:50:00"'),
    ("date", "0000-00-00", "null"),
    ("datetime(3)", "0000-00-00 00:00:00.000", "null"),
    ("datetime", "2018-00-00 00:00:00", '"2018-00-00 00:00:00"'),
]

REFUSED = [
    ("key", "varchar(20)", "user_data.c is VARCHAR(20), and must be a whole number, as it is the key. What to do: "),
    ("key", "text", "ALTER TABLE `user_data` MODIFY `c` INT NOT NULL, or put a view named user_data in the table's"),
    ("key", "datetime", "must be a whole number"),
    ("key", "bit(32)", "must be a whole number"),
    ("key", "binary(16)", "it holds bytes"),
    ("integer", "varchar(3)", "user_data.c is VARCHAR(3), and must be a whole number. What to do: "),
    ("integer", "date", "must be a whole number"),
    ("double", "tinytext", "must be a number. What to do: ALTER TABLE `user_data` MODIFY `c` DOUBLE"),
    ("double", "json", "must be a number"),
    ("double", "point", "user_data.c is POINT: it holds a geometry, which JSON has no value for. What to do: change"),
    ("datetime", "bigint(20)", "must be a date and time. What to do: ALTER TABLE `user_data` MODIFY `c` DATETIME"),
    ("datetime", "year(4)", "must be a date and time"),
    ("datetime", "time", "must be a date and time"),
    ("text", "blob", "with HEX, TO_BASE64 or CONVERT(c USING utf8mb4)"),
    ("text", "varbinary(255)", "it holds bytes, which JSON has no value for"),
    ("text", "geometrycollection", "with ST_X and ST_Y, or ST_AsText"),
    ("text", "vector(3)", "with VECTOR_TO_STRING (MySQL) or VEC_ToText (MariaDB)"),
    ("text", "xmltype", "user_data.c is XMLTYPE, a type that this pipeline does not know"),
]


def described(full_type: str) -> Column:
    return Column("c", re.match(r"\w+", full_type)[0], full_type, nullable=True)


@pytest.mark.parametrize(("full_type", "printed", "expected"), VALUES)
def test_a_value_in_json(full_type, printed, expected):
    found = encoder(described(full_type), "text")(printed)

    assert found == expected
    json.loads(found)


@pytest.mark.parametrize(
    ("full_type", "printed"),
    [
        ("int(11)", "7528"),
        ("int(8) zerofill", "00007528"),
        ("bigint(20) unsigned", "7528"),
        ("decimal(10,0)", "7528"),
        ("decimal(10,2)", "7528.00"),
        ("float", "7528"),
        ("double", "7528"),
    ],
)
def test_a_key_is_a_whole_number_whatever_its_type(full_type, printed):
    assert problem("user_data", described(full_type), "key") is None
    assert encoder(described(full_type), "key")(printed) == "7528"


@pytest.mark.parametrize(("kind", "full_type", "said"), REFUSED)
def test_what_cannot_be_posted_is_named_with_what_to_do(kind, full_type, said):
    message = problem("user_data", described(full_type), kind)

    assert said in message
    assert message.startswith("user_data.c is ")
    assert "What to do: " in message


def test_a_field_of_text_takes_every_type_that_has_json():
    assert READABLE["text"] is CARRIED
    assert not set(CARRIED) & set(NOT_JSON)


@pytest.mark.parametrize("full_type", ["varchar(19)", "text", "date", "datetime(6)", "timestamp"])
def test_a_date_may_be_a_text(full_type):
    assert problem("user_data", described(full_type), "datetime") is None


def test_every_type_is_documented():
    section = (ROOT / "docs" / "data.md").read_text().split("\n### Types\n", 1)[1].split("\n#", 1)[0]
    documented = {name.lower() for name in re.findall(r"`([A-Z0-9]+)`", section)}

    assert {*CARRIED, *NOT_JSON} <= documented
