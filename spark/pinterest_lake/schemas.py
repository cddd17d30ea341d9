"""What the three streams send, field by field, and what the tables hold.

Schemas are written down, never inferred: one polluted record would change an inferred type for every row.
"""

from __future__ import annotations

from dataclasses import dataclass

STREAMS = ("pin", "geo", "user")

LARGEST_IND = 2**31 - 1


@dataclass(frozen=True)
class Source:
    """The JSON fields of one stream, as the source table has them. ``key`` becomes ``ind``."""

    key: str
    texts: tuple[str, ...]
    numbers: dict[str, str]
    datetimes: tuple[str, ...] = ()

    @property
    def own(self) -> tuple[str, ...]:
        """All fields but the key."""
        return (*self.texts, *self.numbers, *self.datetimes)


SOURCES = {
    "pin": Source(
        key="index",
        texts=(
            "unique_id",
            "title",
            "description",
            "poster_name",
            "follower_count",
            "tag_list",
            "is_image_or_video",
            "image_src",
            "save_location",
            "category",
        ),
        numbers={"downloaded": "INT"},
    ),
    "geo": Source(
        key="ind",
        texts=("country",),
        numbers={"latitude": "DOUBLE", "longitude": "DOUBLE"},
        datetimes=("timestamp",),
    ),
    "user": Source(
        key="ind",
        texts=("first_name", "last_name"),
        numbers={"age": "INT"},
        datetimes=("date_joined",),
    ),
}

BRONZE = """
    topic STRING, partition INT, offset BIGINT,
    kafka_time TIMESTAMP COMMENT 'when Kafka took the record',
    ind BIGINT COMMENT 'the key as far as it can be read; decides nothing',
    object STRING COMMENT 'key of the S3 object the line was read from',
    raw STRING COMMENT 'the line as it stands in the object',
    ingested_at TIMESTAMP, run_id STRING
"""

LINEAGE = """
    _topic STRING, _partition INT, _offset BIGINT, _kafka_time TIMESTAMP,
    _run_id STRING COMMENT 'the run that wrote these values'
"""

VALUES = {
    "pin": """
        ind INT, unique_id STRING, title STRING, description STRING, follower_count INT, poster_name STRING,
        tag_list STRING, is_image_or_video STRING, image_src STRING, save_location STRING, category STRING
    """,
    "geo": "ind INT, country STRING, coordinates ARRAY<DOUBLE> COMMENT '[latitude, longitude]', timestamp TIMESTAMP",
    "user": "ind INT, user_name STRING, age INT, date_joined TIMESTAMP",
}

SILVER = {stream: f"{values}, {LINEAGE}" for stream, values in VALUES.items()}

QUARANTINE = """
    stream STRING, topic STRING, partition INT, offset BIGINT, object STRING,
    raw STRING COMMENT 'the record as sent; base64:… where its bytes are not UTF-8',
    reason STRING, message STRING, first_seen TIMESTAMP,
    replays INT COMMENT 'how often it was sent again from here',
    run_id STRING
"""
