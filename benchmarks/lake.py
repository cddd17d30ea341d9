"""How fast the lake takes posts: load, clean and analyse, as the notebooks do, beside two other shapes.

- floor: read the JSON with a schema and write it as Delta, nothing else
- peers: the usual notebooks: inferred schemas, views over the raw files, the cleaned rows shown, and nine queries that
  read and join everything again
- days: ten runs of new posts into one lake; the last must not pay for the ones before, as it does in the peers' shape

Run it with the Spark environment's Python. Each shape has a process, a warm-up and a lake of its own. Posts are made
from the real rows, with new keys. Prints a table, then one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "spark"))
INSTALL = Path(os.environ.get("LAB_INSTALL", ROOT / ".lab" / "install"))
REAL_ROWS = ROOT / "lab" / "source" / "real_rows"
SOURCES = {"pin": "pinterest_data", "geo": "geolocation_data", "user": "user_data"}
KEYS = {"pin": "index", "geo": "ind", "user": "ind"}
PARTITIONS = 3
OBJECT_LINES = 1000
WARM_UP = 30_000
MARK = 987654321

AGE_GROUP = "CASE WHEN age <= 24 THEN '18-24' WHEN age <= 35 THEN '25-35' WHEN age <= 50 THEN '36-50' ELSE '50+' END"
RANKED = "SELECT * FROM (SELECT *, rank() OVER (PARTITION BY {by} ORDER BY n DESC) r FROM ({counted})) WHERE r = 1"
COUNTED = "SELECT {by}, category, count(*) n FROM posts GROUP BY 1, 2"
PEERS_QUERIES = (
    RANKED.format(by="country", counted=COUNTED.format(by="country")),
    RANKED.format(by="post_year", counted=COUNTED.format(by="post_year")),
    "SELECT country, max_by(poster_name, follower_count), max(follower_count) FROM posts GROUP BY 1",
    "SELECT country, max(follower_count) n FROM posts GROUP BY 1 ORDER BY n DESC LIMIT 1",
    RANKED.format(by="age_group", counted=COUNTED.format(by="age_group")),
    "SELECT age_group, median(follower_count) FROM posts GROUP BY 1",
    "SELECT join_year, count(DISTINCT user_name, age, date_joined) FROM posts GROUP BY 1",
    "SELECT join_year, median(follower_count) FROM posts GROUP BY 1",
    "SELECT age_group, join_year, median(follower_count) FROM posts GROUP BY 1, 2",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--posts-a-day", type=int, default=100_000)
    parser.add_argument("--folder", help="where the data goes while it is measured (needs 6 GB a million posts)")
    parser.add_argument("--measure", choices=MEASURES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(MEASURES[given.measure](Path(given.folder))))
        return
    with tempfile.TemporaryDirectory(prefix="bench-lake-", dir=given.folder) as folder:
        figures = run(Path(folder), given.posts, given.days, given.posts_a_day)
    print(json.dumps(figures))


def run(folder: Path, sizes: list[int], days: int, posts_a_day: int) -> dict[str, float]:
    figures: dict[str, float] = {}
    print(f"{'posts':>9} {'shape':<6} {'seconds':>8} {'CPU s':>6} {'posts/s':>8} {'peak MB':>8}  steps", flush=True)
    for posts in sizes:
        bucket = fresh(folder / "posts")
        make_posts(bucket, "warm", range(WARM_UP), first_offset=0)
        make_posts(bucket, "run", range(WARM_UP, WARM_UP + posts), first_offset=WARM_UP // PARTITIONS)
        seconds = {}
        for shape in ("floor", "ours", "peers"):
            measured = measure(shape, bucket)
            seconds[shape] = total = sum(measured["steps"].values())
            steps = " ".join(f"{name} {value:.1f}" for name, value in measured["steps"].items())
            print(
                f"{posts:>9} {shape:<6} {total:>8.1f} {measured['cpu']:>6.0f} {posts / total:>8.0f} "
                f"{measured['peak_mb']:>8.0f}  {steps}",
                flush=True,
            )
            figures |= {
                f"{shape}_{posts}_seconds": round(total, 1),
                f"{shape}_{posts}_cpu_seconds": round(measured["cpu"], 1),
                f"{shape}_{posts}_posts_per_second": round(posts / total),
                f"{shape}_{posts}_peak_mb": round(measured["peak_mb"]),
            }
        figures[f"ours_to_floor_{posts}"] = round(seconds["ours"] / seconds["floor"], 2)
        figures[f"peers_to_ours_{posts}"] = round(seconds["peers"] / seconds["ours"], 2)
    if days:
        figures |= run_days(folder, days, posts_a_day)
    return figures


def run_days(folder: Path, days: int, posts_a_day: int) -> dict[str, float]:
    bucket = fresh(folder / "days")
    make_posts(bucket, "warm", range(WARM_UP), first_offset=0)
    lines_a_day = -(-posts_a_day // PARTITIONS)  # in the longest partition: no offset may be used twice
    for day in range(days):
        first = WARM_UP + day * posts_a_day
        posts = range(first, first + posts_a_day)
        make_posts(bucket, f"day-{day + 1:02d}", posts, first_offset=WARM_UP // PARTITIONS + day * lines_a_day)
    measured = measure("days", bucket)
    for day in measured["days"]:
        steps = f"load+clean {day['load_clean']:.1f} s, analyses {day['analyses']:.1f} s"
        print(f"{posts_a_day:>9} {day['day']:<6} {steps}", flush=True)
    first, last = measured["days"][0], measured["days"][-1]
    peers = sum(measure("peers_last_day", bucket)["steps"].values())
    ours = last["load_clean"] + last["analyses"]
    print(f"{posts_a_day:>9} last   ours {ours:.1f} s, peers {peers:.1f} s", flush=True)
    return {
        "peers_last_day_seconds": round(peers, 1),
        "peers_to_ours_last_day": round(peers / ours, 2),
        "first_day_load_clean_seconds": round(first["load_clean"], 1),
        "last_day_load_clean_seconds": round(last["load_clean"], 1),
        "last_to_first_day_load_clean": round(last["load_clean"] / first["load_clean"], 2),
        "last_to_first_day_analyses": round(last["analyses"] / first["analyses"], 2),
        "days_peak_mb": round(measured["peak_mb"]),
    }


def measure(shape: str, folder: Path) -> dict:
    """Run one shape in a process of its own."""
    shutil.rmtree(folder / "lake", ignore_errors=True)
    command = [sys.executable, __file__, "--measure", shape, "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{shape} failed:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure_ours(folder: Path) -> dict:
    from pinterest_lake.gold import refresh as analyse

    with session(folder) as spark:
        lake = open_lake(spark)
        for run in ("warm", "run"):
            began = cpu_seconds(spark)
            steps = run_batch(lake, folder, run)
            steps["analyses"] = timed(lambda: analyse(lake))
        return {"steps": steps, "cpu": cpu_seconds(spark) - began, "peak_mb": peak_mb(spark)}


def measure_days(folder: Path) -> dict:
    from pinterest_lake.gold import refresh as analyse

    with session(folder) as spark:
        lake = open_lake(spark)
        days = []
        for run in sorted(path.name for path in (folder / "landing").iterdir() if path.name != "warm"):
            if not days:
                run_batch(lake, folder, "warm")
                analyse(lake)
            load_clean = sum(run_batch(lake, folder, run).values())
            days.append({"day": run, "load_clean": load_clean, "analyses": timed(lambda: analyse(lake))})
        return {"days": days, "peak_mb": peak_mb(spark)}


def run_batch(lake, folder: Path, run: str) -> dict[str, float]:
    from pinterest_lake import bronze, silver
    from pinterest_lake.manifest import read_manifest

    manifest = read_manifest(lake.spark, f"file://{folder}/landing/{run}/manifest.json")

    def clean() -> None:
        """The three streams side by side, as the job's tasks."""
        with ThreadPoolExecutor(len(SOURCES)) as pool:
            for done in [pool.submit(silver.refresh, lake, manifest.topics[stream], stream, run) for stream in SOURCES]:
                done.result()

    return {"load": timed(lambda: bronze.load_all(lake, manifest, run)), "clean": timed(clean)}


def measure_floor(folder: Path) -> dict:
    schemas = {
        "pin": "index INT, unique_id STRING, title STRING, description STRING, poster_name STRING, "
        "follower_count STRING, tag_list STRING, is_image_or_video STRING, image_src STRING, downloaded INT, "
        "save_location STRING, category STRING",
        "geo": "ind INT, timestamp STRING, latitude DOUBLE, longitude DOUBLE, country STRING",
        "user": "ind INT, first_name STRING, last_name STRING, age INT, date_joined STRING",
    }
    with session(folder) as spark:
        for run in ("warm", "run"):
            began, steps = cpu_seconds(spark), {}
            for stream, schema in schemas.items():
                frame = spark.read.schema(schema).json(f"file://{folder}/{run}/topics/{topic(stream)}")
                target = f"{folder}/lake/{run}_{stream}"
                steps[stream] = timed(lambda frame=frame, target=target: frame.write.format("delta").save(target))
        return {"steps": steps, "cpu": cpu_seconds(spark) - began, "peak_mb": peak_mb(spark)}


def measure_peers(folder: Path, run: str = "run") -> dict:
    """``run`` may be a pattern: the usual notebooks read the whole bucket every day."""
    with session(folder) as spark:
        for folders in ("warm", run):
            began = cpu_seconds(spark)
            steps = {"infer": timed(lambda folders=folders: peers_views(spark, folder / folders))}
            steps["show"] = timed(lambda: [spark.table(stream).limit(10).collect() for stream in SOURCES])
            for number, query in enumerate(PEERS_QUERIES, start=1):
                steps[f"q{number}"] = timed(lambda query=query: spark.sql(query).collect())
        return {"steps": steps, "cpu": cpu_seconds(spark) - began, "peak_mb": peak_mb(spark)}


def peers_views(spark, folder: Path) -> None:
    """Views as the usual notebooks leave them: cleaned, free of duplicate rows, and worked out anew by every query."""
    from pyspark.sql import functions as F

    position = ("_topic", "_partition", "_offset", "_timestamp")
    raw = {
        stream: spark.read.json(f"file://{folder}/topics/{topic(stream)}/*").drop(*position).dropDuplicates()
        for stream in SOURCES
    }
    followers = F.regexp_replace(F.regexp_replace("follower_count", "k", "000"), "M", "000000").try_cast("int")
    pin = raw["pin"].withColumnRenamed("index", "ind").withColumn("follower_count", followers)
    for name in ("title", "description", "poster_name", "tag_list", "image_src"):
        pin = pin.withColumn(name, F.when(~F.col(name).isin("", "User Info Error"), F.col(name)))
    geo = raw["geo"].withColumn("coordinates", F.array("latitude", "longitude"))
    user = raw["user"].withColumn("user_name", F.concat_ws(" ", "first_name", "last_name"))
    for stream, cleaned in zip(SOURCES, (pin, geo, user), strict=True):
        cleaned.createOrReplaceTempView(stream)
    pin.select("ind", "category", "poster_name", "follower_count").join(
        geo.select("ind", "country", F.year(F.to_timestamp("timestamp")).alias("post_year")), "ind"
    ).join(
        user.select(
            "ind",
            "user_name",
            "age",
            "date_joined",
            F.expr(f"{AGE_GROUP} AS age_group"),
            F.year(F.to_timestamp("date_joined")).alias("join_year"),
        ),
        "ind",
    ).createOrReplaceTempView("posts")


MEASURES: dict[str, Callable[[Path], dict]] = {
    "ours": measure_ours,
    "floor": measure_floor,
    "peers": measure_peers,
    "days": measure_days,
    "peers_last_day": lambda folder: measure_peers(folder, "day-*"),
}


class session:
    """A Spark session as the lab's worker has it, on two cores; its JVM ends with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self):
        from pyspark.sql import SparkSession

        if (INSTALL / "java" / "bin" / "java").exists():
            os.environ["JAVA_HOME"] = str(INSTALL / "java")
        os.environ |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
        jars = sorted(map(str, (INSTALL / "jars" / "spark").glob("*.jar")))
        if not jars:
            raise SystemExit(f"no Spark jars in {INSTALL / 'jars' / 'spark'}: run `make test`, or set LAB_INSTALL")
        scratch = self.folder / "lake" / "scratch"
        scratch.mkdir(parents=True)
        configuration = {
            "spark.jars": ",".join(jars),
            "spark.driver.memory": "2g",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.extraJavaOptions": f"-Dderby.system.home={scratch} -Duser.timezone=UTC -XX:+UseParallelGC",
            "spark.local.dir": str(scratch),
            "spark.sql.warehouse.dir": str(self.folder / "lake" / "warehouse"),
            "spark.ui.enabled": "false",
            "spark.sql.ui.explainMode": "simple",
            "spark.ui.showConsoleProgress": "false",
            "spark.default.parallelism": "2",
            "spark.sql.shuffle.partitions": "4",
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.codegen.cache.maxEntries": "2000",
            "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
            "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
            "spark.databricks.delta.snapshotPartitions": "2",
        }
        self.spark = SparkSession.builder.master("local[2]").config(map=configuration).getOrCreate()
        self.spark.sparkContext.setLogLevel("ERROR")
        return self.spark

    def __exit__(self, *_error: object) -> None:
        jvm = self.spark.sparkContext._gateway.proc
        self.spark.stop()
        jvm.stdin.close()
        jvm.wait(30)


def open_lake(spark):
    from pinterest_lake.tables import Lake

    lake = Lake(spark, "spark_catalog", "pinterest")
    lake.create()
    return lake


def timed(step: Callable[[], object]) -> float:
    began = time.monotonic()
    step()
    return time.monotonic() - began


def peak_mb(spark) -> float:
    """The most memory the JVM has held, from the kernel; 0 where there is no /proc."""
    pid = spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid()
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def cpu_seconds(spark) -> float:
    """What the JVM has used of all cores: beside others on one machine it says more than the clock."""
    return spark.sparkContext._jvm.java.lang.ProcessHandle.current().info().totalCpuDuration().get().toMillis() / 1000


def topic(stream: str) -> str:
    return f"0e36c8cd403d.{stream}"


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def make_posts(bucket: Path, run: str, keys: range, first_offset: int) -> None:
    """Objects of the three topics in a folder of the run, and the run's manifest, as the landing stage leaves it."""
    manifest = {"topics": {}, "dead_letters": {"key": "", "count": 0}}
    for stream in SOURCES:
        templates = list(line_templates(stream))
        partitions = {}
        for partition in range(PARTITIONS):
            mine = keys[partition::PARTITIONS]
            objects = []
            for start in range(0, len(mine), OBJECT_LINES):
                lines = [
                    templates[key % len(templates)] % (key, key, key, partition, first_offset + start + number)
                    if stream == "pin"
                    else templates[key % len(templates)] % (key, partition, first_offset + start + number)
                    for number, key in enumerate(mine[start : start + OBJECT_LINES])
                ]
                first = first_offset + start
                name = f"{topic(stream)}+{partition}+{first:010d}.json"
                key = f"{run}/topics/{topic(stream)}/partition={partition}/{name}"
                (bucket / key).parent.mkdir(parents=True, exist_ok=True)
                (bucket / key).write_text("".join(lines), encoding="utf-8")
                objects.append(
                    {"key": key, "lines": len(lines), "first_offset": first, "last_offset": first + len(lines) - 1}
                )
            end = first_offset + len(mine)
            partitions[str(partition)] = {"from": first_offset, "to": end, "objects": objects}
        manifest["topics"][stream] = {"topic": topic(stream), "partitions": partitions}
    path = bucket / "landing" / run / "manifest.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(manifest))


def line_templates(stream: str) -> Iterator[str]:
    """One ``%`` template a real row: key (three times in a pin: id and title differ, too), partition, offset."""
    for text in (REAL_ROWS / f"{SOURCES[stream]}.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(text) | {KEYS[stream]: MARK}
        if stream == "pin":
            row["unique_id"] = f"{row['unique_id'][:-9]}{MARK}"
            row["title"] = f"{row['title']} {MARK}"
        position = {"_topic": topic(stream), "_partition": MARK, "_offset": MARK, "_timestamp": 1_700_000_000_000}
        line = json.dumps(row | position, ensure_ascii=False).replace("%", "%%").replace(str(MARK), "%d")
        yield f"{line}\n"


if __name__ == "__main__":
    main()
