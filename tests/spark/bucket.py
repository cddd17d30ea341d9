"""A folder laid out as the bucket is after the landing stage: objects as the sink writes them, and a manifest."""

from __future__ import annotations

import base64
import json
from collections import Counter
from pathlib import Path

USER_ID = "0e36c8cd403d"
TOPICS = {entity: f"{USER_ID}.{entity}" for entity in ("pin", "geo", "user")}
KAFKA_TIME = 1_700_000_000_000


TOMBSTONE = object()
"""A record without a value."""


def line(row, entity, partition, offset, time=None):
    """A record in its line: its bytes, and where Kafka holds it. A row goes as JSON; a text is the line itself."""
    if isinstance(row, str):
        return row
    record = json.dumps(row, ensure_ascii=False).encode() if isinstance(row, dict) else row
    value = None if row is TOMBSTONE else base64.b64encode(record).decode()
    return json.dumps({"_value": value, **position(entity, partition, offset, time)}, separators=(",", ":"))


def earlier_line(row, entity, partition, offset, time=None):
    """As connectors of earlier versions wrote it: the record's own fields beside its position."""
    return json.dumps({**row, **position(entity, partition, offset, time)}, ensure_ascii=False)


def position(entity, partition, offset, time=None):
    return {
        "_topic": TOPICS[entity],
        "_partition": partition,
        "_offset": offset,
        "_timestamp": KAFKA_TIME + offset if time is None else time,
    }


class Bucket:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.objects: dict[tuple[str, int], list[dict]] = {}
        self.letters: list[dict] = []

    def put(self, entity, rows, *, partition=0, first=0, times=None, as_line=line):
        """One object of rows (or bytes) from offset ``first`` on. Rows that are texts (or None) take an offset, too."""
        topic = TOPICS[entity]
        numbered = list(enumerate(rows, start=first))
        lines = [
            as_line(row, entity, partition, offset, times and times[offset - first])
            for offset, row in numbered
            if row is not None
        ]
        held = [offset for offset, row in numbered if row is not None and not isinstance(row, str)]
        key = f"topics/{topic}/partition={partition}/{topic}+{partition}+{first:010d}.json"
        self.write(key, "".join(f"{text}\n" for text in lines))
        listed = {
            "key": key,
            "size": (self.folder / key).stat().st_size,
            "etag": "",
            "lines": len(lines),
            "first_offset": held[0] if held else first,
            "last_offset": held[-1] if held else first - 1,
        }
        objects = self.objects.setdefault((entity, partition), [])
        objects[:] = [other for other in objects if other["key"] != key] + [listed]
        return key

    def write(self, key, text):
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def dead_letter(self, entity, raw: bytes, *, offset, reason="not_json_object", partition=0):
        self.letters.append(
            {
                "entity": entity,
                "topic": TOPICS[entity],
                "partition": partition,
                "offset": offset,
                "timestamp": KAFKA_TIME + offset,
                "reason": reason,
                "message": f"{reason} at {offset}",
                "raw_base64": base64.b64encode(raw).decode(),
            }
        )

    def manifest(
        self, intervals=None, run_id="manual__2026-01-02T03:04:05+00:00", *, empty=None, stored_as=None, tables=None
    ):
        """The manifest's URI. ``intervals`` is {entity: {partition: (from, to)}}; by default all that was put.

        ``empty`` is {entity: {partition: ranges}}, ``stored_as`` {entity: name}, ``tables`` {name: Delta id}.
        """
        folder = f"landing/pinterest_batch/{run_id}"
        letters = f"{folder}/dead_letters.jsonl"
        self.write(letters, "".join(json.dumps(letter) + "\n" for letter in self.letters))
        topics = {}
        for entity, topic in TOPICS.items():
            partitions = {}
            for (of, partition), objects in sorted(self.objects.items()):
                if of != entity:
                    continue
                ends = [landed["last_offset"] + 1 for landed in objects]
                first = min(landed["first_offset"] for landed in objects)
                start, end = (intervals or {}).get(entity, {}).get(partition, (first, max(ends)))
                partitions[str(partition)] = {
                    "from": start,
                    "to": end,
                    "empty": (empty or {}).get(entity, {}).get(partition, []),
                    "objects": [
                        landed
                        for landed in objects
                        if not landed["lines"] or (landed["last_offset"] >= start and landed["first_offset"] < end)
                    ],
                }
            topics[entity] = {"topic": topic, "stored_as": (stored_as or {}).get(entity), "partitions": partitions}
        manifest = {
            "dag_id": "pinterest_batch",
            "run_id": run_id,
            "user_id": USER_ID,
            "bucket": f"user-{USER_ID}-bucket",
            "created_at": "2026-01-02T03:04:05Z",
            "topics": topics,
            "dead_letters": {
                "key": letters,
                "count": len(self.letters),
                "by_entity": dict(Counter(letter["entity"] for letter in self.letters)),
                "next_offsets": {},
                "topic_id": None,
            },
            "lake": {"catalog": "spark_catalog", "schema_name": "x", "tables": tables} if tables else None,
            "ignored": [],
        }
        self.write(f"{folder}/manifest.json", json.dumps(manifest))
        return f"file://{self.folder}/{folder}/manifest.json"
