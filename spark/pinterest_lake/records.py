"""One line of a topic: where Kafka holds it, its fields, and whether it may pass.

A line is parsed with its stream's own schema, once: parsing is what cleaning costs. Why a line may not pass is the
matter of ``refusals``.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import and_, or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinterest_lake.cleaning import NO_VALUE, datetime, trim
from pinterest_lake.schemas import LARGEST_IND, SOURCES, Source

MALFORMED = "_malformed"
FLAG_MALFORMED = {"columnNameOfCorruptRecord": MALFORMED}
POSITION = "_topic STRING, _partition INT, _offset BIGINT, _timestamp BIGINT"


def as_text(data: Column) -> Column:
    """The bytes as UTF-8; those that are not, as ``base64:…``."""
    text = data.cast("string")
    return F.when(F.is_valid_utf8(text), text).otherwise(F.concat(F.lit("base64:"), F.base64(data)))


def positioned(lines: DataFrame, stream: str) -> DataFrame:
    """Lines (column ``raw``) with their topic, partition, offset and kafka_time, and ``ind`` if it can be read.

    All are null for a line that holds no position.
    """
    key = SOURCES[stream].key
    position = F.from_json("raw", f"{POSITION}, `{key}` STRING")
    return lines.select(*lines.columns, F.inline(F.array(position))).select(
        *lines.columns,
        F.col("_topic").alias("topic"),
        F.col("_partition").alias("partition"),
        F.col("_offset").alias("offset"),
        F.timestamp_millis("_timestamp").alias("kafka_time"),
        F.col(key).try_cast("bigint").alias("ind"),
    )


def parsed(lines: DataFrame, stream: str) -> DataFrame:
    """Lines with the fields of their stream, typed; a field that is missing or not of its type is null.

    The fields leave through a generator: Spark neither evaluates it twice nor moves a filter below it.
    """
    source = SOURCES[stream]
    types = dict.fromkeys((*source.texts, *source.datetimes, *foreign(source), MALFORMED), "STRING")
    schema = ", ".join(f"`{name}` {of}" for name, of in ({source.key: "BIGINT"} | source.numbers | types).items())
    kept = [name for name in lines.columns if name not in (source.key, *source.numbers, *types)]
    return lines.select(*kept, F.inline(F.array(F.from_json("raw", schema, FLAG_MALFORMED))))


def is_valid(stream: str) -> Column:
    """True for parsed lines that may pass, False for all others."""
    source = SOURCES[stream]
    is_typed = F.col(MALFORMED).isNull() & ~holds_container(source)
    is_own = any_of(F.col(name).isNotNull() for name in source.own)
    is_foreign = any_of(F.col(name).isNotNull() for name in foreign(source))
    passes = (
        is_typed
        & F.col(source.key).between(0, LARGEST_IND)
        & (is_own | ~is_foreign)
        & all_of(~is_bad_datetime(name) for name in source.datetimes)
    )
    return F.coalesce(passes, F.lit(False))


def holds_container(source: Source) -> Column:
    """True where a text field is a JSON object or array. A title may well begin with a bracket, so the line itself is
    asked, but only then."""
    looks_like_one = any_of(F.col(name).startswith(bracket) for name in source.texts for bracket in "{[")
    return F.coalesce(looks_like_one, F.lit(False)) & F.col("raw").rlike(rf'"({"|".join(source.texts)})"\s*:\s*[\[{{]')


def is_bad_datetime(name: str) -> Column:
    """True for a text that is there, but is no date and time."""
    said = trim(name)
    return F.coalesce(~said.isin(*NO_VALUE), F.lit(False)) & datetime(said).isNull()


def foreign(source: Source) -> tuple[str, ...]:
    """The fields that only the other streams have."""
    others = [field for other in SOURCES.values() for field in (other.key, *other.own)]
    return tuple(dict.fromkeys(field for field in others if field not in (source.key, *source.own)))


def any_of(conditions: Iterable[Column]) -> Column:
    return reduce(or_, conditions, F.lit(False))


def all_of(conditions: Iterable[Column]) -> Column:
    return reduce(and_, conditions, F.lit(True))
