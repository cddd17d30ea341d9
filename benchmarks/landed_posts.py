"""Posts in a folder that is laid out as the bucket is after the landing stage: objects, and a manifest per run.

Beside each run's objects lie the same posts as the usual sink writes them: the record's own fields, not its bytes.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.real_rows import KEYS, TABLES, USER_ID, real_rows

PARTITIONS = 3
OBJECT_LINES = 1000
MARK = 987654321
USUAL = "usual"
"""Folder of a run's objects as the usual sink writes them."""


def topic(entity: str) -> str:
    return f"{USER_ID}.{entity}"


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def make_posts(bucket: Path, run: str, keys: range, first_offset: int, corrected: Sequence[int] = ()) -> None:
    """Objects of the three topics in a folder named after the run, and the run's manifest.

    ``corrected``: keys of earlier runs that come again with other values, after the others.
    """
    sent = [*((key, key) for key in keys), *((key, key + 1) for key in corrected)]
    shares = [sent[partition::PARTITIONS] for partition in range(PARTITIONS)]
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
    bucket: Path, run: str, entity: str, partition: int, keys: Sequence[tuple[int, int]], first_offset: int
) -> dict[str, Any]:
    """Write one partition's objects; return its part of the manifest. ``keys``: each with the number of its row."""
    templates = list(_row_templates(entity))
    mentions = 3 if entity == "pin" else 1
    objects = []
    for start in range(0, len(keys), OBJECT_LINES):
        first = first_offset + start
        part = keys[start : start + OBJECT_LINES]
        rows = [templates[number % len(templates)] % ((key,) * mentions) for key, number in part]
        positions = [_position(entity, partition, offset) for offset in range(first, first + len(rows))]
        name = f"topics/{topic(entity)}/partition={partition}/{topic(entity)}+{partition}+{first:010d}.json"
        lines = [
            f'{{"_value":"{base64.b64encode(row.encode()).decode()}",{position}}}\n'
            for row, position in zip(rows, positions, strict=True)
        ]
        usual = [f"{row[:-1]},{position}}}\n" for row, position in zip(rows, positions, strict=True)]
        for path, content in ((f"{run}/{name}", lines), (f"{run}/{USUAL}/{name}", usual)):
            (bucket / path).parent.mkdir(parents=True, exist_ok=True)
            (bucket / path).write_text("".join(content), encoding="utf-8")
        objects.append(
            {"key": f"{run}/{name}", "lines": len(rows), "first_offset": first, "last_offset": first + len(rows) - 1}
        )
    return {"from": first_offset, "to": first_offset + len(keys), "objects": objects}


def _position(entity: str, partition: int, offset: int) -> str:
    position = f'"_topic":"{topic(entity)}","_partition":{partition},"_offset":{offset}'
    return f'{position},"_timestamp":1700000000000'


def _row_templates(entity: str) -> Iterator[str]:
    """One ``%`` template per real row, for its key: three times in a pin, whose id and title differ, too."""
    for real_row in real_rows(entity):
        row = real_row | {KEYS[entity]: MARK}
        if entity == "pin":
            row["unique_id"] = f"{row['unique_id'][:-9]}{MARK}"
            row["title"] = f"{row['title']} {MARK}"
        yield json.dumps(row, ensure_ascii=False).replace("%", "%%").replace(str(MARK), "%d")
