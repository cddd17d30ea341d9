"""Where posting keeps what it keeps: Kinesis' (``stream``) documents lie beside Kafka's (``batch``).

Both sinks of a DAG run draw the same posts, each with a progress of its own.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from include import bucket_layout
from include.ledger import Path


def seed_position(seed: int, path: Path) -> str:
    return _of_path(bucket_layout.seed_position(seed), path)


def progress(dag_id: str, run_id: str, path: Path) -> str:
    return _of_path(bucket_layout.posting_progress(dag_id, run_id), path)


def refused_rows(dag_id: str, run_id: str, path: Path) -> str:
    return _of_path(bucket_layout.refused_rows(dag_id, run_id), path)


def _of_path(key: str, path: Path) -> str:
    """``posting/<dag>/<run>.json`` becomes ``posting/<dag>/<run>.stream.json``."""
    if path == "batch":
        return key
    ending = ".refused.jsonl" if key.endswith(".refused.jsonl") else PurePosixPath(key).suffix
    return f"{key.removesuffix(ending)}.{path}{ending}"
