"""The stream route's tables: one per entity, and one that says what every batch held and what became of it."""

from __future__ import annotations

from collections.abc import Iterable

from pinterest_lake.contract import TABLES
from pinterest_lake.schemas import STREAM_BATCHES, STREAM_LINEAGE, VALUES
from pinterest_lake.tables import Lake

BATCHES = TABLES["stream_batches"]

MANY_SMALL_COMMITS = (
    "'delta.autoOptimize.autoCompact' = 'true'",
    "'delta.checkpointInterval' = '100'",  # with the default of 10, every tenth commit holds up its batch
)


def stream_table(user_id: str, entity: str) -> str:
    """In backticks: a user id may begin with a digit."""
    return f"`{TABLES['stream'].format(user_id=user_id, entity=entity)}`"


def create(lake: Lake, user_id: str, entities: Iterable[str]) -> None:
    """Create the missing tables; existing ones stay as they are."""
    lake.create_schema()
    lake.create_quarantine()
    lake.create_table(BATCHES, STREAM_BATCHES, found_by="stream,batch_id,committed_at", properties=MANY_SMALL_COMMITS)
    for entity in entities:
        columns = f"{VALUES[entity]}, {STREAM_LINEAGE}"
        lake.create_table(stream_table(user_id, entity), columns, found_by="ind", properties=MANY_SMALL_COMMITS)
