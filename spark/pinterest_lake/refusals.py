"""Why a record may not pass: one reason code, and a message that names the field and the value.

Explaining parses a record again, field by field, as text. Only refused ones come here, so good records pay nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinterest_lake.cleaning import whole
from pinterest_lake.records import (
    MALFORMED,
    NOT_UTF8,
    STRICT,
    any_of,
    foreign,
    is_bad_datetime,
    is_exact,
    is_one_value,
    is_valid,
)
from pinterest_lake.schemas import AS_READ, FIELDS, LARGEST_IND, NUMBER_TYPES, Fields

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


def split_valid(records: DataFrame, entity: str) -> tuple[DataFrame, DataFrame]:
    """Parsed records that may pass, and refused ones with their ``reason`` and ``message``."""
    return records.where(is_valid(entity)), explained(records.where(~is_valid(entity)), entity)


def explained(refused: DataFrame, entity: str) -> DataFrame:
    """Refused records with ``reason`` and ``message``: the first rule they break."""
    fields = FIELDS[entity]
    names = (fields.key, *fields.own, *foreign(fields), *WRAPPERS, MALFORMED)
    return _with_refusal(refused, names, _first_broken_rule(fields))


def unreadable(lines: DataFrame) -> DataFrame:
    """Lines without a Kafka position (their text in ``raw``), with ``reason`` and ``message``."""
    no_position = _refusal("no_position", "not written by the sink: it has no _topic, _partition and _offset")
    return _with_refusal(lines, (MALFORMED,), _not_an_object().otherwise(no_position))


def _with_refusal(refused: DataFrame, names: Sequence[str], refusal: Column) -> DataFrame:
    """``refusal`` may ask for the fields ``names`` as texts, and for what the text looks like as a whole.

    These come out of a generator: used in many rules, they are still evaluated once.
    """
    read = F.struct(
        F.from_json("raw", ", ".join(f"`{name}` STRING" for name in names), STRICT).alias("_said"),
        F.from_json("raw", "ARRAY<STRING>", STRICT).isNotNull().alias("_is_array"),
        F.substring(F.btrim("raw", F.lit(JSON_BLANKS)), 1, 1).alias("_start"),
    )
    return (
        refused.select("*", F.inline(F.array(read)))
        .withColumn("_refusal", refusal)
        .withColumns({"reason": F.col("_refusal.reason"), "message": F.col("_refusal.message")})
        .drop("_said", "_is_array", "_start", "_refusal")
    )


def _first_broken_rule(fields: Fields) -> Column:
    key = _said(fields.key)
    is_own = any_of(_said(name).isNotNull() for name in fields.own)
    is_foreign = any_of(_said(name).isNotNull() for name in foreign(fields))
    is_wrapped = any_of(F.coalesce(_said(name).startswith("{"), F.lit(False)) for name in WRAPPERS)
    number = _number(fields.key)
    return (
        _not_an_object()
        .when(key.isNull() & is_wrapped, _refusal("nested_value", "the row is inside another object; send it bare"))
        .when(~is_own & is_foreign, _refusal("wrong_stream", "a row of another entity: ", _foreign_names(fields)))
        .when(key.isNull(), _refusal("no_ind", f"{fields.key} is missing"))
        .when(
            (number == F.rint(number)) & ~number.between(0, LARGEST_IND),
            _refusal("ind_out_of_range", f"{fields.key}: ", _shown(key)),
        )
        .when(
            whole(number).isNull() | ~is_exact(fields.key),
            _refusal("ind_not_an_integer", f"{fields.key}: ", _shown(key)),
        )
        .otherwise(_refusal("field_not_of_type", "", _wrong_fields(fields)))
    )


def _not_an_object() -> Column:
    raw, start = F.col("raw"), F.col("_start")
    is_array = (start == "[") & F.col("_is_array")
    is_one = (start == "{") & _said(MALFORMED).isNull() | is_array
    return (
        F.when(raw.isNull(), _refusal("not_json_object", "the record has no value"))
        .when(raw.rlike(KPL_AGGREGATE), _refusal("kpl_aggregate", KPL_ADVICE))
        .when(raw.startswith(NOT_UTF8), _refusal("not_json_object", "not UTF-8 text: ", _shown(raw)))
        .when(~start.isin("[", "{"), _refusal("not_json_object", "not a JSON object: ", _shown(raw)))
        .when(~is_one & _breaks_off(raw), _refusal("truncated_json", "ends, or breaks off, before its last bracket"))
        .when(~is_one, _refusal("not_json_object", "not JSON: ", _shown(raw)))
        .when(~is_one_value(raw), _refusal("not_json_object", "more than one JSON value: ", _shown(raw)))
        .when(is_array, _refusal("array_of_rows", "an array; send one row per record"))
        .when(F.try_parse_json(raw).isNull(), _refusal("not_json_object", "a name is given twice: ", _shown(raw)))
    )


def _breaks_off(raw: Column) -> Column:
    """Whether a text that begins as JSON, and is none, ends too early: it has no bracket at its end, or needs more."""
    last = F.substring(F.btrim(raw, F.lit(JSON_BLANKS)), -1, 1)
    needed = F.exists(F.array(*map(F.lit, ENDINGS)), lambda ending: _is_value(F.concat(raw, ending)))
    return ~last.isin("}", "]") | needed


def _is_value(text: Column) -> Column:
    """Whether the text is a value that an object may hold."""
    in_object = F.concat(F.lit('{"":'), text, F.lit("}"))
    return F.from_json(in_object, f"`{MALFORMED}` STRING", STRICT).getField(MALFORMED).isNull()


def _wrong_fields(fields: Fields) -> Column:
    wrong = {
        **{name: (_is_not(of, _number(name)), f"not {of}") for name, of in fields.numbers.items()},
        **{name: (is_bad_datetime(name), "not a date and time") for name in fields.datetimes},
        **{name: (_is_container(name), "not text") for name in fields.texts},
    }
    return F.concat_ws(
        "; ",
        *(
            F.when(is_wrong, F.concat(F.lit(f"{name}: "), _shown(_said(name)), F.lit(f" is {what}")))
            for name, (is_wrong, what) in wrong.items()
        ),
    )


def _foreign_names(fields: Fields) -> Column:
    return F.concat_ws(", ", *(F.when(_said(name).isNotNull(), F.lit(name)) for name in foreign(fields)))


def _number(name: str) -> Column:
    return F.from_json("raw", f"`{name}` {AS_READ}", STRICT).getField(name)


def _is_not(of: str, number: Column) -> Column:
    return (whole(number) if of == NUMBER_TYPES["integer"] else number).isNull()


def _is_container(name: str) -> Column:
    return F.col("raw").rlike(rf'"{name}"\s*:\s*[\[{{]')


def _said(name: str) -> Column:
    return F.col("_said").getField(name)


def _shown(value: Column) -> Column:
    return F.concat(F.lit("'"), F.substring(value, 1, SHOWN), F.lit("'"))


def _refusal(reason: str, message: str, *detail: Column) -> Column:
    return F.struct(F.lit(reason).alias("reason"), F.concat(F.lit(message), *detail).alias("message"))
