"""The records of streams: in memory for reading, and in the journal, which outlives the process."""

from __future__ import annotations

import base64
import time
from typing import Any

from lab.aws.kinesis.journal import Journal
from lab.aws.kinesis.records import Placing, Record, RefusedError, decoded, number_of, stored
from lab.aws.kinesis.resharding import Stream
from lab.aws.kinesis.sequence import Sequence, after

LARGEST_REQUEST = 5 * 2**20


class Store:
    def __init__(self, journal: Journal, sequence: Sequence) -> None:
        self.journal = journal
        self.sequence = sequence

    def put(self, stream: Stream, entries: list[dict[str, Any]]) -> list[tuple[str, Record]]:
        """Store all of the records or none. They are on disk when this returns."""
        self.expire(stream)
        contents = [decoded(entry) for entry in entries]
        if sum(len(data) + len(e["PartitionKey"]) for e, data in zip(entries, contents, strict=True)) > LARGEST_REQUEST:
            raise RefusedError("InvalidArgumentException", "Records size exceeds 5 MB limit")
        placing = Placing(stream, self.sequence)
        placed = [placing.place(entry, data) for entry, data in zip(entries, contents, strict=True)]
        by_shard: dict[str, list[list[str]]] = {}
        for entry, (shard_id, record) in zip(entries, placed, strict=True):
            line = [number_of(record), record["PartitionKey"], entry["Data"]]
            by_shard.setdefault(shard_id, []).append(line)
        self.journal.append(stream["StreamARN"], "put", by_shard, kept_seconds=kept_seconds(stream))
        for shard_id, record in placed:
            stream["shards"][shard_id]["records"].append(record)
        return placed

    def load(self, stream: Stream) -> None:
        """Load a stream's records from the journal; its shards are known and empty."""
        self.journal.drop_expired(stream["StreamARN"], kept_seconds(stream))
        for shard in stream["shards"].values():
            self.sequence.go_on_after(shard.get("ending_sequence_number", shard["starting_sequence_number"]))
        for what, by_shard in self.journal.read(stream["StreamARN"]):
            for shard_id, content in by_shard.items():
                shard = stream["shards"].get(shard_id)
                if shard is None:
                    continue
                if what == "expire":
                    shard["records"] = [r for r in shard["records"] if number_of(r) >= content]
                    continue
                records = [stored(number, key, base64.b64decode(data)) for number, key, data in content]
                shard["records"] += [r for r in records if number_of(r) > shard["starting_sequence_number"]]
        for shard in stream["shards"].values():
            for record in shard["records"][-1:]:
                self.sequence.go_on_after(number_of(record))
        self.expire(stream)

    def expire(self, stream: Stream) -> None:
        """Drop what has exceeded the stream's retention: records from the heads of shards, and closed shards."""
        oldest = time.time() - kept_seconds(stream)
        for shard in stream["shards"].values():
            records = shard["records"]
            if records and records[0]["ApproximateArrivalTimestamp"] < oldest:
                shard["records"] = [r for r in records if r["ApproximateArrivalTimestamp"] >= oldest]
        for shard_id in [i for i, shard in stream["shards"].items() if shard.get("closed_at", oldest) < oldest]:
            del stream["shards"][shard_id]

    def expire_now(self, stream: Stream, records: int, shard_id: str | None) -> dict[str, int]:
        shards = {i: s for i, s in stream["shards"].items() if shard_id in (None, i) and s["records"][:records]}
        expired = {i: shard["records"][:records] for i, shard in shards.items()}
        rest = {i: after(number_of(gone[-1])) for i, gone in expired.items()}
        self.journal.append(stream["StreamARN"], "expire", rest, kept_seconds=kept_seconds(stream))
        for shard in shards.values():
            shard["records"] = shard["records"][records:]
        return {i: len(gone) for i, gone in expired.items()}


def kept_seconds(stream: Stream) -> float:
    return float(stream["RetentionPeriodHours"]) * 3600
