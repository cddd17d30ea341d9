"""A record: where it was, and what it says. Batch and stream read it with the same two functions: ``with_record`` takes
its text for JSON or for none, once; ``read`` finds its entity's fields in the JSON. ``refusals`` says which may pass.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinterest_lake.contract import POSITION, RECORD
from pinterest_lake.schemas import FIELDS

POSITION_SCHEMA = ", ".join(f"{name} {of}" for name, of in POSITION.items())
BYTES = f'{{"{RECORD}":'
"""How a line with a record's bytes begins."""

NOT_UTF8 = "base64:"

NUMBER = "^(BIGINT|DECIMAL|DOUBLE)"
EXACT = r"^(BIGINT|DECIMAL\(\d+,0\))"
WHOLE = f"{EXACT}|^DOUBLE"
"""Types of a variant's numbers. A decimal has no zeros at its end, and a double is what was written with an exponent,
or with more than 38 digits, and may have lost some: no key is one, or a record could overwrite another's row."""


def as_text(data: Column) -> Column:
    """The bytes as UTF-8 text, or as ``base64:…`` if they are not UTF-8."""
    return F.coalesce(F.try_validate_utf8(data.cast("string")), F.concat(F.lit(NOT_UTF8), F.base64(data)))


def positioned(lines: DataFrame, entity: str) -> DataFrame:
    """Lines (column ``line``) with their topic, partition, offset and kafka_time, the record as in ``with_record``, and
    its ``ind`` as far as it can be read, which decides nothing: it is 34 for 34.5, too.

    A line holds its record's bytes. Connectors of earlier versions wrote the record's own fields instead: then the line
    is the text. A record without a value has none. A line without a position is its own text, and all else is null.
    """
    held = F.from_json("line", f"{POSITION_SCHEMA}, {RECORD} BINARY")
    records = lines.select(*lines.columns, F.inline(F.array(held))).withColumn("raw", _record_of_line())
    return with_record(records).select(
        *lines.columns,
        F.col("_topic").alias("topic"),
        F.col("_partition").alias("partition"),
        F.col("_offset").alias("offset"),
        F.timestamp_millis("_timestamp").alias("kafka_time"),
        F.try_variant_get("record", f"$.{FIELDS[entity].key}", "bigint").alias("ind"),
        "record",
        "raw",
    )


def _record_of_line() -> Column:
    """Earlier connectors wrote fields in the order of a Java HashMap, in which one of this name never comes first."""
    line = F.col("line")
    sent = F.when(line.startswith(BYTES), as_text(F.col(RECORD)))
    return F.coalesce(sent, F.when(~line.startswith(f"{BYTES}null"), line))


def with_record(rows: DataFrame) -> DataFrame:
    """Texts (column ``raw``) as JSON: ``record`` is a variant, null where the text is not one JSON value. Only there
    ``raw`` stays; a record without a value has neither.

    Spark's parser stops behind the first value. So it is given an array of the text and a seal, which it meets only if
    the text is one value: no text holds its own hash.
    """
    seal = F.md5("raw")
    sealed = F.try_parse_json(F.concat(F.lit("["), "raw", F.lit(',"'), seal, F.lit('"]')))
    is_one_value = F.try_variant_get("_sealed", "$[1]", "string") == seal
    return (
        rows.withColumn("_sealed", sealed)
        .withColumn("record", F.when(is_one_value, F.try_variant_get("_sealed", "$[0]", "variant")))
        .withColumn("raw", F.when(F.col("record").isNull(), F.col("raw")))
        .drop("_sealed")
    )


def read(records: DataFrame, entity: str) -> DataFrame:
    """Records (columns ``record`` and ``raw``) with their entity's fields, the numbers as doubles. A missing field is
    null, as is a number field that is no number, an integer field with a fraction, however small, and a key that may
    have lost digits.

    The fields come out of a generator, which Spark neither evaluates twice nor moves a filter below.
    """
    fields = FIELDS[entity]
    types = dict.fromkeys((*fields.texts, *fields.datetimes), "STRING")
    types |= dict.fromkeys((fields.key, *fields.numbers), "VARIANT")
    schema = ", ".join(f"`{name}`: {of}" for name, of in types.items())
    kept = [name for name in records.columns if name not in types]
    said = records.select(*kept, F.inline(F.array(F.try_variant_get("record", "$", f"STRUCT<{schema}>"))))
    whole = dict.fromkeys(fields.integers, WHOLE) | {fields.key: EXACT}
    return said.withColumns({name: _double(name, whole.get(name, NUMBER)) for name in (fields.key, *fields.numbers)})


def said(name: str) -> Column:
    """A field of ``record`` as text: a number, a truth value, an object or an array as JSON has it; null for null."""
    return F.try_variant_get("record", f"$.{name}", "string")


def type_of(name: str = "") -> Column:
    """The type of a field of ``record``, or of the record itself: ``BIGINT``, ``STRING``, ``OBJECT<…>``, ``ARRAY<…>``,
    ``VOID`` for JSON's null; null if there is none."""
    return F.schema_of_variant(F.try_variant_get("record", f"$.{name}", "variant") if name else F.col("record"))


def _double(name: str, types: str) -> Column:
    """A variant as a double, if it is of one of the types: Spark's own casts take ``"7"``, ``true`` and 34.5 for
    integers."""
    return F.when(F.schema_of_variant(name).rlike(types), F.try_variant_get(name, "$", "double"))
