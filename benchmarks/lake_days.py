"""What a day costs in a life of days: new posts and some corrections into one lake, every day.

- ours: load, clean and analyze, as the notebooks do; the last day must not pay for the ones before
- duckdb: the same load, clean and nine analyses in DuckDB on one machine, what one would pick for this size alone
- peers: the usual notebooks on the last day: they read all days again

Run it with the Spark environment's Python: ``python -m benchmarks.lake_days``; a short run is
``--days 6 --posts-a-day 20000``. Each shape has a process and a lake of its own. A day corrects some of the one before.
Prints a table, then one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.duckdb_lake import DuckDBLake
from benchmarks.lake import WARM_UP, open_lake, peers, steps_of_batch
from benchmarks.landed_posts import PARTITIONS, fresh, make_posts
from benchmarks.shapes import Table, measure_apart, timed
from benchmarks.spark_session import cpu_seconds, peak_mb, spark_session
from pinterest_lake import gold

STEPS = ("load", "clean", "analyses")
CPU = tuple(f"{step} CPU" for step in STEPS)
COLUMNS = {
    **{"shape": "<7", "day": ">4"},
    **dict.fromkeys(STEPS, ">9.2f"),
    "whole": ">8.2f",
    **dict.fromkeys(CPU, ">13.2f"),
    "peak MB": ">8.0f",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--posts-a-day", type=int, default=100_000)
    parser.add_argument("--corrections-a-day", type=int, default=1_000)
    parser.add_argument("--warm-up", type=int, default=WARM_UP, help="posts of the day before the first")
    parser.add_argument("--without", choices=SHAPES, nargs="*", default=[], help="shapes to leave out")
    parser.add_argument("--folder", help="where the data goes while it is measured (needs 8 GB per million posts)")
    parser.add_argument("--measure", choices=SHAPES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(SHAPES[given.measure](Path(given.folder))))
        return
    with tempfile.TemporaryDirectory(prefix="bench-days-", dir=given.folder) as folder:
        bucket = make_days(Path(folder), given.days, given.posts_a_day, given.corrections_a_day, warm_up=given.warm_up)
        print(json.dumps(compare(bucket, [shape for shape in SHAPES if shape not in given.without])))


def make_days(folder: Path, days: int, posts: int, corrections: int, *, warm_up: int) -> Path:
    """A run's objects for every day, after those of a first run, ``warm``."""
    bucket = fresh(folder / "days")
    make_posts(bucket, "warm", range(warm_up), first_offset=0)
    offset = -(-warm_up // PARTITIONS)
    for day in range(days):
        first = warm_up + day * posts
        corrected = range(max(0, first - posts), first, max(1, min(first, posts) // corrections))[:corrections]
        make_posts(bucket, f"day-{day + 1:03d}", range(first, first + posts), first_offset=offset, corrected=corrected)
        offset += -(-posts // PARTITIONS) + -(-len(corrected) // PARTITIONS)
    return bucket


def compare(bucket: Path, shapes: list[str]) -> dict[str, float]:
    figures: dict[str, float] = {}
    table = Table(COLUMNS)
    for shape in shapes:
        shutil.rmtree(bucket / "lake", ignore_errors=True)
        measured = measure_apart("benchmarks.lake_days", shape, "--folder", str(bucket))
        if shape == "peers":
            figures["peers_last_day_seconds"] = seconds = round(sum(measured["steps"].values()), 2)
            print(f"{shape:<7} last day {seconds:.1f} s", flush=True)
            continue
        for day, figure in enumerate(measured["days"], start=1):
            cpu = (figure[step] for step in CPU)
            table.row(shape, day, *(figure[step] for step in STEPS), whole(figure), *cpu, figure["peak_mb"])
        figures |= {f"{shape}_{name}": round(value, 2) for name, value in of_days(measured["days"]).items()}
    for shape in shapes:
        if "peers" in shapes and shape != "peers":
            last = figures[f"{shape}_last_day_seconds"]
            figures[f"peers_to_{shape}_last_day"] = round(figures["peers_last_day_seconds"] / last, 2)
    return figures


def of_days(days: list[dict[str, float]]) -> dict[str, float]:
    """The last day beside the second: the first finds an almost empty lake."""
    second, last = days[min(1, len(days) - 1)], days[-1]
    load_clean = {name: day["load"] + day["clean"] for name, day in (("second", second), ("last", last))}
    load_clean_cpu = last["load CPU"] + last["clean CPU"], second["load CPU"] + second["clean CPU"]
    return {
        "second_day_load_clean_seconds": load_clean["second"],
        "last_day_load_clean_seconds": load_clean["last"],
        "last_to_second_day_load_clean": load_clean["last"] / load_clean["second"],
        "second_day_analyses_seconds": second["analyses"],
        "last_day_analyses_seconds": last["analyses"],
        "last_to_second_day_analyses": last["analyses"] / second["analyses"],
        "last_to_second_day_load_clean_cpu": load_clean_cpu[0] / load_clean_cpu[1],
        "last_to_second_day_analyses_cpu": last["analyses CPU"] / second["analyses CPU"],
        "last_day_seconds": whole(last),
        "second_day_peak_mb": second["peak_mb"],
        "last_day_peak_mb": last["peak_mb"],
    }


def whole(day: dict[str, float]) -> float:
    return sum(day[step] for step in STEPS)


def measured(steps: Mapping[str, Callable[[], object]], cpu: Callable[[], float]) -> dict[str, float]:
    """Seconds by the clock, and of all cores: on a shared machine the latter say more."""
    figures = {}
    for name, step in steps.items():
        began = cpu()
        figures[name] = timed(step)
        figures[f"{name} CPU"] = cpu() - began
    return figures


def runs(bucket: Path) -> list[str]:
    return sorted(path.name for path in (bucket / "landing").iterdir() if path.name != "warm")


def ours(bucket: Path) -> dict[str, Any]:
    with spark_session(bucket) as spark:
        lake = open_lake(spark)

        def one(run: str) -> dict[str, float]:
            load, clean = steps_of_batch(lake, bucket, run)
            steps = {"load": load, "clean": clean, "analyses": lambda: gold.refresh(lake)}
            return measured(steps, lambda: cpu_seconds(spark))

        one("warm")
        return {"days": [{**one(run), "peak_mb": peak_mb(spark)} for run in runs(bucket)]}


def duckdb(bucket: Path) -> dict[str, Any]:
    (bucket / "lake").mkdir()
    lake = DuckDBLake(bucket / "lake" / "lake.duckdb")

    def one(run: str) -> dict[str, float]:
        manifest = json.loads((bucket / "landing" / run / "manifest.json").read_text())
        steps = {
            "load": lambda: lake.load(bucket, manifest, run),
            "clean": lambda: lake.clean(run),
            "analyses": lake.analyze,
        }
        return measured(steps, time.process_time)

    one("warm")
    return {"days": [{**one(run), "peak_mb": lake.peak_mb()} for run in runs(bucket)]}


SHAPES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "ours": ours,
    "duckdb": duckdb,
    "peers": lambda bucket: peers(bucket, "day-*"),
}


if __name__ == "__main__":
    main()
