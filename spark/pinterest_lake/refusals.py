"""Why a record may not pass: one reason code, and a message that names the field and the value.

The rules stand in one list, and the first that a record breaks is its reason. A good record breaks none; what costs
much is asked only where something is amiss.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinterest_lake.cleaning import NO_VALUE, datetime, trim, whole
from pinterest_lake.records import NOT_UTF8, said, type_of
from pinterest_lake.schemas import FIELDS, LARGEST_IND, Fields

WRAPPERS = ("value", "Data")
SHOWN = 100
JSON_BLANKS = " \t\n\r"
KPL_AGGREGATE = f"^{NOT_UTF8}84mawg[o-r]"
"""How an aggregate of the Kinesis Producer Library begins: F3 89 9A C2, which is no UTF-8, and a protobuf message."""

KPL_ADVICE = (
    "an aggregate of the Kinesis Producer Library (KPL), which holds several records; "
    "send each by itself (AggregationEnabled=false)"
)
ENDINGS = tuple(text + brackets for text in ("", '"', '":0') for brackets in ("}", "]}", "}}", "}]}", "]"))
"""What a text that ends with a bracket may lack: it broke off inside a text, or behind an inner bracket."""

type Rule = tuple[str, Column, Column]
"""Reason code, whether a record breaks the rule (null is no), and the message."""


def is_valid(entity: str) -> Column:
    """True for records, as read, that may pass; False for all others: the rules before the key's are about records that
    have none."""
    is_refused = any_of(is_broken for _, is_broken, _ in _rules_of_rows(FIELDS[entity]))
    return F.coalesce(~is_refused, F.lit(True))


def explained(refused: DataFrame, entity: str) -> DataFrame:
    """Refused records, as read, with ``reason`` and ``message`` of the first rule they break. ``raw`` is what
    ``quarantine`` keeps: the text as it was sent if it is no JSON, else the JSON of ``record``."""
    fields = FIELDS[entity]
    rules = [*_not_an_object(), *_rules_of_wrapped_rows(fields), *_rules_of_rows(fields)]
    return _with_refusal(refused, rules, text=F.coalesce("raw", F.to_json("record")))


def unreadable(lines: DataFrame) -> DataFrame:
    """Lines without a Kafka position, with ``reason`` and ``message``; ``raw`` is the line."""
    no_position = "not written by the sink: it has no _topic, _partition and _offset"
    rules = [*_not_an_object(), ("no_position", F.lit(True), F.lit(no_position))]
    return _with_refusal(lines, rules, text=F.col("line"))


def foreign(fields: Fields) -> tuple[str, ...]:
    """The fields that only the other entities have."""
    others = [field for other in FIELDS.values() for field in (other.key, *other.own)]
    return tuple(dict.fromkeys(field for field in others if field not in (fields.key, *fields.own)))


def _with_refusal(refused: DataFrame, rules: Iterable[Rule], *, text: Column) -> DataFrame:
    broken = [
        F.when(is_broken, F.struct(F.lit(reason).alias("reason"), message.alias("message")))
        for reason, is_broken, message in rules
    ]
    return (
        refused.withColumns({"raw": text, "_refusal": F.coalesce(*broken)}).select("*", "_refusal.*").drop("_refusal")
    )


def _rules_of_wrapped_rows(fields: Fields) -> Iterator[Rule]:
    is_wrapped = any_of(type_of(name).startswith("OBJECT") for name in WRAPPERS)
    inside = F.lit("the row is inside another object; send it bare")
    yield "nested_value", said(fields.key).isNull() & is_wrapped, inside


def _rules_of_rows(fields: Fields) -> Iterator[Rule]:
    """A record that breaks none of these has a key, and so is an object and no wrapper of one."""
    key = F.col(fields.key)
    is_own = any_of(F.col(name).isNotNull() for name in fields.own) | any_of(
        said(name).isNotNull() for name in fields.numbers
    )
    is_foreign = any_of(said(name).isNotNull() for name in foreign(fields))
    wrong = [*_wrong_fields(fields)]
    yield "wrong_stream", ~is_own & is_foreign, F.concat(F.lit("a row of another entity: "), _foreign_names(fields))
    yield "no_ind", key.isNull() & said(fields.key).isNull(), F.lit(f"{fields.key} is missing")
    yield "ind_out_of_range", (key == F.rint(key)) & ~key.between(0, LARGEST_IND), _named(fields.key)
    yield "ind_not_an_integer", whole(key).isNull(), _named(fields.key)
    yield (
        "field_not_of_type",
        any_of(is_wrong for is_wrong, _ in wrong),
        F.concat_ws("; ", *(F.when(is_wrong, message) for is_wrong, message in wrong)),
    )


def _not_an_object() -> Iterator[Rule]:
    record, raw = F.col("record"), F.col("raw")
    start = F.substring(F.btrim(raw, F.lit(JSON_BLANKS)), 1, 1)
    is_other = record.isNotNull() & ~type_of().startswith("OBJECT")
    yield "not_json_object", record.isNull() & raw.isNull(), F.lit("the record has no value")
    yield "kpl_aggregate", raw.rlike(KPL_AGGREGATE), F.lit(KPL_ADVICE)
    yield "not_json_object", raw.startswith(NOT_UTF8), F.concat(F.lit("not UTF-8 text: "), _shown(raw))
    yield "array_of_rows", type_of().startswith("ARRAY"), F.lit("an array; send one row per record")
    yield "not_json_object", is_other, F.concat(F.lit("not a JSON object: "), _shown(F.to_json(record)))
    yield "not_json_object", ~start.isin("[", "{"), F.concat(F.lit("not a JSON object: "), _shown(raw))
    yield "not_json_object", _begins_with_value(raw), F.concat(F.lit("more than one JSON value: "), _shown(raw))
    yield "truncated_json", _breaks_off(raw), F.lit("ends, or breaks off, before its last bracket")
    yield (
        "not_json_object",
        F.json_object_keys(raw).isNotNull(),
        F.concat(F.lit("a name stands twice: "), _shown(raw)),
    )
    yield "not_json_object", record.isNull(), F.concat(F.lit("not JSON: "), _shown(raw))


def _wrong_fields(fields: Fields) -> Iterator[tuple[Column, Column]]:
    """Whether each field is of another type than its own, and the message."""
    for name, of in fields.numbers.items():
        number = whole(name) if name in fields.integers else F.col(name)
        yield number.isNull() & said(name).isNotNull(), _named(name, f" is not {of}")
    for name in fields.datetimes:
        yield is_bad_datetime(name), _named(name, " is not a date and time")
    for name in fields.texts:
        begins_as_one = F.col(name).startswith("{") | F.col(name).startswith("[")
        yield begins_as_one & type_of(name).rlike("^(OBJECT|ARRAY)"), _named(name, " is not text")


def is_bad_datetime(name: str) -> Column:
    """True for a text that has a value, but not a date and time."""
    text = trim(name)
    return F.coalesce(~text.isin(*NO_VALUE), F.lit(False)) & datetime(text).isNull()


def _begins_with_value(text: Column) -> Column:
    return F.try_parse_json(text).isNotNull()


def _breaks_off(raw: Column) -> Column:
    """Whether a text that begins as JSON, and is none, ends too early: it has no bracket at its end, or needs more."""
    last = F.substring(F.btrim(raw, F.lit(JSON_BLANKS)), -1, 1)
    needed = F.exists(F.array(*map(F.lit, ENDINGS)), lambda ending: _begins_with_value(F.concat(raw, ending)))
    return ~last.isin("}", "]") | needed


def _foreign_names(fields: Fields) -> Column:
    return F.concat_ws(", ", *(F.when(said(name).isNotNull(), F.lit(name)) for name in foreign(fields)))


def _named(name: str, what: str = "") -> Column:
    """A field and its value."""
    return F.concat(F.lit(f"{name}: "), _shown(said(name)), F.lit(what))


def _shown(value: Column) -> Column:
    return F.concat(F.lit("'"), F.substring(value, 1, SHOWN), F.lit("'"))


def any_of(conditions: Iterable[Column]) -> Column:
    return reduce(or_, conditions, F.lit(False))
