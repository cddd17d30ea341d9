"""Posts: one row per ``ind`` of silver with what the analyses need, brought up to date from what changed in silver.

Each commit of ``posts`` names in its metadata the commits of silver that it reflects. So the next run knows what is
missing, whatever stopped this one or came in between. Rows are never changed one by one: ranges of keys are made anew
from silver, so added, corrected and removed values are one case.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial, reduce

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from pinterest_lake.conflicts import committed
from pinterest_lake.contract import ENTITIES, TABLES
from pinterest_lake.schemas import POSTS
from pinterest_lake.session_settings import FEW_ROWS, MANY, interpreted, settings
from pinterest_lake.tables import CHANGE_FEED, Lake, silver_table

TABLE = TABLES["posts"]
DEFINITION = 1
"""To be raised with the meaning of a column: rows of another definition are made anew."""

OF_SILVER = {
    "pin": ("category", "poster_name", "follower_count"),
    "geo": ("country", "year(timestamp) AS post_year"),
    "user": ("user_name", "age", "date_joined"),
}
PRESENT = tuple(f"has_{entity}" for entity in ENTITIES)
COLUMNS = (*(column.split()[-1] for columns in OF_SILVER.values() for column in columns), *PRESENT)

SMALL = 200_000
"""Rows in silver: up to here, to make all posts anew takes less time than to ask which have changed."""

BLOCK = 10_000  # keys
MOST_RANGES = 50
ROWS_A_FILE = 500_000
ALL, NONE = "true", "false"

ROWS_STAY = {
    *("CREATE TABLE", "ADD COLUMNS", "CHANGE COLUMN", "SET TBLPROPERTIES", "UNSET TBLPROPERTIES", "UPGRADE PROTOCOL"),
    *("CLUSTER BY", "COMPUTE STATS", "OPTIMIZE", "REORG", "VACUUM START", "VACUUM END"),
}
"""What a table's history calls the commits that change no row."""

RECENT = 20  # commits of ``posts``: what is looked for is the last one that is none of these

type Commit = tuple[int, int]
"""A table's version and the second when it was committed: a table that is dropped and made again has others."""

type Commits = Mapping[str, Commit]
"""By entity, a commit of silver's table."""


@dataclass(frozen=True)
class Silver:
    """The last commit and the number of rows of each table of silver, by entity."""

    commits: Commits
    rows: Mapping[str, int]

    @property
    def is_small(self) -> bool:
        return sum(self.rows.values()) <= SMALL


def refresh(lake: Lake) -> Silver:
    """Bring ``posts`` up to date with silver; return what silver was, for :func:`still_reflects`.

    All rows are made anew if silver is small, or if it cannot be told which have changed: the table is new, has another
    definition, or somebody else wrote to it; a table of silver was made again or kept no changes; they were vacuumed.

    A rerun writes nothing. What a killed run has left undone, the next one does. Safe beside another run: if that one
    commits first, this one starts again or leaves the table as it is, and :func:`still_reflects` says so.
    """
    lake.create_table(TABLE, POSTS, found_by="ind")
    return committed(lambda: _refresh(lake))


def still_reflects(lake: Lake, seen: Silver) -> bool:
    """Whether ``posts`` and silver are as a :func:`refresh` has left and seen them."""
    commits, stored = _state(lake)
    return commits == _reflected(stored) == seen.commits


def planned_for(lake: Lake, silver: Silver) -> AbstractContextManager[None]:
    """Plan queries of ``posts`` by the number of their rows."""
    return settings(lake.spark, FEW_ROWS if sum(silver.rows.values()) < MANY else {})


def posts_of(pin: DataFrame, geo: DataFrame, user: DataFrame) -> DataFrame:
    """One row per ``ind`` that any of the three tables has; ``has_pin``, ``has_geo``, ``has_user`` say which have."""
    silver = {"pin": pin, "geo": geo, "user": user}
    parts = [
        silver[entity].selectExpr("ind", *columns, f"true AS has_{entity}") for entity, columns in OF_SILVER.items()
    ]
    rows = reduce(lambda above, below: above.unionByName(below, allowMissingColumns=True), parts)
    each_value_in_one_part = [F.max(name).alias(name) for name in COLUMNS]
    return rows.groupBy("ind").agg(*each_value_in_one_part).fillna(False, list(PRESENT))


def _refresh(lake: Lake) -> Silver:
    commits, stored = _state(lake)
    with interpreted(lake.spark):  # Delta has the counts in its log
        silver = Silver(commits, {entity: lake.table(silver_table(entity)).count() for entity in ENTITIES})
    reflected = _reflected(stored)
    if reflected != commits:
        changed = ALL if silver.is_small or reflected is None else _changed(lake, reflected, commits)
        with planned_for(lake, silver):
            _make_anew(lake, changed, silver, builds_on=stored[0].version)
    return silver


def _state(lake: Lake) -> tuple[Commits, list[Row]]:
    """The last commit of each table of silver, and the recent ones of ``posts``, newest first."""
    with interpreted(lake.spark), ThreadPoolExecutor(len(ENTITIES) + 1) as pool:
        stored = pool.submit(_history, lake, TABLE, RECENT)
        newest = pool.map(lambda entity: _history(lake, silver_table(entity), 1)[0], ENTITIES)
        return {
            entity: (row.version, row.second) for entity, row in zip(ENTITIES, newest, strict=True)
        }, stored.result()


def _history(lake: Lake, table: str, commits: int) -> list[Row]:
    """A table's last commits, newest first."""
    history = lake.spark.sql(f"DESCRIBE HISTORY {lake.name(table)} LIMIT {commits}")
    return history.select("version", F.unix_seconds("timestamp").alias("second"), "operation", "userMetadata").collect()


def _reflected(history: Iterable[Row]) -> Commits | None:
    """The commits of silver that ``posts`` reflects; None if that cannot be told."""
    last = next((commit for commit in history if commit.operation not in ROWS_STAY), None)
    metadata = json.loads((last and last.userMetadata) or "{}")
    if metadata.get("definition") != DEFINITION:
        return None
    return {entity: (version, second) for entity, (version, second) in metadata["silver"].items()}


def _changed(lake: Lake, since: Commits, until: Commits) -> str:
    """A condition that holds for the keys of all rows of silver that were added, changed or deleted in between."""
    feeds = []
    for entity in ENTITIES:
        if since[entity] == until[entity]:
            continue
        table, (first, _), (last, _) = silver_table(entity), since[entity], until[entity]
        if first >= last or _history(lake, table, last - first + 1)[-1][:2] != since[entity]:
            return ALL  # it is not the table that it was
        feed = lake.spark.read.option("readChangeFeed", "true").option("startingVersion", first + 1)
        feeds.append(feed.option("endingVersion", last).table(lake.name(table)).select("ind"))
    block = F.expr(f"ind DIV {BLOCK}")
    try:
        blocks = reduce(DataFrame.union, feeds).groupBy(block).count().collect()
    except (PySparkException, Py4JJavaError) as error:
        if "cancel" in str(error).lower():
            raise
        _keep_changes(lake)
        return ALL  # they were vacuumed, or not kept
    return _within(sorted(block for block, _ in blocks))


def _keep_changes(lake: Lake) -> None:
    """Turn silver's change feed on where it is off."""
    for entity in ENTITIES:
        name = lake.name(silver_table(entity))
        (detail,) = lake.spark.sql(f"DESCRIBE DETAIL {name}").collect()
        if detail.properties.get(CHANGE_FEED) != "true":
            turn_on = f"ALTER TABLE {name} SET TBLPROPERTIES ('{CHANGE_FEED}' = 'true')"
            committed(partial(lake.spark.sql, turn_on))


def _within(blocks: Iterable[int]) -> str:
    """A condition on ``ind``; blocks that are next to each other become one range, for Delta to leave files out."""
    ranges: list[tuple[int, int]] = []
    for block in blocks:
        first = ranges.pop()[0] if ranges and ranges[-1][1] == block - 1 else block
        ranges.append((first, block))
    if len(ranges) > MOST_RANGES:
        return ALL
    return " OR ".join(f"ind BETWEEN {first * BLOCK} AND {(last + 1) * BLOCK - 1}" for first, last in ranges) or NONE


def _make_anew(lake: Lake, within: str, silver: Silver, *, builds_on: int) -> None:
    """Replace the posts of these keys by what silver has, in one commit that builds on that version of ``posts``.

    Delta commits only one transaction of several with one number, and none with a number below one that is committed.
    So rows that were read earlier never come after newer ones, even if two runs replace other keys.
    """
    rows = posts_of(*(lake.table(silver_table(entity)).where(within) for entity in ENTITIES))
    files = max(silver.rows.values()) // ROWS_A_FILE + 1
    if within == ALL and files > 1:
        rows = rows.repartitionByRange(files, "ind")
    options = {
        "userMetadata": json.dumps({"definition": DEFINITION, "silver": silver.commits}),
        "txnAppId": TABLE,
        "txnVersion": str(builds_on + 1),
    }
    rows.writeTo(lake.name(TABLE)).options(**options).overwrite(F.expr(within))
