"""Why a record may not pass: one reason code, and a message that names the field and the value.

Explaining parses a line again, field by field, as texts. That costs nothing where all is well: only refused lines
come here.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinterest_lake.records import FLAG_MALFORMED, MALFORMED, any_of, foreign, is_bad_datetime, is_valid
from pinterest_lake.schemas import LARGEST_IND, SOURCES, Source

WRAPPERS = ("value", "Data")
SHOWN = 100


def split_valid(records: DataFrame, stream: str) -> tuple[DataFrame, DataFrame]:
    """Parsed records that may pass, and those that may not, with their ``reason`` and ``message``."""
    return records.where(is_valid(stream)), explained(records.where(~is_valid(stream)), stream)


def explained(refused: DataFrame, stream: str) -> DataFrame:
    """Records that do not pass, with ``reason`` and ``message``: the first rule that they break."""
    source = SOURCES[stream]
    names = (source.key, *source.own, *foreign(source), *WRAPPERS, MALFORMED)
    texts = F.from_json("raw", ", ".join(f"`{name}` STRING" for name in names), FLAG_MALFORMED)
    return (
        refused.withColumn("_said", F.explode(F.array(texts)))
        .withColumn("_refusal", _first_broken_rule(source))
        .withColumns({"reason": F.col("_refusal.reason"), "message": F.col("_refusal.message")})
        .drop("_said", "_refusal")
    )


def unreadable(lines: DataFrame) -> DataFrame:
    """Lines that hold no Kafka position, with ``reason`` and ``message``."""
    whole = F.from_json("raw", f"`{MALFORMED}` STRING", FLAG_MALFORMED)
    refusal = _not_an_object(malformed=whole.getField(MALFORMED).isNotNull()).otherwise(
        _refusal("no_position", "not written by the sink: it has no _topic, _partition and _offset")
    )
    return lines.withColumns({"reason": refusal.getField("reason"), "message": refusal.getField("message")})


def _first_broken_rule(source: Source) -> Column:
    key = _said(source.key)
    is_own = any_of(_said(name).isNotNull() for name in source.own)
    is_foreign = any_of(_said(name).isNotNull() for name in foreign(source))
    is_wrapped = any_of(F.coalesce(_said(name).startswith("{"), F.lit(False)) for name in WRAPPERS)
    in_range = F.coalesce(key.try_cast("decimal(38,0)").between(0, LARGEST_IND), F.lit(False))
    return (
        _not_an_object(malformed=_said(MALFORMED).isNotNull())
        .when(key.isNull() & is_wrapped, _refusal("nested_value", "the row is inside another object; send it bare"))
        .when(~is_own & is_foreign, _refusal("wrong_stream", "a row of another stream: ", _foreign_names(source)))
        .when(key.isNull(), _refusal("no_ind", f"{source.key} is missing"))
        .when(key.rlike(r"^-?\d+$") & ~in_range, _refusal("ind_out_of_range", f"{source.key}: ", _shown(key)))
        .when(~_is_of_type(source.key, "BIGINT"), _refusal("ind_not_an_integer", f"{source.key}: ", _shown(key)))
        .otherwise(_refusal("field_not_of_type", "", _wrong_fields(source)))
    )


def _not_an_object(malformed: Column) -> Column:
    start = F.substring(F.ltrim("raw"), 1, 1)
    return (
        F.when(start == "[", _refusal("array_of_rows", "an array; send one row a record"))
        .when(start != "{", _refusal("not_json_object", "not a JSON object: ", _shown(F.col("raw"))))
        .when(malformed, _refusal("truncated_json", "ends, or breaks off, before its last bracket"))
    )


def _wrong_fields(source: Source) -> Column:
    wrong = {
        **{name: (~_is_of_type(name, of), f"not {of}") for name, of in source.numbers.items()},
        **{name: (is_bad_datetime(name), "not a date and time") for name in source.datetimes},
        **{name: (_is_container(name), "not a text") for name in source.texts},
    }
    return F.concat_ws(
        "; ",
        *(
            F.when(is_wrong, F.concat(F.lit(f"{name}: "), _shown(_said(name)), F.lit(f" is {what}")))
            for name, (is_wrong, what) in wrong.items()
        ),
    )


def _foreign_names(source: Source) -> Column:
    return F.concat_ws(", ", *(F.when(_said(name).isNotNull(), F.lit(name)) for name in foreign(source)))


def _is_of_type(name: str, of: str) -> Column:
    return F.from_json("raw", f"`{name}` {of}").getField(name).isNotNull()


def _is_container(name: str) -> Column:
    return F.col("raw").rlike(rf'"{name}"\s*:\s*[\[{{]')


def _said(name: str) -> Column:
    return F.col("_said").getField(name)


def _shown(value: Column) -> Column:
    return F.concat(F.lit("'"), F.substring(value, 1, SHOWN), F.lit("'"))


def _refusal(reason: str, message: str, *detail: Column) -> Column:
    return F.struct(F.lit(reason).alias("reason"), F.concat(F.lit(message), *detail).alias("message"))
