"""The layout of the bucket. Every object key is built here and nowhere else.

Keys contain run ids exactly as Airflow writes them, with ``:`` and ``+``: S3 accepts both, and no key is part of a URL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

TOPICS = "topics/"
SET_ASIDE = "set_aside/"
DAGS = "pinterest_"
"""How the id of every DAG begins."""
REPLAY_DAG = f"{DAGS}replay"

RUN_DOCUMENTS = tuple(f"{folder}/{DAGS}" for folder in ("posting", "landing", "ledger", "reports"))
"""How the key of every document of one run begins. Only the run itself reads it, and people do; and a replay of what
the bucket holds, which says so if it needs one that has expired.

What later runs read does not begin so: a seed's position, the bookmark, a restart of the sink, the data streams of the
checkpoints, the checkpoints themselves, and the records under ``topics/`` and ``set_aside/``.
"""

LANDING = "landing/"
SINK_LOGS = "sink_logs/"
"""Where MSK Connect puts what the S3 sink's workers log, if it is told to."""

CORRECTIONS = "corrections/"
"""Where people put the records that a replay takes in place of refused ones."""

OFFSET_DIGITS = 10

SINK_OBJECT = re.compile(
    r"^topics/(?P<topic>[^/]+)/partition=(?P<partition>\d+)/(?P=topic)\+(?P=partition)\+(?P<first>\d{10,})\.json$"
)


class SinkObject(NamedTuple):
    """What the key of an S3 sink object says about it."""

    topic: str
    partition: int
    first_offset: int


def plugin_archive(user_id: str, sha256: str) -> str:
    """The S3 sink's plugin archive. Its key contains its digest, so a plugin never changes under its name."""
    return f"kafka-connect-s3/{user_id}-{sha256[:12]}.zip"


def topic_prefix(topic: str) -> str:
    return f"{TOPICS}{topic}/"


def partition_prefix(topic: str, partition: int) -> str:
    return f"{TOPICS}{topic}/partition={partition}/"


def sink_object(topic: str, partition: int, first_offset: int) -> str:
    """Keys of one partition sort by first offset, so a listing can start anywhere and skip the history before it."""
    return f"{partition_prefix(topic, partition)}{topic}+{partition}+{first_offset:0{OFFSET_DIGITS}d}.json"


def parse_sink_object(key: str) -> SinkObject | None:
    """Parse a key that the sink wrote; None for any other key."""
    match = SINK_OBJECT.match(key)
    if match is None:
        return None
    return SinkObject(match["topic"], int(match["partition"]), int(match["first"]))


def seed_position(seed: int, route: str = "batch") -> str:
    """Where the next run of this seed continues. Both routes draw the same posts, each at its own pace."""
    return f"posting/seed-{seed}{_of_route(route)}.json"


def posting_progress(dag_id: str, run_id: str, route: str = "batch") -> str:
    return f"posting/{dag_id}/{run_id}{_of_route(route)}.json"


def refused_rows(dag_id: str, run_id: str, route: str = "batch") -> str:
    """The complete rows that the API refused, as JSON lines."""
    return f"posting/{dag_id}/{run_id}{_of_route(route)}.refused.jsonl"


def bookmark(user_id: str) -> str:
    """How far the lake has loaded each partition."""
    return f"landing/{user_id}.json"


def checkpoints(user_id: str) -> str:
    """Which data streams the checkpoints of the streaming queries belong to."""
    return f"lake_stream/{user_id}.json"


def sink_restart(user_id: str) -> str:
    """A restart of the sink that was begun and has not ended: what is to be set aside, by topic."""
    return f"landing/{user_id}.sink-restart.json"


def sink_logs(user_id: str) -> str:
    """How the keys of the worker logs of the S3 sink begin; MSK Connect adds a slash and what it likes."""
    return f"{SINK_LOGS}{user_id}"


def set_aside(label: str, key: str) -> str:
    """Where an object goes that another topic of the same name, or another connector, has left."""
    return f"{SET_ASIDE}{label}/{key}"


def interval(dag_id: str, run_id: str) -> str:
    """The offsets that a run accounts for."""
    return f"landing/{dag_id}/{run_id}/interval.json"


def manifest(dag_id: str, run_id: str) -> str:
    """What the load reads: the objects and dead letters that hold the interval."""
    return f"landing/{dag_id}/{run_id}/manifest.json"


def dead_letters(dag_id: str, run_id: str) -> str:
    return f"landing/{dag_id}/{run_id}/dead_letters.jsonl"


def ledger(dag_id: str, run_id: str, hop: str, route: str = "batch") -> str:
    folder = f"ledger/{dag_id}/{run_id}" if route == "batch" else f"ledger/{dag_id}/{run_id}/{route}"
    return f"{folder}/{hop}.json"


def analyses(dag_id: str, run_id: str) -> str:
    """The nine gold tables of a run, as the analyses notebook returned them."""
    return f"reports/{dag_id}/{run_id}/analyses.json"


def report(dag_id: str, run_id: str) -> str:
    return f"reports/{dag_id}/{run_id}/index.html"


def report_ledger(dag_id: str, run_id: str) -> str:
    return f"reports/{dag_id}/{run_id}/ledger.json"


def prefixes(user_id: str, topics: Iterable[str], checkpoint_folder: str) -> list[str]:
    """How the keys of everything begin that the pipeline and its user's runs put into the bucket.

    :param checkpoint_folder: see :meth:`~include.settings.Settings.checkpoint_folder`; empty if it is elsewhere
    """
    return [
        *(topic_prefix(topic) for topic in topics),
        SET_ASIDE,
        "posting/seed-",
        *RUN_DOCUMENTS,
        f"landing/{user_id}.",
        f"lake_stream/{user_id}.",
        f"{sink_logs(user_id)}/",
        plugin_archive(user_id, "").removesuffix(".zip"),
        *([checkpoint_folder] if checkpoint_folder else []),
    ]


def _of_route(route: str) -> str:
    return "" if route == "batch" else f".{route}"
