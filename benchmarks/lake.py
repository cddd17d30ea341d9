"""How fast the lake takes posts: load, clean and analyze, as the notebooks do, beside two other shapes.

- floor: read the JSON with a schema and write it as Delta, nothing else
- peers: the usual notebooks: inferred schemas, views over the raw files, the cleaned rows shown, and nine queries that
  read and join everything again

Run it with the Spark environment's Python: ``python -m benchmarks.lake``. Each shape has a process, a warm-up and a
lake of its own. Posts are made from the real rows, with new keys. Prints a table, then one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from benchmarks.landed_posts import PARTITIONS, USUAL, fresh, make_posts, topic
from benchmarks.real_rows import SCHEMAS, TABLES
from benchmarks.shapes import Table, measure_apart, timed
from benchmarks.spark_session import cpu_seconds, peak_mb, spark_session
from benchmarks.usual_notebooks import QUERIES, create_views
from pinterest_lake import bronze, gold, silver
from pinterest_lake.manifest import read_manifest
from pinterest_lake.tables import Lake

WARM_UP = 30_000
COLUMNS = {"posts": ">9", "shape": "<6", "seconds": ">8.1f", "CPU s": ">6.0f", "posts/s": ">8.0f", "peak MB": ">8.0f"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--folder", help="where the data goes while it is measured (needs 8 GB per million posts)")
    parser.add_argument("--measure", choices=SHAPES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(SHAPES[given.measure](Path(given.folder))))
        return
    with tempfile.TemporaryDirectory(prefix="bench-lake-", dir=given.folder) as folder:
        figures = compare(Path(folder), given.posts)
    print(json.dumps(figures))


def compare(folder: Path, sizes: list[int]) -> dict[str, float]:
    """Each shape on one run of new posts, for every size."""
    figures: dict[str, float] = {}
    table = Table(COLUMNS | {" steps": ""})
    for posts in sizes:
        bucket = fresh(folder / "posts")
        make_posts(bucket, "warm", range(WARM_UP), first_offset=0)
        make_posts(bucket, "run", range(WARM_UP, WARM_UP + posts), first_offset=WARM_UP // PARTITIONS)
        seconds = {}
        for shape in ("floor", "ours", "peers"):
            measured = measure(shape, bucket)
            seconds[shape] = total = sum(measured["steps"].values())
            steps = " ".join(f"{name} {value:.1f}" for name, value in measured["steps"].items())
            table.row(posts, shape, total, measured["cpu"], posts / total, measured["peak_mb"], f" {steps}")
            figures |= {
                f"{shape}_{posts}_seconds": round(total, 1),
                f"{shape}_{posts}_cpu_seconds": round(measured["cpu"], 1),
                f"{shape}_{posts}_posts_per_second": round(posts / total),
                f"{shape}_{posts}_peak_mb": round(measured["peak_mb"]),
            }
        figures[f"ours_to_floor_{posts}"] = round(seconds["ours"] / seconds["floor"], 2)
        figures[f"peers_to_ours_{posts}"] = round(seconds["peers"] / seconds["ours"], 2)
    return figures


def measure(shape: str, bucket: Path) -> dict[str, Any]:
    shutil.rmtree(bucket / "lake", ignore_errors=True)
    return measure_apart("benchmarks.lake", shape, "--folder", str(bucket))


def ours(bucket: Path) -> dict[str, Any]:
    with spark_session(bucket) as spark:
        lake = open_lake(spark)
        for run in ("warm", "run"):
            began = cpu_seconds(spark)
            steps = run_batch(lake, bucket, run)
            steps["analyses"] = timed(lambda: gold.refresh(lake))
        return {"steps": steps, "cpu": cpu_seconds(spark) - began, "peak_mb": peak_mb(spark)}


def floor(bucket: Path) -> dict[str, Any]:
    with spark_session(bucket) as spark:
        for run in ("warm", "run"):
            began, steps = cpu_seconds(spark), {}
            for entity, schema in SCHEMAS.items():
                frame = spark.read.schema(schema).json(f"file://{bucket}/{run}/{USUAL}/topics/{topic(entity)}")
                target = f"{bucket}/lake/{run}_{entity}"
                steps[entity] = timed(lambda frame=frame, target=target: frame.write.format("delta").save(target))
        return {"steps": steps, "cpu": cpu_seconds(spark) - began, "peak_mb": peak_mb(spark)}


def peers(bucket: Path, run: str = "run") -> dict[str, Any]:
    """``run`` may be a pattern: the usual notebooks read the whole bucket every day."""
    with spark_session(bucket) as spark:
        for folders in ("warm", run):
            began = cpu_seconds(spark)
            steps = {"infer": timed(lambda folders=folders: create_views(spark, bucket / folders / USUAL))}
            steps["show"] = timed(lambda: [spark.table(entity).limit(10).collect() for entity in TABLES])
            for number, query in enumerate(QUERIES, start=1):
                steps[f"q{number}"] = timed(lambda query=query: spark.sql(query).collect())
        return {"steps": steps, "cpu": cpu_seconds(spark) - began, "peak_mb": peak_mb(spark)}


SHAPES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "ours": ours,
    "floor": floor,
    "peers": peers,
}


def open_lake(spark: SparkSession) -> Lake:
    lake = Lake(spark, "spark_catalog", "pinterest")
    lake.create()
    return lake


def run_batch(lake: Lake, bucket: Path, run: str) -> dict[str, float]:
    load, clean = steps_of_batch(lake, bucket, run)
    return {"load": timed(load), "clean": timed(clean)}


def steps_of_batch(lake: Lake, bucket: Path, run: str) -> tuple[Callable[[], object], Callable[[], object]]:
    """Load and clean one run."""
    manifest = read_manifest(lake.spark, f"file://{bucket}/landing/{run}/manifest.json")

    def clean() -> None:
        """The three entities side by side, as the job's tasks."""
        with ThreadPoolExecutor(len(TABLES)) as pool:
            for done in [pool.submit(silver.refresh, lake, manifest.topics[entity], entity, run) for entity in TABLES]:
                done.result()

    return lambda: bronze.load_all(lake, manifest, run), clean


if __name__ == "__main__":
    main()
