"""Posts in a folder that is laid out as the bucket is after the landing stage: objects, and a manifest per run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.real_rows import KEYS, TABLES, USER_ID, real_rows

PARTITIONS = 3
OBJECT_LINES = 1000
MARK = 987654321


def topic(entity: str) -> str:
    return f"{USER_ID}.{entity}"


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def make_posts(bucket: Path, run: str, keys: range, first_offset: int) -> None:
    """Objects of the three topics in a folder named after the run, and the run's manifest."""
    shares = [keys[partition::PARTITIONS] for partition in range(PARTITIONS)]
    topics = {
        entity: {
            "topic": topic(entity),
            "partitions": {
                str(partition): _make_partition(bucket, run, entity, partition, share, first_offset)
                for partition, share in enumerate(shares)
            },
        }
        for entity in TABLES
    }
    path = bucket / "landing" / run / "manifest.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"topics": topics, "dead_letters": {"key": "", "count": 0}}))


def _make_partition(
    bucket: Path, run: str, entity: str, partition: int, keys: range, first_offset: int
) -> dict[str, Any]:
    """Write one partition's objects; return its part of the manifest."""
    templates = list(_line_templates(entity))
    mentions = 3 if entity == "pin" else 1
    objects = []
    for start in range(0, len(keys), OBJECT_LINES):
        first = first_offset + start
        lines = [
            templates[key % len(templates)] % (*(key,) * mentions, partition, first + number)
            for number, key in enumerate(keys[start : start + OBJECT_LINES])
        ]
        name = f"{topic(entity)}+{partition}+{first:010d}.json"
        path = f"{run}/topics/{topic(entity)}/partition={partition}/{name}"
        (bucket / path).parent.mkdir(parents=True, exist_ok=True)
        (bucket / path).write_text("".join(lines), encoding="utf-8")
        objects.append({"key": path, "lines": len(lines), "first_offset": first, "last_offset": first + len(lines) - 1})
    return {"from": first_offset, "to": first_offset + len(keys), "objects": objects}


def _line_templates(entity: str) -> Iterator[str]:
    """One ``%`` template per real row: key (three times in a pin: id and title differ, too), partition, offset."""
    for real_row in real_rows(entity):
        row = real_row | {KEYS[entity]: MARK}
        if entity == "pin":
            row["unique_id"] = f"{row['unique_id'][:-9]}{MARK}"
            row["title"] = f"{row['title']} {MARK}"
        position = {"_topic": topic(entity), "_partition": MARK, "_offset": MARK, "_timestamp": 1_700_000_000_000}
        line = json.dumps(row | position, ensure_ascii=False).replace("%", "%%").replace(str(MARK), "%d")
        yield f"{line}\n"
