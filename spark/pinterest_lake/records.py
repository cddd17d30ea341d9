"""A record: where it was, what it says, and whether it may pass. Batch and stream read the same text with ``parsed``.

A record is parsed once, with its entity's own schema: parsing is what cleaning costs. ``refusals`` says why a record
may not pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import and_, or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinterest_lake.cleaning import NO_VALUE, datetime, trim, whole
from pinterest_lake.contract import POSITION, RECORD
from pinterest_lake.schemas import AS_READ, FIELDS, Fields

MALFORMED = "_malformed"
STRICT = {
    "allowSingleQuotes": "false",
    "allowNonNumericNumbers": "false",
    "columnNameOfCorruptRecord": MALFORMED,
}
"""JSON as RFC 8259 has it; Spark's other leniencies are off by default."""
WHOLE = r"^-?(\d+(\.0)?|\d\.\d+E\d)$"
"""As a variant prints a number: one with an exponent was written with one, and is a double."""

POSITION_SCHEMA = ", ".join(f"{name} {of}" for name, of in POSITION.items())
BYTES = f'{{"{RECORD}":'
"""How a line with a record's bytes begins."""

NOT_UTF8 = "base64:"


def as_text(data: Column) -> Column:
    """The bytes as UTF-8 text, or as ``base64:…`` if they are not UTF-8."""
    return F.coalesce(F.try_validate_utf8(data.cast("string")), F.concat(F.lit(NOT_UTF8), F.base64(data)))


def positioned(lines: DataFrame, entity: str) -> DataFrame:
    """Lines (column ``line``) with their topic, partition, offset and kafka_time, the record's text (``raw``), and its
    ``ind`` if it can be read.

    A line holds its record's bytes. Connectors of earlier versions wrote the record's own fields instead: then the line
    is the text. A record without a value has none. A line without a position is its own text, and all else is null.
    """
    held = F.from_json("line", f"{POSITION_SCHEMA}, {RECORD} BINARY")
    return (
        lines.select(*lines.columns, F.inline(F.array(held)))
        .withColumn("raw", _record_of_line())
        .select(
            *lines.columns,
            F.col("_topic").alias("topic"),
            F.col("_partition").alias("partition"),
            F.col("_offset").alias("offset"),
            F.timestamp_millis("_timestamp").alias("kafka_time"),
            "raw",
            _ind_as_said(FIELDS[entity].key).alias("ind"),
        )
    )


def _record_of_line() -> Column:
    """Earlier connectors wrote fields in the order of a Java HashMap, in which one of this name never comes first."""
    line = F.col("line")
    sent = F.when(line.startswith(BYTES), as_text(F.col(RECORD)))
    return F.coalesce(sent, F.when(~line.startswith(f"{BYTES}null"), line))


def _ind_as_said(key: str) -> Column:
    """Nearly every record begins with its key, so that it need not be parsed to know it."""
    begun = F.regexp_extract(F.substring("raw", 1, 60), rf'^\s*\{{\s*"{key}"\s*:\s*(\d{{1,18}})\s*[,}}]', 1)
    said = F.from_json("raw", f"`{key}` STRING").getField(key)
    return F.coalesce(begun.try_cast("bigint"), said.try_cast("bigint"), whole(said.try_cast("double")))


def parsed(records: DataFrame, entity: str) -> DataFrame:
    """Records (column ``raw``) with their entity's fields, the numbers as doubles; a missing field, or one of another
    type, is null.

    The fields come out of a generator, which Spark neither evaluates twice nor moves a filter below.
    """
    fields = FIELDS[entity]
    types = dict.fromkeys((*fields.texts, *fields.datetimes, *foreign(fields), MALFORMED), "STRING")
    types |= dict.fromkeys((fields.key, *fields.numbers), AS_READ)
    schema = ", ".join(f"`{name}` {of}" for name, of in types.items())
    kept = [name for name in records.columns if name not in types]
    return records.select(*kept, F.inline(F.array(F.from_json("raw", schema, STRICT))))


def is_valid(entity: str) -> Column:
    """True for parsed records that may pass, False for all others."""
    fields = FIELDS[entity]
    is_typed = F.col(MALFORMED).isNull() & ~holds_container(fields)
    is_own = any_of(F.col(name).isNotNull() for name in fields.own)
    is_foreign = any_of(F.col(name).isNotNull() for name in foreign(fields))
    passes = (
        is_typed
        & (whole(fields.key) >= 0)
        & is_exact(fields.key)
        & all_of(F.col(name).isNull() | whole(name).isNotNull() for name in fields.integers)
        & (is_own | ~is_foreign)
        & is_one_value(F.col("raw"))
        & F.try_parse_json("raw").isNotNull()  # null if a name stands twice, of which from_json takes the last
        & all_of(~is_bad_datetime(name) for name in fields.datetimes)
    )
    return F.coalesce(passes, F.lit(False))


def holds_container(fields: Fields) -> Column:
    """True where a text field is a JSON object or array. A title may begin with a bracket, so only then is the line
    itself searched."""
    looks_like_one = any_of(F.col(name).startswith(bracket) for name in fields.texts for bracket in "{[")
    return F.coalesce(looks_like_one, F.lit(False)) & F.col("raw").rlike(rf'"({"|".join(fields.texts)})"\s*:\s*[\[{{]')


def is_one_value(text: Column) -> Column:
    """Whether nothing but white space follows the JSON value with which the text begins: Spark's parsers stop there.

    Nothing does where the first closing brace is the last character, as in nearly every record. Any other text is asked
    twice: inside an array only what begins with ``]`` could go unnoticed, which would break an object.
    """
    ends_with_its_only_brace = F.octet_length(F.substring_index(text, "}", 1)) == F.octet_length(text) - 1
    in_array = F.json_array_length(F.concat(F.lit("["), text, F.lit("]"))) == 1
    in_object = F.size(F.json_object_keys(F.concat(F.lit('{"":'), text, F.lit("}")))) == 1
    return F.when(ends_with_its_only_brace, True).otherwise(F.coalesce(in_array & in_object, F.lit(False)))


def is_exact(key: str) -> Column:
    """Whether a whole key is what the record says: a double cannot tell ``2863.0000000000001`` from 2863.

    Nearly every record says its key plainly, and before any long text; only the others are parsed once more.
    """
    number = whole(key).cast("string")
    is_plain = any_of(
        F.col("raw").contains(F.concat(F.lit(f'"{key}":{blank}'), number, F.lit(end)))
        for blank in ("", " ")
        for end in (",", "}")
    )
    said = F.try_variant_get(F.try_parse_json(F.col("raw")), f"$.{key}", "string")
    return F.when(is_plain, True).otherwise(F.coalesce(said.rlike(WHOLE), F.lit(False)))


def is_bad_datetime(name: str) -> Column:
    """True for a text that has a value, but not a date and time."""
    said = trim(name)
    return F.coalesce(~said.isin(*NO_VALUE), F.lit(False)) & datetime(said).isNull()


def foreign(fields: Fields) -> tuple[str, ...]:
    """The fields that only the other entities have."""
    others = [field for other in FIELDS.values() for field in (other.key, *other.own)]
    return tuple(dict.fromkeys(field for field in others if field not in (fields.key, *fields.own)))


def any_of(conditions: Iterable[Column]) -> Column:
    return reduce(or_, conditions, F.lit(False))


def all_of(conditions: Iterable[Column]) -> Column:
    return reduce(and_, conditions, F.lit(True))
