"""The params of ``pinterest_replay``: typed, bounded and described."""

from __future__ import annotations

from airflow.sdk import Param

from include.bucket_layout import CORRECTIONS
from include.lake.contract import LANDING, QUARANTINED, REASONS, REPLAYS
from include.settings import ENTITIES

MOST_REPLAYS = 100
RUN_ID = "^[^/]+$"
POSITION = r"^[^:]+:(\d+:\d+(-\d+)?|shardId-\d+@\d+)$"

REPLAY_PARAMS: dict[str, Param] = {
    "what": Param(
        QUARANTINED,
        type="string",
        enum=list(REPLAYS),
        title="What",
        description=(
            "'quarantine': refused records that pass by today's rules, or with a correction. 'dead_letters': those of "
            "them that the S3 sink could not take. 'silver': the tables pin, geo and user anew from bronze. 'landing': "
            "what the bucket holds, into the lake again."
        ),
    ),
    "dry_run": Param(
        True, type="boolean", title="Dry run", description="Only count and list what would happen; write nothing."
    ),
    "entities": Param(
        [],
        type="array",
        items={"type": "string", "enum": list(ENTITIES)},
        title="Entities",
        description="pin, geo, user; all of them if empty. 'landing' always takes all.",
    ),
    "reasons": Param(
        [],
        type="array",
        items={"type": "string", "enum": list(REASONS)},
        title="Reasons",
        description="Of quarantine, only records with one of these reasons; any reason if empty.",
    ),
    "run_ids": Param(
        [],
        type="array",
        items={"type": "string", "pattern": RUN_ID},
        title="Run ids",
        description="Of quarantine, only records that one of these runs has put there; of any run if empty.",
    ),
    "positions": Param(
        [],
        type="array",
        items={"type": "string", "pattern": POSITION},
        title="Positions",
        description=(
            "Only these: <topic>:<partition>:<offset>, <topic>:<partition>:<first>-<last>, or "
            "<data stream>:<shard id>@<sequence number>; everything if empty. 'landing' loads from each offset on."
        ),
    ),
    "since": Param(
        None,
        type=["null", "string"],
        format="date",
        pattern=r"^\d{4}-\d{2}-\d{2}$",
        title="Since",
        description=f"Of '{LANDING}', only what came on this day (UTC) or later.",
    ),
    "corrections": Param(
        None,
        type=["null", "string"],
        pattern=f"^{CORRECTIONS}.+$",
        title="Corrections",
        description=(
            f"Key of a JSON file in the bucket, {CORRECTIONS}…: {{position: record}}. Each record is replayed in place "
            "of the one at that position, which quarantine keeps."
        ),
    ),
    "max_replays": Param(
        3,
        type="integer",
        minimum=1,
        maximum=MOST_REPLAYS,
        title="Most replays",
        description="A record of quarantine that was replayed so often is not replayed again.",
    ),
}
