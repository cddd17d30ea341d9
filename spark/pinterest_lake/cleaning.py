"""Cleaning rules: raw fields in, analysts' columns out. Batch and stream use the same ones.

Every rule is a column expression, so Spark runs it without Python workers. Which values are dirty, and what becomes
of each: docs/data.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pinterest_lake.schemas import FIELDS

NO_VALUE = ("", "null", "N/A", "n/a", "none", "None", "NaN")
NO_TITLE = ("No Title Data Available", "Loading...")
NO_DESCRIPTION = ("No description available", "No description available Story format", "Untitled", "Art.")
NO_POSTER = ("User Info Error",)
NO_TAGS = ("N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e",)
NO_IMAGE = ("Image src error.",)

BLANKS = " \t\n\v\f\r\u00a0"
POINTS_AND_COMMENTS = r"^[\d,]+ points? • [\d,]+ comments?$"
SAVED_IN = r"^Local save in( |$)"
FOLLOWERS = r"^(\d+)([kM]?)$"
DATE = r"\d{4}([-:])\d{2}\1\d{2}"
TIME = r"[ T]\d{2}:\d{2}:\d{2}"
FRACTION = r"[.,]\d{1,9}"
OFFSET = r"Z|[+-]\d{2}(:?\d{2})?"
DATETIME = f"^{DATE}({TIME}({FRACTION})?({OFFSET})?)?$"
DAY_DIGITS, TIME_DIGITS, REST = 10, 9, 32


def clean_pin(raw: DataFrame, keep: Sequence[str | Column] = ()) -> DataFrame:
    """One row per post: ind int, nine texts, follower_count int (None if the source had an error).

    ``keep`` names columns that follow the cleaned ones unchanged.
    """
    return _trimmed(raw, "pin").select(
        whole("index").alias("ind"),
        text("unique_id"),
        text("title", unless=NO_TITLE),
        description("description"),
        follower_count("follower_count"),
        text("poster_name", unless=NO_POSTER),
        text("tag_list", unless=NO_TAGS),
        text("is_image_or_video"),
        text("image_src", unless=NO_IMAGE),
        save_location("save_location"),
        text("category"),
        *keep,
    )


def clean_geo(raw: DataFrame, keep: Sequence[str | Column] = ()) -> DataFrame:
    """One row per post: ind int, country, coordinates array<double> [latitude, longitude], timestamp (UTC).

    Coordinates are None unless both are known. ``keep`` names columns that follow the cleaned ones unchanged.
    """
    return _trimmed(raw, "geo").select(
        whole("ind").alias("ind"),
        text("country"),
        coordinates("latitude", "longitude"),
        datetime("timestamp").alias("timestamp"),
        *keep,
    )


def clean_user(raw: DataFrame, keep: Sequence[str | Column] = ()) -> DataFrame:
    """One row per post: ind int, user_name (None if either part is missing), age int, date_joined (UTC).

    ``keep`` names columns that follow the cleaned ones unchanged.
    """
    return _trimmed(raw, "user").select(
        whole("ind").alias("ind"),
        F.concat(text("first_name"), F.lit(" "), text("last_name")).alias("user_name"),
        whole("age").alias("age"),
        datetime("date_joined").alias("date_joined"),
        *keep,
    )


CLEAN = {"pin": clean_pin, "geo": clean_geo, "user": clean_user}


def trim(name: str) -> Column:
    """The text without surrounding blanks, including non-breaking spaces.

    Spark trims spaces for free, but copies every text to trim other characters, so only texts that still begin or end
    with one take that way.
    """
    unspaced = F.trim(name)
    begins = (unspaced < " ") | unspaced.startswith("\u00a0")
    ends = reduce(or_, (unspaced.endswith(blank) for blank in BLANKS.strip(" ")))
    return F.when(begins | ends, F.btrim(name, F.lit(BLANKS))).otherwise(unspaced).alias(name)


def text(name: str, *, unless: tuple[str, ...] = ()) -> Column:
    """The trimmed text; None if it carries no value, or is in ``unless``."""
    return F.when(~F.col(name).isin(*NO_VALUE, *unless), F.col(name)).alias(name)


def description(name: str) -> Column:
    """Like ``text``; also None if the source scraped a counter (``404 points • 22 comments``). A closing ``…`` stays:
    it shows that the source cut the text."""
    is_unknown = F.col(name).isin(*NO_VALUE, *NO_DESCRIPTION)
    return F.when(~(is_unknown | F.col(name).rlike(POINTS_AND_COMMENTS)), F.col(name)).alias(name)


def follower_count(name: str) -> Column:
    """``437`` is 437, ``26k`` is 26000, ``8M`` is 8000000; anything else, or beyond an int, is None."""
    number = F.regexp_extract(name, FOLLOWERS, 1).try_cast("bigint")
    factor = F.when(F.col(name).endswith("k"), 1_000).when(F.col(name).endswith("M"), 1_000_000).otherwise(1)
    return F.try_multiply(number, factor).try_cast("int").alias(name)


def save_location(name: str) -> Column:
    """The folder, without the words ``Local save in`` before it."""
    return F.nullif(F.regexp_replace(text(name), SAVED_IN, ""), F.lit("")).alias(name)


def coordinates(latitude: str, longitude: str) -> Column:
    """[latitude, longitude]; None unless both are numbers."""
    known = [F.abs(name) < float("inf") for name in (latitude, longitude)]
    return F.when(known[0] & known[1], F.array(latitude, longitude)).alias("coordinates")


def whole(number: str | Column) -> Column:
    """A JSON number, read as a double, as an int: ``34``, ``34.0`` and ``3.4e1`` are 34; ``34.5`` is None, as is
    anything beyond an int."""
    value = F.col(number) if isinstance(number, str) else number
    integer = value.try_cast("int")
    return F.when(integer == value, integer)


def datetime(text: str | Column) -> Column:
    """``2018-03-01 09:30:00``, ``2018-03-01T09:30:00`` or ``2018:03:01 09:30:00``, perhaps with a fraction of a second
    and with ``Z`` or an offset (``+02:00``, ``+0200``, ``+02``), or the day alone; None for any other text.

    Without an offset it is UTC; the session's time zone does not matter. A microsecond's fractions are dropped.
    """
    day, time = F.translate(F.substring(text, 1, DAY_DIGITS), ":", "-"), F.substring(text, DAY_DIGITS + 1, REST)
    zone = F.when(F.rlike(time, F.lit("[Z+-]")), "").otherwise("Z")
    moment = (
        F.when(F.length(time) == TIME_DIGITS, F.concat(day, time, F.lit("Z")))
        .when(time == "", F.concat(day, F.lit("T00:00:00Z")))
        .otherwise(F.concat(day, F.translate(time, ",", "."), zone))
    )
    return F.when(F.rlike(text, F.lit(DATETIME)), moment.try_cast("timestamp"))


def _trimmed(raw: DataFrame, entity: str) -> DataFrame:
    """Every text trimmed once, before the rules use it: a rule that uses it twice would trim it twice."""
    fields = FIELDS[entity]
    return raw.withColumns({name: trim(name) for name in (*fields.texts, *fields.datetimes)})
