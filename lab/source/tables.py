"""The three source tables. The rows with the same key, one per table, describe one post."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
Rows = dict[str, list[Row]]


@dataclass(frozen=True)
class Table:
    name: str
    key: str
    columns: dict[str, str]

    @property
    def create(self) -> str:
        columns = ", ".join(f"`{name}` {kind}" for name, kind in self.columns.items())
        return f"CREATE TABLE IF NOT EXISTS `{self.name}` ({columns}, PRIMARY KEY (`{self.key}`))"

    @property
    def insert(self) -> str:
        columns = ", ".join(f"`{name}`" for name in self.columns)
        return f"INSERT INTO `{self.name}` ({columns}) VALUES ({', '.join(['%s'] * len(self.columns))})"


PIN = Table(
    "pinterest_data",
    "index",
    {
        "index": "INT NOT NULL",
        "unique_id": "TEXT",
        "title": "TEXT",
        "description": "TEXT",
        "poster_name": "TEXT",
        "follower_count": "TEXT",
        "tag_list": "TEXT",
        "is_image_or_video": "TEXT",
        "image_src": "TEXT",
        "downloaded": "INT",
        "save_location": "TEXT",
        "category": "TEXT",
    },
)
GEO = Table(
    "geolocation_data",
    "ind",
    {
        "ind": "INT NOT NULL",
        "timestamp": "DATETIME",
        "latitude": "FLOAT",
        "longitude": "FLOAT",
        "country": "TEXT",
    },
)
USER = Table(
    "user_data",
    "ind",
    {
        "ind": "INT NOT NULL",
        "first_name": "TEXT",
        "last_name": "TEXT",
        "age": "INT",
        "date_joined": "DATETIME",
    },
)
TABLES = (PIN, GEO, USER)
