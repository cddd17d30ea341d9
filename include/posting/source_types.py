"""The types of MySQL and MariaDB: how a column's values become JSON, and which columns cannot. Rules: docs/data.md."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from decimal import Decimal
from json.encoder import encode_basestring_ascii
from typing import Any, Literal, NamedTuple

type FieldKind = Literal["key", "text", "integer", "double", "datetime"]
"""What the lake reads a field as, as in its ``contract.json``."""

NULL = "null"
SINGLE_DIGITS = range(6, 10)
"""Of a FLOAT: the server prints 6 digits, and 9 are enough to tell any two apart."""


class Column(NamedTuple):
    """A column as ``information_schema`` describes it: ``type`` is ``decimal``, ``full_type`` is ``decimal(9,6)``."""

    name: str
    type: str
    full_type: str
    nullable: bool


def _integer(value: Any) -> str:
    return str(int(value))


def _bits(value: Any) -> str:
    return str(int.from_bytes(value))


def _decimal(value: Any) -> str:
    return format(Decimal(value), "f")


def _double(value: Any) -> str:
    return repr(float(value))


def _single(value: Any) -> str:
    """The shortest number that is this FLOAT, which comes as a DOUBLE: the server itself would print 16777200 for
    16777216."""
    exact = float(value)
    for digits in SINGLE_DIGITS:
        short = float(f"{exact:.{digits}g}")
        if struct.unpack("<f", struct.pack("<f", short))[0] == exact:
            return repr(short)
    return repr(exact)


def _text(value: Any) -> str:
    return encode_basestring_ascii(value)


def _date(value: Any) -> str:
    """``0000-00-00`` is what MySQL stores for no date."""
    return NULL if value.startswith("0000-00-00") else encode_basestring_ascii(value)


def whole_key(value: Any) -> str:
    """A key of any numeric type: drawn keys are whole, so a row that was found for one has a whole key."""
    return str(int(Decimal(value)))


type Encode = Callable[[Any], str]

INTEGERS: dict[str, Encode] = dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "year"), _integer)
FRACTIONS: dict[str, Encode] = {"decimal": _decimal, "float": _single, "double": _double}
NUMBERS: dict[str, Encode] = {**INTEGERS, **FRACTIONS, "bit": _bits}
CHARACTERS: dict[str, Encode] = dict.fromkeys(
    ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum"), _text
)
DATES: dict[str, Encode] = dict.fromkeys(("date", "datetime", "timestamp"), _date)
OTHER_TEXTS: dict[str, Encode] = dict.fromkeys(("set", "json", "time", "uuid", "inet4", "inet6"), _text)
CARRIED: dict[str, Encode] = {**NUMBERS, **CHARACTERS, **DATES, **OTHER_TEXTS}

KEYS = {**INTEGERS, **FRACTIONS}
READABLE: dict[FieldKind, Iterable[str]] = {
    "key": KEYS,
    "text": CARRIED,
    "integer": NUMBERS,
    "double": NUMBERS,
    "datetime": {**CHARACTERS, **DATES},
}
NEEDED: dict[FieldKind, tuple[str, str]] = {
    "key": ("a whole number, as it is the key", "INT NOT NULL"),
    "integer": ("a whole number", "INT"),
    "double": ("a number", "DOUBLE"),
    "datetime": ("a date and time", "DATETIME"),
}

BINARY = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")
GEOMETRIES = (
    "geometry",
    "point",
    "linestring",
    "polygon",
    "multipoint",
    "multilinestring",
    "multipolygon",
    "geomcollection",
    "geometrycollection",
)
NOT_JSON: dict[str, tuple[str, str]] = {
    **dict.fromkeys(BINARY, ("bytes", "HEX, TO_BASE64 or CONVERT({column} USING utf8mb4)")),
    **dict.fromkeys(GEOMETRIES, ("a geometry", "ST_X and ST_Y, or ST_AsText")),
    "vector": ("a vector", "VECTOR_TO_STRING (MySQL) or VEC_ToText (MariaDB)"),
}


def encoder(column: Column, kind: FieldKind) -> Encode:
    """What turns a value of the column, as the server prints it, into JSON. The column must have no :func:`problem`."""
    return whole_key if kind == "key" else CARRIED[column.type]


def problem(table: str, column: Column, kind: FieldKind) -> str | None:
    """Why the column cannot be posted as a field of this kind, and what to do; None if it can."""
    if column.type in READABLE[kind]:
        return None
    named = f"{table}.{column.name} is {column.full_type.upper()}"
    view = f"or put a view named {table} in the table's place that gives {column.name} "
    if column.type in NOT_JSON:
        holds, functions = NOT_JSON[column.type]
        return (
            f"{named}: it holds {holds}, which JSON has no value for. What to do: change the column's type, {view}as "
            f"text or a number, with {functions.format(column=column.name)}."
        )
    if column.type not in CARRIED:
        return f"{named}, a type that this pipeline does not know. What to do: change it, {view}as text or a number."
    needed, example = NEEDED[kind]
    return (
        f"{named}, and must be {needed}. What to do: ALTER TABLE `{table}` MODIFY `{column.name}` {example}, {view}so."
    )
