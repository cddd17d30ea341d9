"""The fields of each entity's records, and the columns of the tables.

Schemas are written down, never inferred: one bad record would change an inferred type for every row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pinterest_lake.contract import ENTITIES, FIELD_KINDS, STREAM_BATCHES_COLUMNS

LARGEST_IND = 2**31 - 1
NUMBER_TYPES = {"integer": "INT", "double": "DOUBLE"}


@dataclass(frozen=True)
class Fields:
    """The JSON fields of one entity, as the source table has them. ``key`` becomes ``ind``; ``numbers`` says the type
    that each number must fit."""

    key: str
    texts: tuple[str, ...]
    numbers: Mapping[str, str]
    datetimes: tuple[str, ...] = ()

    @property
    def integers(self) -> tuple[str, ...]:
        return tuple(name for name, of in self.numbers.items() if of == NUMBER_TYPES["integer"])

    @property
    def own(self) -> tuple[str, ...]:
        """All fields but the key."""
        return (*self.texts, *self.numbers, *self.datetimes)

    @classmethod
    def of_kinds(cls, kinds: Mapping[str, str]) -> Self:
        (key,) = (name for name, kind in kinds.items() if kind == "key")
        return cls(
            key=key,
            texts=tuple(name for name, kind in kinds.items() if kind == "text"),
            numbers={name: NUMBER_TYPES[kind] for name, kind in kinds.items() if kind in NUMBER_TYPES},
            datetimes=tuple(name for name, kind in kinds.items() if kind == "datetime"),
        )


FIELDS = {entity: Fields.of_kinds(FIELD_KINDS[entity]) for entity in ENTITIES}

BRONZE = """
    topic STRING, partition INT, offset BIGINT,
    kafka_time TIMESTAMP COMMENT 'when Kafka took the record',
    ind BIGINT COMMENT 'the key as far as it can be read; decides nothing',
    object STRING COMMENT 'key of the S3 object that held the line',
    record VARIANT COMMENT 'the record, if it is JSON',
    raw STRING COMMENT 'the record as sent, if it is no JSON; base64:… if its bytes are not UTF-8',
    ingested_at TIMESTAMP, run_id STRING
"""

LINEAGE = """
    _topic STRING, _partition INT, _offset BIGINT, _kafka_time TIMESTAMP,
    _run_id STRING COMMENT 'the run that wrote these values',
    _rules INT COMMENT 'version of the rules that made them'
"""

VALUES = {
    "pin": """
        ind INT, unique_id STRING, title STRING, description STRING, follower_count INT, poster_name STRING,
        tag_list STRING, is_image_or_video STRING, image_src STRING, save_location STRING, category STRING
    """,
    "geo": "ind INT, country STRING, coordinates ARRAY<DOUBLE> COMMENT '[latitude, longitude]', timestamp TIMESTAMP",
    "user": "ind INT, user_name STRING, age INT, date_joined TIMESTAMP",
}

SILVER = {entity: f"{values}, {LINEAGE}" for entity, values in VALUES.items()}

POSTS = """
    ind INT, category STRING, poster_name STRING, follower_count INT, country STRING,
    post_year INT COMMENT 'of the timestamp, in UTC',
    user_name STRING, age INT, date_joined TIMESTAMP,
    has_pin BOOLEAN, has_geo BOOLEAN, has_user BOOLEAN COMMENT 'whether the user table has a row for it'
"""

QUARANTINE = """
    stream STRING COMMENT 'pin, geo or user', topic STRING, partition INT, offset BIGINT, object STRING,
    raw STRING COMMENT 'the record: as sent if it is no JSON, else its JSON; base64:… if its bytes are not UTF-8',
    reason STRING, message STRING, first_seen TIMESTAMP,
    replays INT COMMENT 'how often it was sent again from here',
    run_id STRING,
    released_at TIMESTAMP COMMENT 'when it passed after all; null while it is refused',
    released_by STRING COMMENT 'the run that let it pass',
    correction STRING COMMENT 'the record that passed in its place'
"""

STREAM_LINEAGE = """
    _shard_id STRING, _sequence_number STRING COMMENT 'of the record that held these values',
    _arrived_at TIMESTAMP COMMENT 'when Kinesis took that record'
"""

STREAM_BATCHES = ", ".join(f"{name} {definition}" for name, definition in STREAM_BATCHES_COLUMNS.items())

ADDED_LATER = frozenset({"_rules", "released_at", "released_by", "correction"})
"""Columns that tables of earlier versions lack; they are added to them, and null there."""
