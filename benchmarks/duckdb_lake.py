"""The same lake in DuckDB, to compare with: records as sent, cleaned rows by key, nine analyses, in one file.

It cleans by the same rules, but has one writer, refuses only what is not JSON, and quarantines nothing.
"""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.real_rows import TABLES

BLANKS = r"^[\s\x{a0}]+|[\s\x{a0}]+$"
NOTHING = "'', 'null', 'N/A', 'n/a', 'none', 'None', 'NaN'"
AGE_GROUP = (
    "CASE WHEN age BETWEEN 18 AND 24 THEN '18-24' WHEN age BETWEEN 25 AND 35 THEN '25-35' "
    "WHEN age BETWEEN 36 AND 50 THEN '36-50' WHEN age >= 51 THEN '50+' ELSE 'unknown' END"
)
POSITION = 'topic VARCHAR, partition INTEGER, "offset" BIGINT'
LINES = {"_value": "VARCHAR", "_topic": "VARCHAR", "_partition": "INTEGER", "_offset": "BIGINT", "_timestamp": "BIGINT"}


def text(name: str, *unknown: str) -> str:
    """The field's text without blanks around it; null if it says nothing."""
    trimmed = f"regexp_replace(raw->>'{name}', '{BLANKS}', '', 'g')"
    others = "".join(f", '{value}'" for value in unknown)
    return f"CASE WHEN {trimmed} NOT IN ({NOTHING}{others}) THEN {trimmed} END"


def moment(name: str) -> str:
    return f"try_cast(regexp_replace(raw->>'{name}', '^(\\d+):(\\d+):', '\\1-\\2-') AS TIMESTAMP)"


FOLLOWERS = text("follower_count")
SILVER = {
    "pin": {
        "ind": "CAST(raw->>'index' AS INTEGER)",
        "unique_id": text("unique_id"),
        "title": text("title", "No Title Data Available", "Loading..."),
        "description": text(
            "description",
            "No description available",
            "No description available Story format",
            "Untitled",
            "Art.",
        ),
        "follower_count": (
            f"try_cast(regexp_extract({FOLLOWERS}, '^(\\d+)([kM]?)$', 1) AS BIGINT) * CASE right({FOLLOWERS}, 1) "
            "WHEN 'k' THEN 1000 WHEN 'M' THEN 1000000 ELSE 1 END"
        ),
        "poster_name": text("poster_name", "User Info Error"),
        "tag_list": text("tag_list", "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"),
        "is_image_or_video": text("is_image_or_video"),
        "image_src": text("image_src", "Image src error."),
        "save_location": f"regexp_replace({text('save_location')}, '^Local save in ', '')",
        "category": text("category"),
    },
    "geo": {
        "ind": "CAST(raw->>'ind' AS INTEGER)",
        "country": text("country"),
        "coordinates": "[CAST(raw->>'latitude' AS DOUBLE), CAST(raw->>'longitude' AS DOUBLE)]",
        "timestamp": moment("timestamp"),
    },
    "user": {
        "ind": "CAST(raw->>'ind' AS INTEGER)",
        "user_name": f"{text('first_name')} || ' ' || {text('last_name')}",
        "age": "CAST(raw->>'age' AS INTEGER)",
        "date_joined": moment("date_joined"),
    },
}
TYPES = {"ind": "INTEGER PRIMARY KEY", "follower_count": "BIGINT", "age": "INTEGER", "coordinates": "DOUBLE[]"}
MOMENTS = ("timestamp", "date_joined")

MOST = "SELECT {by}, category, count(*) AS n FROM {posts} AND category IS NOT NULL GROUP BY ALL"
RANKED = "SELECT * FROM ({counted}) QUALIFY rank() OVER (PARTITION BY {by} ORDER BY n DESC) = 1"
PLACED = "(SELECT *, year(timestamp) AS post_year FROM pin JOIN geo USING (ind))"
OWNED = f'(SELECT *, {AGE_GROUP} AS age_group, year(date_joined) AS join_year FROM pin JOIN "user" USING (ind))'
JOINED = f"{OWNED} WHERE join_year BETWEEN 2015 AND 2020"
TOP = (
    f"SELECT DISTINCT country, poster_name, follower_count FROM {PLACED} "
    "WHERE country IS NOT NULL AND follower_count IS NOT NULL "
    "QUALIFY rank() OVER (PARTITION BY country ORDER BY follower_count DESC) = 1"
)
MEDIAN = "SELECT {by}, median(follower_count) FROM {posts} AND follower_count IS NOT NULL GROUP BY ALL"
ANALYSES = {
    "popular_category_by_country": RANKED.format(
        by="country", counted=MOST.format(by="country", posts=f"{PLACED} WHERE country IS NOT NULL")
    ),
    "popular_category_by_year": RANKED.format(
        by="post_year", counted=MOST.format(by="post_year", posts=f"{PLACED} WHERE post_year BETWEEN 2018 AND 2022")
    ),
    "top_poster_by_country": TOP,
    "country_of_top_poster": (
        f"SELECT DISTINCT country, follower_count FROM ({TOP}) QUALIFY rank() OVER (ORDER BY follower_count DESC) = 1"
    ),
    "popular_category_by_age_group": RANKED.format(
        by="age_group", counted=MOST.format(by="age_group", posts=f"{OWNED} WHERE true")
    ),
    "median_followers_by_age_group": MEDIAN.format(by="age_group", posts=f"{OWNED} WHERE true"),
    "users_joined_by_year": (
        "SELECT year(date_joined) AS join_year, count(*) "
        'FROM (SELECT DISTINCT user_name, age, date_joined FROM "user") '
        "WHERE join_year BETWEEN 2015 AND 2020 GROUP BY ALL"
    ),
    "median_followers_by_join_year": MEDIAN.format(by="join_year", posts=JOINED),
    "median_followers_by_join_year_and_age_group": MEDIAN.format(by="age_group, join_year", posts=JOINED),
}


class DuckDBLake:
    """A database file with bronze, silver and gold. Two cores and 2 GB, as Spark has."""

    def __init__(self, file: Path) -> None:
        self._database = duckdb.connect(str(file), config={"threads": 2, "memory_limit": "2GB"})
        for entity in TABLES:
            columns = ", ".join(
                f"{name} {'TIMESTAMP' if name in MOMENTS else TYPES.get(name, 'VARCHAR')}" for name in SILVER[entity]
            )
            self._database.execute(
                f"CREATE TABLE bronze_{entity} ({POSITION}, kafka_time TIMESTAMP, object VARCHAR, raw VARCHAR, "
                "run_id VARCHAR)"
            )
            self._database.execute(f'CREATE TABLE "{entity}" ({columns}, _partition INTEGER, _offset BIGINT)')

    def load(self, bucket: Path, manifest: dict[str, Any], run: str) -> None:
        """Records that bronze does not hold yet."""
        for entity, topic in manifest["topics"].items():
            objects = [f"{bucket}/{one['key']}" for of in topic["partitions"].values() for one in of["objects"]]
            lines = f"read_json(?, format = 'newline_delimited', columns = {LINES}, filename = true)"
            self._database.execute(
                f"INSERT INTO bronze_{entity} SELECT _topic, _partition, _offset, make_timestamp(_timestamp * 1000), "
                f"filename, decode(from_base64(_value)), ? FROM {lines} AS line WHERE NOT EXISTS (SELECT 1 FROM "
                f'bronze_{entity} AS b WHERE b.partition = _partition AND b."offset" = _offset AND b.topic = _topic)',
                [run, objects],
            )

    def clean(self, run: str) -> None:
        """The newest record of each key, in the place of an older one."""
        for entity, columns in SILVER.items():
            key, others = columns["ind"], [name for name in columns if name != "ind"]
            values = ", ".join(f"{rule} AS {name}" for name, rule in columns.items())
            replaced = ", ".join(f"{name} = excluded.{name}" for name in (*others, "_partition", "_offset"))
            self._database.execute(
                f'INSERT INTO "{entity}" AS stored SELECT {values}, partition, "offset" FROM bronze_{entity} '
                "WHERE run_id = ? AND json_valid(raw) "
                f'QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY kafka_time DESC, "offset" DESC) = 1 '
                f"ON CONFLICT (ind) DO UPDATE SET {replaced} WHERE excluded._offset > stored._offset",
                [run],
            )

    def analyze(self) -> dict[str, list[tuple[Any, ...]]]:
        """Write the nine tables; return their rows."""
        for name, query in ANALYSES.items():
            self._database.execute(f"CREATE OR REPLACE TABLE {name} AS {query} ORDER BY ALL")
        return {name: self._database.table(name).fetchall() for name in ANALYSES}

    def peak_mb(self) -> float:
        """The most memory this process has held."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
