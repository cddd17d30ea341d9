"""A run's documents, Kinesis and the table of batches, in memory."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace

from include.ledger.entry import parse_entries
from include.positions.kinesis import ShardPosition
from include.posting.progress import PostingProgress, Settled
from include.settings import ENTITIES
from tests import builders
from tests.builders import USER_ID

NAMES = {entity: f"streaming-{USER_ID}-{entity}" for entity in ENTITIES}
A, B = "shardId-000000000000", "shardId-000000000001"


class Bucket(builders.Bucket):
    """The bucket of run ``r`` of DAG ``d``."""

    def posted(self, run_id="r", **entities):
        """The progress of a run that put these records: shard and numbers, by stream."""
        posts = max((sum(map(len, shards.values())) for shards in entities.values()), default=1)
        progress = PostingProgress(route="stream", dag_id="d", run_id=run_id, seed=100, first_draw=0, posts=posts)
        for entity, shards in entities.items():
            positions = [ShardPosition(shard_id, n) for shard_id, numbers in shards.items() for n in numbers]
            progress.hand_out(entity, [*range(len(positions))], [])
            progress.settle(entity, Settled(acknowledged=dict(enumerate(positions))))
        self.objects[f"posting/d/{run_id}.stream.json"] = progress.model_dump_json().encode()

    def entries(self, hop):
        return parse_entries(self.objects[f"ledger/d/r/stream/{hop}.json"])


def context():
    return {"ti": SimpleNamespace(dag_id="d"), "run_id": "r"}


def job_run(trigger="available_now"):
    """What the task ``job`` returned."""
    return {"conn_id": "c", "job_id": 7, "run_id": 100, "trigger": trigger}


class Lake:
    """``stream_batches``, to the two questions that are asked of it: by SQL, or of the notebook that has read it.

    ``batches`` are rows as in the table.
    """

    def __init__(self):
        self.batches: list[dict] = []
        self.asked: list[str] = []

    def commit(self, entity, shards, *, at=datetime(2026, 1, 1, tzinfo=UTC), run_id="r", **outcomes):
        """``shards``: the numbers of the batch's records. What has no outcome is inserted."""
        records = sum(map(len, shards.values()))
        figures = {"updated": 0, "superseded": 0, "quarantined": 0, **outcomes}
        self.batches.append(
            {
                "source": NAMES[entity],
                "records": records,
                "inserted": records - sum(figures.values()),
                **figures,
                "shards": shards,
                "at": at,
                "run_id": run_id,
            }
        )

    def task_run(self, run_id, task_key):
        assert (run_id, task_key) == (100, "stream")
        return {"run_id": 1100}

    def get_run_output(self, task_run_id):
        assert task_run_id == 1100
        names = ("source", "records", "inserted", "updated", "superseded", "quarantined", "run_id")
        batches = [
            {
                **{name: batch[name] for name in names},
                "query_id": "q",
                "batch_id": number,
                "batches": 1,
                "shards": self._shards(batch),
            }
            for number, batch in enumerate(self.batches)
        ]
        committed = [
            {"source": source, "shard_id": shard_id, "last": last, "records": int(records), "at": int(at)}
            for source, shard_id, last, records, at in self._committed()
        ]
        return {"notebook_output": {"result": json.dumps({"batches": batches, "committed": committed})}}

    @staticmethod
    def _shards(batch):
        return [
            {"shard_id": s, "first": str(min(n)), "last": str(max(n)), "records": len(n)}
            for s, n in batch["shards"].items()
        ]

    def query(self, statement, *, warehouse_id=None):
        self.asked.append(statement)
        if "GROUP BY" in statement:
            return self._committed()
        return [
            [
                batch["source"],
                "q",
                str(number),
                *(str(batch[name]) for name in ("records", "inserted", "updated", "superseded", "quarantined")),
                json.dumps(self._shards(batch)),
                batch["run_id"],
            ]
            for number, batch in enumerate(self.batches)
        ]

    def _committed(self):
        found: dict = {}
        for batch in self.batches:
            for shard_id, numbers in batch["shards"].items():
                last, records, at = found.get((batch["source"], shard_id), (0, 0, 0))
                millis = int(batch["at"].timestamp() * 1000)
                found[batch["source"], shard_id] = (max(last, *numbers), records + len(numbers), max(at, millis))
        return [[*key, f"{last:064d}", str(records), str(at)] for key, (last, records, at) in found.items()]
