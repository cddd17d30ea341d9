"""Generates the source rows: the same on every run and every machine.

They keep what is known of the full tables: 11,154 keys from 0 without a gap, thirteen categories in blocks of keys,
people who post repeatedly, dates, lengths and formats, and every dirty value with its share among the 1,372 pins in
which it was counted. The real rows stay at their own keys; the generated ones borrow their words.
"""

from __future__ import annotations

import functools
import json
import random
import uuid
from bisect import bisect_right
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path

from lab.source import dirt
from lab.source.tables import TABLES, Row, Rows
from lab.source.vocabulary import (
    COUNTRIES,
    EMOJI,
    OTHER_SCRIPTS,
    POSTER_WORDS,
    SENTENCES,
    TITLES,
)

SEED = 20231019
KEYS = range(11_154)
BLOCKS = {  # the first key of each category
    "art": 0,
    "beauty": 894,
    "christmas": 1638,
    "diy-and-crafts": 2636,
    "education": 3467,
    "event-planning": 4330,
    "finance": 5080,
    "home-decor": 5870,
    "mens-fashion": 6729,
    "quotes": 7578,
    "tattoos": 8483,
    "travel": 9461,
    "vehicles": 10310,
}
FIRST_POST, LAST_POST = datetime(2017, 10, 20, 1, 44, 3), datetime(2022, 10, 18, 15, 43)
FIRST_JOINED, LAST_JOINED = datetime(2015, 10, 21), datetime(2017, 10, 20)
PERSONS = 6_500
PERSONS_WITH_ANOTHERS_NAME = 49 / 2_092
SHARED_PLACES = 400
LONGEST_TITLE, LONGEST_DESCRIPTION, LONGEST_TAG_LIST = 199, 180, 247
TRUNCATED = "…\u00a0"

Person = tuple[str, str, int, datetime]
Place = tuple[float, float]


def source_rows() -> Rows:
    """All rows of the three tables, by table, in key order."""
    real = real_rows()
    rng = random.Random(SEED)
    words = Words(real)
    persons = make_persons(rng, real["user_data"])
    places = [place(rng, 3) for _ in range(SHARED_PLACES)]
    rows: Rows = {table.name: [] for table in TABLES}
    kept = {table.name: {row[table.key]: row for row in real[table.name]} for table in TABLES}
    for key in KEYS:
        made = {
            "pinterest_data": make_pin(rng, key, words),
            "geolocation_data": make_geo(rng, key, places),
            "user_data": make_user(rng, key, persons),
        }
        for name, row in made.items():
            rows[name].append(kept[name].get(key, row))
    dirt.spread(rng, rows["pinterest_data"], fixed=set(kept["pinterest_data"]))
    return rows


@functools.cache
def real_rows() -> Rows:
    rows: Rows = {}
    for table in TABLES:
        lines = Path(__file__).with_name("real_rows").joinpath(f"{table.name}.jsonl").read_text().splitlines()
        rows[table.name] = [parse(line) for line in lines]
    return rows


def parse(line: str) -> Row:
    row: Row = json.loads(line)
    return {k: datetime.fromisoformat(v) if k in ("timestamp", "date_joined") else v for k, v in row.items()}


def category_of(key: int) -> str:
    return list(BLOCKS)[bisect_right(list(BLOCKS.values()), key) - 1]


def skewed(rng: random.Random, count: int, power: float) -> int:
    """A number below ``count``, more often a small one; ``power`` sets how much more often."""
    return int(count * rng.random() ** power)


class Words:
    """The real posts' tags by category, and the names from which posters are made."""

    def __init__(self, real: Rows) -> None:
        self.tags: dict[str, list[str]] = defaultdict(list)
        for pin in real["pinterest_data"]:
            if pin["tag_list"] != dirt.TAGS:
                self.tags[pin["category"]] += [tag for tag in pin["tag_list"].split(",") if tag]
        self.names = sorted({user["first_name"] for user in real["user_data"]})


def make_pin(rng: random.Random, key: int, words: Words) -> Row:
    category = category_of(key)
    tags = words.tags[category]
    poster, followers = make_poster(rng, words.names)
    is_video = rng.random() < 39 / 1281
    digest = f"{rng.getrandbits(128):032x}"
    image = f"{digest[:2]}/{digest[2:4]}/{digest[4:6]}/{digest}"
    return {
        "index": key,
        "unique_id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "title": title(rng, tags),
        "description": description(rng, tags),
        "poster_name": poster,
        "follower_count": followers,
        "tag_list": tag_list(rng, tags),
        "is_image_or_video": "video" if is_video else "image",
        "image_src": dirt.image_source(image, is_video, rng.choices(("jpg", "png", "webp", "gif"), (90, 8, 1, 1))[0]),
        "downloaded": 1,
        "save_location": f"Local save in /data/{category}",
        "category": category,
    }


def make_poster(rng: random.Random, names: list[str]) -> tuple[str, str]:
    """One of about four thousand posters, many of whom recur, and this poster's follower count.

    Both depend on the poster's number alone, except for the few whose count rose between two of their posts.
    """
    number = skewed(rng, 4_000, 1.6)
    own = random.Random(f"poster {number}")
    name = own.choice(names) if own.random() < 0.1 else f"{own.choice(names)} {own.choice(POSTER_WORDS)}"
    drift = rng.random() < 0.02
    kind = own.random()
    if kind < 1030 / 1360:
        return name, f"{min(int(1 + 984 * own.random() ** 3) + drift, 985)}k"
    if kind < 1264 / 1360:
        return name, str(own.randrange(940) + drift)
    return name, f"{own.choice((1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 6, 8, 15))}M"


def title(rng: random.Random, tags: list[str]) -> str:
    text = rng.choice(TITLES).format(tag=rng.choice(tags), other=rng.choice(tags), count=rng.randrange(5, 60))
    chance = rng.random()
    if chance < 0.015:
        text += f" {rng.choice(EMOJI)}"
    elif chance < 0.03:
        text = f"{rng.choice(OTHER_SCRIPTS)}: {text}"
    return text[:LONGEST_TITLE]


def description(rng: random.Random, tags: list[str]) -> str:
    """Up to three sentences. The source cut texts that were too long, and marks the cut with an ellipsis."""
    sentences = [
        rng.choice(SENTENCES).format(tag=rng.choice(tags), other=rng.choice(tags), count=rng.randrange(3, 30))
        for _ in range(rng.choice((1, 1, 2)))
    ]
    return " ".join(sentences)[: LONGEST_DESCRIPTION - len(TRUNCATED)].rstrip()


def tag_list(rng: random.Random, tags: list[str]) -> str:
    while len(text := ",".join(rng.sample(tags, 9))) > LONGEST_TAG_LIST:
        pass
    return text


def make_geo(rng: random.Random, key: int, places: list[Place]) -> Row:
    """Country and coordinates are unrelated, and many rows share places near one corner."""
    latitude, longitude = places[skewed(rng, len(places), 2)] if rng.random() < 0.35 else place(rng, 1)
    seconds = int((LAST_POST - FIRST_POST).total_seconds())
    return {
        "ind": key,
        "timestamp": FIRST_POST + timedelta(seconds=rng.randrange(seconds + 1)),
        "latitude": latitude,
        "longitude": longitude,
        "country": COUNTRIES[skewed(rng, len(COUNTRIES), 1.8)],
    }


def place(rng: random.Random, power: float) -> Place:
    return (
        significant(-89.98 + 179.91 * rng.random() ** power),
        significant(-179.91 + 359.48 * rng.random() ** power),
    )


def significant(value: float) -> float:
    """Round to six digits, all that the column type keeps."""
    return float(f"{value:.6g}")


def make_persons(rng: random.Random, users: list[Row]) -> list[Person]:
    """Persons, the most frequent first: young, early in the alphabet, joined early. Some share a name."""
    first_names = sorted({user["first_name"] for user in users})
    last_names = sorted({user["last_name"] for user in users})
    days = (LAST_JOINED - FIRST_JOINED).days
    persons: list[Person] = []
    names: set[tuple[str, str]] = set()
    while len(persons) < PERSONS:
        reach = 0.05 + 0.95 * len(persons) / PERSONS
        name = (
            first_names[skewed(rng, int(len(first_names) * reach), 1)],
            last_names[skewed(rng, int(len(last_names) * reach), 1)],
        )
        if name in names and rng.random() > PERSONS_WITH_ANOTHERS_NAME:
            continue
        names.add(name)
        joined = FIRST_JOINED + timedelta(days=skewed(rng, int(days * min(1, 0.1 + reach)), 1.3))
        age = 20 + skewed(rng, int(41 * min(1, 0.1 + reach)), 1.2)
        persons.append((*name, age, joined + timedelta(seconds=rng.randrange(86_400))))
    return persons


def make_user(rng: random.Random, key: int, persons: list[Person]) -> Row:
    first_name, last_name, age, joined = persons[skewed(rng, len(persons), 2)]
    return {"ind": key, "first_name": first_name, "last_name": last_name, "age": age, "date_joined": joined}
