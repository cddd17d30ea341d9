"""One line of a topic: where Kafka holds it, its fields, and whether it may pass.

A line is parsed once, with its entity's own schema: parsing is what cleaning costs. ``refusals`` says why a line may
not pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import and_, or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinterest_lake.cleaning import NO_VALUE, datetime, trim, whole
from pinterest_lake.contract import POSITION
from pinterest_lake.schemas import AS_READ, FIELDS, Fields

MALFORMED = "_malformed"
FLAG_MALFORMED = {"columnNameOfCorruptRecord": MALFORMED}
POSITION_SCHEMA = ", ".join(f"{name} {of}" for name, of in POSITION.items())


def as_text(data: Column) -> Column:
    """The bytes as UTF-8 text, or as ``base64:…`` if they are not UTF-8."""
    text = data.cast("string")
    return F.when(F.is_valid_utf8(text), text).otherwise(F.concat(F.lit("base64:"), F.base64(data)))


def positioned(lines: DataFrame, entity: str) -> DataFrame:
    """Lines (column ``raw``) with their topic, partition, offset and kafka_time, and ``ind`` if it can be read.

    All are null for a line without a position.
    """
    key = FIELDS[entity].key
    position = F.from_json("raw", f"{POSITION_SCHEMA}, `{key}` STRING")
    return lines.select(*lines.columns, F.inline(F.array(position))).select(
        *lines.columns,
        F.col("_topic").alias("topic"),
        F.col("_partition").alias("partition"),
        F.col("_offset").alias("offset"),
        F.timestamp_millis("_timestamp").alias("kafka_time"),
        F.coalesce(F.col(key).try_cast("bigint"), whole(F.col(key).try_cast("double"))).alias("ind"),
    )


def parsed(lines: DataFrame, entity: str) -> DataFrame:
    """Lines with their entity's fields, the numbers as doubles; a missing field, or one of another type, is null.

    The fields come out of a generator, which Spark neither evaluates twice nor moves a filter below.
    """
    fields = FIELDS[entity]
    types = dict.fromkeys((*fields.texts, *fields.datetimes, *foreign(fields), MALFORMED), "STRING")
    types |= dict.fromkeys((fields.key, *fields.numbers), AS_READ)
    schema = ", ".join(f"`{name}` {of}" for name, of in types.items())
    kept = [name for name in lines.columns if name not in types]
    return lines.select(*kept, F.inline(F.array(F.from_json("raw", schema, FLAG_MALFORMED))))


def is_valid(entity: str) -> Column:
    """True for parsed lines that may pass, False for all others."""
    fields = FIELDS[entity]
    is_typed = F.col(MALFORMED).isNull() & ~holds_container(fields)
    is_own = any_of(F.col(name).isNotNull() for name in fields.own)
    is_foreign = any_of(F.col(name).isNotNull() for name in foreign(fields))
    passes = (
        is_typed
        & (whole(fields.key) >= 0)
        & all_of(F.col(name).isNull() | whole(name).isNotNull() for name in fields.integers)
        & (is_own | ~is_foreign)
        & all_of(~is_bad_datetime(name) for name in fields.datetimes)
    )
    return F.coalesce(passes, F.lit(False))


def holds_container(fields: Fields) -> Column:
    """True where a text field is a JSON object or array. A title may begin with a bracket, so only then is the line
    itself searched."""
    looks_like_one = any_of(F.col(name).startswith(bracket) for name in fields.texts for bracket in "{[")
    return F.coalesce(looks_like_one, F.lit(False)) & F.col("raw").rlike(rf'"({"|".join(fields.texts)})"\s*:\s*[\[{{]')


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
