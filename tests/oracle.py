"""What silver and gold must hold, worked out from source rows by pandas. Shares no code with the lake.

Give it the rows in the order they were posted, as dicts of the source's columns; a later row of a key replaces an
earlier one. Datetimes come and go as naive UTC. Rows of gold are sorted tuples, of silver tuples by ``ind``.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pandas as pd

Row = dict[str, Any]

NOTHING = {"", "null", "N/A", "n/a", "none", "None", "NaN"}
UNKNOWN = {
    "title": {"No Title Data Available", "Loading..."},
    "description": {"No description available", "No description available Story format", "Untitled", "Art."},
    "poster_name": {"User Info Error"},
    "tag_list": {"N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"},
    "image_src": {"Image src error."},
}
SILVER_COLUMNS = {
    "pin": (
        "ind",
        "unique_id",
        "title",
        "description",
        "follower_count",
        "poster_name",
        "tag_list",
        "is_image_or_video",
        "image_src",
        "save_location",
        "category",
    ),
    "geo": ("ind", "country", "coordinates", "timestamp"),
    "user": ("ind", "user_name", "age", "date_joined"),
}
GOLD_COLUMNS = {
    "popular_category_by_country": ("country", "category", "category_count"),
    "popular_category_by_year": ("post_year", "category", "category_count"),
    "top_poster_by_country": ("country", "poster_name", "follower_count"),
    "country_of_top_poster": ("country", "follower_count"),
    "popular_category_by_age_group": ("age_group", "category", "category_count"),
    "median_followers_by_age_group": ("age_group", "median_follower_count"),
    "users_joined_by_year": ("join_year", "number_users_joined"),
    "median_followers_by_join_year": ("join_year", "median_follower_count"),
    "median_followers_by_join_year_and_age_group": ("age_group", "join_year", "median_follower_count"),
}


def expected_silver(pins: list[Row], geos: list[Row], users: list[Row]) -> dict[str, dict[int, tuple]]:
    """By entity, then by ``ind``: the row of silver, in the order of SILVER_COLUMNS."""
    return {
        "pin": {row["index"]: _pin(row) for row in pins},
        "geo": {row["ind"]: _geo(row) for row in geos},
        "user": {row["ind"]: _user(row) for row in users},
    }


def expected_gold(pins: list[Row], geos: list[Row], users: list[Row]) -> dict[str, list[tuple]]:
    """By table: its rows, sorted, in the order of GOLD_COLUMNS."""
    silver = expected_silver(pins, geos, users)
    pin, geo, user = (
        pd.DataFrame(list(silver[entity].values()), columns=list(SILVER_COLUMNS[entity]), dtype=object)
        for entity in ("pin", "geo", "user")
    )
    geo["post_year"] = [moment and moment.year for moment in geo["timestamp"]]
    user["join_year"] = [moment and moment.year for moment in user["date_joined"]]
    user["age_group"] = [_age_group(age) for age in user["age"]]
    placed = pin.merge(geo, on="ind")
    owned = pin.merge(user, on="ind")
    joined = owned[owned["join_year"].isin(range(2015, 2021))]
    followed = placed.dropna(subset=["country", "follower_count"])
    posters = followed[["country", "poster_name", "follower_count"]].drop_duplicates()
    top = posters[posters["follower_count"] == posters.groupby("country")["follower_count"].transform("max")]
    persons = user[["user_name", "age", "date_joined", "join_year"]].drop_duplicates()
    persons = persons[persons["join_year"].isin(range(2015, 2021))]
    tables = {
        "popular_category_by_country": _popular(placed, "country"),
        "popular_category_by_year": _popular(placed[placed["post_year"].isin(range(2018, 2023))], "post_year"),
        "top_poster_by_country": top,
        "country_of_top_poster": top[top["follower_count"] == top["follower_count"].max()].drop_duplicates(
            ["country", "follower_count"]
        ),
        "popular_category_by_age_group": _popular(owned, "age_group"),
        "median_followers_by_age_group": _median(owned, "age_group"),
        "users_joined_by_year": persons.groupby("join_year").size().reset_index(name="number_users_joined"),
        "median_followers_by_join_year": _median(joined, "join_year"),
        "median_followers_by_join_year_and_age_group": _median(joined, "age_group", "join_year"),
    }
    return {
        name: sorted(tables[name][list(columns)].itertuples(index=False, name=None), key=str)
        for name, columns in GOLD_COLUMNS.items()
    }


def sorted_rows(rows: Any) -> list[tuple]:
    """Rows of a gold table, from wherever they were read, in the order of ``expected_gold``."""
    return sorted((tuple(row) for row in rows), key=str)


def _popular(posts: pd.DataFrame, by: str) -> pd.DataFrame:
    counts = posts.dropna(subset=[by, "category"]).groupby([by, "category"]).size().reset_index(name="category_count")
    return counts[counts["category_count"] == counts.groupby(by)["category_count"].transform("max")]


def _median(posts: pd.DataFrame, *by: str) -> pd.DataFrame:
    counted = posts.dropna(subset=["follower_count"]).astype({"follower_count": float})
    medians = counted.groupby(list(by))["follower_count"].median()
    return medians.reset_index(name="median_follower_count")


def _age_group(age: int | None) -> str:
    for first, last, group in ((18, 24, "18-24"), (25, 35, "25-35"), (36, 50, "36-50"), (51, 10**9, "50+")):
        if age is not None and first <= age <= last:
            return group
    return "unknown"


def _pin(row: Row) -> tuple:
    folder = _text(row, "save_location")
    cleaned = {name: _text(row, name) for name in SILVER_COLUMNS["pin"][1:]}
    if re.fullmatch(r"[\d,]+ points? • [\d,]+ comments?", cleaned["description"] or ""):
        cleaned["description"] = None
    cleaned["follower_count"] = _followers(cleaned["follower_count"])
    cleaned["save_location"] = re.sub(r"^Local save in( |$)", "", folder or "") or None
    return (row["index"], *cleaned.values())


def _geo(row: Row) -> tuple:
    point = [row.get("latitude"), row.get("longitude")]
    return row["ind"], _text(row, "country"), None if None in point else point, _moment(row.get("timestamp"))


def _user(row: Row) -> tuple:
    names = [_text(row, "first_name"), _text(row, "last_name")]
    name = None if None in names else " ".join(names)
    return row["ind"], name, row.get("age"), _moment(row.get("date_joined"))


def _text(row: Row, name: str) -> str | None:
    value = row.get(name)
    value = value if value is None else value.strip(" \t\n\v\f\r\xa0")
    return None if value in NOTHING or value in UNKNOWN.get(name, ()) else value


def _followers(text: str | None) -> int | None:
    written = re.fullmatch(r"([0-9]+)([kM]?)", text or "")
    return int(written[1]) * {"": 1, "k": 1000, "M": 1_000_000}[written[2]] if written else None


def _moment(value: datetime | str | None) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y:%m:%d %H:%M:%S"):
        try:
            return datetime.strptime(value.strip(), form)
        except ValueError:
            continue
    return None
