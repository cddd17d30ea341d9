"""The source's real rows, from which benchmarks make as many as they need, with new keys."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from benchmarks import ROOT

USER_ID = "0e36c8cd403d"
TABLES = {"pin": "pinterest_data", "geo": "geolocation_data", "user": "user_data"}
KEYS = {"pin": "index", "geo": "ind", "user": "ind"}

SCHEMAS = {
    "pin": "index INT, unique_id STRING, title STRING, description STRING, poster_name STRING, follower_count STRING, "
    "tag_list STRING, is_image_or_video STRING, image_src STRING, downloaded INT, save_location STRING, "
    "category STRING",
    "geo": "ind INT, timestamp STRING, latitude DOUBLE, longitude DOUBLE, country STRING",
    "user": "ind INT, first_name STRING, last_name STRING, age INT, date_joined STRING",
}
"""What a notebook would write down for Spark's JSON reader. Ours does not use it."""


@cache
def real_rows(entity: str) -> list[dict[str, Any]]:
    file = ROOT / "lab" / "source" / "real_rows" / f"{TABLES[entity]}.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
