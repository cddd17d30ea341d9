"""The stream's tables: one for each stream's rows, and one that says what every batch held and where it ended up."""

from __future__ import annotations

from collections.abc import Iterable

from pinterest_lake.schemas import VALUES
from pinterest_lake.tables import Lake

STREAM_BATCHES = "stream_batches"

LINEAGE = """
    _shard_id STRING, _sequence_number STRING COMMENT 'of the record that these values came with',
    _arrived_at TIMESTAMP COMMENT 'when Kinesis took that record'
"""

BATCHES = """
    stream STRING COMMENT 'pin, geo or user',
    source STRING COMMENT 'the Kinesis stream',
    query_id STRING COMMENT 'of the checkpoint',
    batch_id BIGINT, records BIGINT,
    inserted BIGINT, updated BIGINT,
    superseded BIGINT COMMENT 'older than another record of the batch, or than the row that was stored',
    quarantined BIGINT,
    shards ARRAY<STRUCT<shard_id: STRING, first: STRING, last: STRING, records: BIGINT>>
        COMMENT 'least and greatest sequence number',
    last_arrival TIMESTAMP, run_id STRING, committed_at TIMESTAMP
"""

MANY_SMALL_COMMITS = (
    "'delta.autoOptimize.autoCompact' = 'true'",
    "'delta.checkpointInterval' = '100'",  # with 10, the default, every tenth commit makes its batch wait
)


def stream_table(user_id: str, stream: str) -> str:
    """In backticks: a user id may begin with a digit."""
    return f"`{user_id}_{stream}_table`"


def create(lake: Lake, user_id: str, streams: Iterable[str]) -> None:
    """Make the tables that are not there; a table that is there stays as it is."""
    lake.create_schema()
    lake.create_quarantine()
    lake.create_table(STREAM_BATCHES, BATCHES, found_by="stream,batch_id,committed_at", properties=MANY_SMALL_COMMITS)
    for stream in streams:
        columns = f"{VALUES[stream]}, {LINEAGE}"
        lake.create_table(stream_table(user_id, stream), columns, found_by="ind", properties=MANY_SMALL_COMMITS)
