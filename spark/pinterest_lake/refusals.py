"""Why a record may not pass: one reason code, and a message that names the field and the value.

Explaining parses a line again, field by field, as text. Only refused lines come here, so good records pay nothing.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinterest_lake.cleaning import whole
from pinterest_lake.records import FLAG_MALFORMED, MALFORMED, any_of, foreign, is_bad_datetime, is_valid
from pinterest_lake.schemas import AS_READ, FIELDS, LARGEST_IND, NUMBER_TYPES, Fields

WRAPPERS = ("value", "Data")
SHOWN = 100


def split_valid(records: DataFrame, entity: str) -> tuple[DataFrame, DataFrame]:
    """Parsed records that may pass, and refused ones with their ``reason`` and ``message``."""
    return records.where(is_valid(entity)), explained(records.where(~is_valid(entity)), entity)


def explained(refused: DataFrame, entity: str) -> DataFrame:
    """Refused records with ``reason`` and ``message``: the first rule they break."""
    fields = FIELDS[entity]
    names = (fields.key, *fields.own, *foreign(fields), *WRAPPERS, MALFORMED)
    texts = F.from_json("raw", ", ".join(f"`{name}` STRING" for name in names), FLAG_MALFORMED)
    return (
        refused.withColumn("_said", F.explode(F.array(texts)))
        .withColumn("_refusal", _first_broken_rule(fields))
        .withColumns({"reason": F.col("_refusal.reason"), "message": F.col("_refusal.message")})
        .drop("_said", "_refusal")
    )


def unreadable(lines: DataFrame) -> DataFrame:
    """Lines without a Kafka position, with ``reason`` and ``message``."""
    whole = F.from_json("raw", f"`{MALFORMED}` STRING", FLAG_MALFORMED)
    refusal = _not_an_object(malformed=whole.getField(MALFORMED).isNotNull()).otherwise(
        _refusal("no_position", "not written by the sink: it has no _topic, _partition and _offset")
    )
    return lines.withColumns({"reason": refusal.getField("reason"), "message": refusal.getField("message")})


def _first_broken_rule(fields: Fields) -> Column:
    key = _said(fields.key)
    is_own = any_of(_said(name).isNotNull() for name in fields.own)
    is_foreign = any_of(_said(name).isNotNull() for name in foreign(fields))
    is_wrapped = any_of(F.coalesce(_said(name).startswith("{"), F.lit(False)) for name in WRAPPERS)
    number = _number(fields.key)
    return (
        _not_an_object(malformed=_said(MALFORMED).isNotNull())
        .when(key.isNull() & is_wrapped, _refusal("nested_value", "the row is inside another object; send it bare"))
        .when(~is_own & is_foreign, _refusal("wrong_stream", "a row of another entity: ", _foreign_names(fields)))
        .when(key.isNull(), _refusal("no_ind", f"{fields.key} is missing"))
        .when(
            (number == F.rint(number)) & ~number.between(0, LARGEST_IND),
            _refusal("ind_out_of_range", f"{fields.key}: ", _shown(key)),
        )
        .when(whole(number).isNull(), _refusal("ind_not_an_integer", f"{fields.key}: ", _shown(key)))
        .otherwise(_refusal("field_not_of_type", "", _wrong_fields(fields)))
    )


def _not_an_object(malformed: Column) -> Column:
    start = F.substring(F.ltrim("raw"), 1, 1)
    return (
        F.when(start == "[", _refusal("array_of_rows", "an array; send one row per record"))
        .when(start != "{", _refusal("not_json_object", "not a JSON object: ", _shown(F.col("raw"))))
        .when(malformed, _refusal("truncated_json", "ends, or breaks off, before its last bracket"))
    )


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
    return F.from_json("raw", f"`{name}` {AS_READ}").getField(name)


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
