"""The usual notebooks, to compare with: batch with inferred schemas and nine queries, a stream that only appends."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from benchmarks.landed_posts import topic
from benchmarks.real_rows import SCHEMAS, TABLES

AGE_GROUP = "CASE WHEN age <= 24 THEN '18-24' WHEN age <= 35 THEN '25-35' WHEN age <= 50 THEN '36-50' ELSE '50+' END"
RANKED = "SELECT * FROM (SELECT *, rank() OVER (PARTITION BY {by} ORDER BY n DESC) r FROM ({counted})) WHERE r = 1"
COUNTED = "SELECT {by}, category, count(*) n FROM posts GROUP BY 1, 2"
QUERIES = (
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
POSITION = ("_topic", "_partition", "_offset", "_timestamp")


def create_views(spark: SparkSession, folder: Path) -> None:
    """Views ``pin``, ``geo``, ``user`` and ``posts``: cleaned, without duplicate rows, computed anew by every query."""
    raw = {
        entity: spark.read.json(f"file://{folder}/topics/{topic(entity)}/*").drop(*POSITION).dropDuplicates()
        for entity in TABLES
    }
    followers = F.regexp_replace(F.regexp_replace("follower_count", "k", "000"), "M", "000000").try_cast("int")
    pin = raw["pin"].withColumnRenamed("index", "ind").withColumn("follower_count", followers)
    for name in ("title", "description", "poster_name", "tag_list", "image_src"):
        pin = pin.withColumn(name, F.when(~F.col(name).isin("", "User Info Error"), F.col(name)))
    geo = raw["geo"].withColumn("coordinates", F.array("latitude", "longitude"))
    user = raw["user"].withColumn("user_name", F.concat_ws(" ", "first_name", "last_name"))
    for entity, cleaned in (("pin", pin), ("geo", geo), ("user", user)):
        cleaned.createOrReplaceTempView(entity)
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


def append(
    spark: SparkSession, entity: str, data_stream: str, table: str, *, checkpoint: str, trigger: dict[str, str | bool]
) -> StreamingQuery:
    """Start a streaming query that appends what it parses: no MERGE and no quarantine."""
    records = spark.readStream.format("kinesis").options(streamName=data_stream, region="us-east-1")
    rows = (
        records.option("initialPosition", "earliest")
        .load()
        .select(
            F.from_json(F.col("data").cast("string"), SCHEMAS[entity]).alias("row"),
            F.col("approximateArrivalTimestamp").alias("_arrived_at"),
        )
        .select("row.*", "_arrived_at")
    )
    writer = rows.writeStream.format("delta").option("checkpointLocation", checkpoint)
    return writer.trigger(**trigger).toTable(table)
