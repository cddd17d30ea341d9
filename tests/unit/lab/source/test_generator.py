"""The made source rows hold what is known of the real tables, and the real rows are among them as they are."""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter
from datetime import datetime

import pytest

from lab.source.generator import source_rows
from tests.builders import ROOT

REAL = ROOT / "lab" / "source" / "real_rows"
ROWS = 11_154


@pytest.fixture(scope="module")
def rows():
    return source_rows()


@pytest.fixture(scope="module")
def pins(rows):
    return rows["pinterest_data"]


@pytest.mark.slow
def test_the_rows_are_the_same_every_time(rows):
    assert source_rows() == rows


@pytest.mark.parametrize(
    ("table", "key"), [("pinterest_data", "index"), ("geolocation_data", "ind"), ("user_data", "ind")]
)
def test_keys_have_no_gap(rows, table, key):
    assert [row[key] for row in rows[table]] == list(range(ROWS))


@pytest.mark.parametrize(
    ("table", "key"), [("pinterest_data", "index"), ("geolocation_data", "ind"), ("user_data", "ind")]
)
def test_real_rows_stand_at_their_own_keys(rows, table, key):
    real = [json.loads(line) for line in (REAL / f"{table}.jsonl").read_text().splitlines()]

    assert len(real) == 449
    for row in real:
        held = {k: str(v) if isinstance(v, datetime) else v for k, v in rows[table][row[key]].items()}
        assert held == row


def test_row_7528_holds_every_sentinel(pins):
    assert {k: v for k, v in pins[7528].items() if k not in ("index", "unique_id")} == {
        "title": "No Title Data Available",
        "description": "No description available Story format",
        "poster_name": "User Info Error",
        "follower_count": "User Info Error",
        "tag_list": "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e",
        "is_image_or_video": "multi-video(story page format)",
        "image_src": "Image src error.",
        "downloaded": 0,
        "save_location": "Local save in /data/mens-fashion",
        "category": "mens-fashion",
    }


@pytest.mark.parametrize(
    ("category", "first", "last"),
    [
        ("art", 4, 891),
        ("beauty", 896, 1632),
        ("christmas", 1643, 2633),
        ("diy-and-crafts", 2637, 3466),
        ("education", 3468, 4327),
        ("event-planning", 4333, 5076),
        ("finance", 5083, 5849),
        ("home-decor", 5891, 6718),
        ("mens-fashion", 6740, 7569),
        ("quotes", 7586, 8477),
        ("tattoos", 8488, 9455),
        ("travel", 9467, 10300),
        ("vehicles", 10319, 10988),
    ],
)
def test_categories_are_blocks_of_keys(pins, category, first, last):
    assert {pin["category"] for pin in pins[first : last + 1]} == {category}


def test_categories_come_in_alphabetical_order(pins):
    categories = [pin["category"] for pin in pins]

    assert categories == sorted(categories)
    assert len(set(categories)) == 13


def test_every_pin_is_saved_under_its_category(pins):
    assert all(pin["save_location"] == f"Local save in /data/{pin['category']}" for pin in pins)


def test_unique_ids_are_distinct_uuids_of_version_4(pins):
    assert len({pin["unique_id"] for pin in pins}) == ROWS
    assert all(uuid.UUID(pin["unique_id"]).version == 4 for pin in pins)


def share(seen: int, among: int = 1_372) -> int:
    return round(ROWS * seen / among)


@pytest.mark.parametrize(
    ("has", "expected"),
    [
        pytest.param(lambda pin: pin["title"] == "No Title Data Available", share(12), id="no title"),
        pytest.param(lambda pin: pin["title"] == "", share(1), id="empty title"),
        pytest.param(lambda pin: pin["title"] == "Loading...", share(1), id="loading"),
        pytest.param(lambda pin: "\n" in pin["title"], share(2), id="newline in title"),
        pytest.param(
            lambda pin: pin["description"] == "No description available Story format", share(91), id="no story"
        ),
        pytest.param(lambda pin: pin["description"] == "No description available", share(21), id="no description"),
        pytest.param(lambda pin: pin["description"] == "Untitled", share(1), id="untitled"),
        pytest.param(lambda pin: pin["description"] == "Art.", share(1), id="art"),
        pytest.param(lambda pin: pin["description"] == "5,237 points • 127 comments", share(1), id="5,237 points"),
        pytest.param(lambda pin: pin["description"] == "404 points • 22 comments", share(1), id="404 points"),
        pytest.param(lambda pin: pin["description"].endswith("…\u00a0"), share(490), id="ellipsis and NBSP"),
        pytest.param(lambda pin: pin["poster_name"] == "User Info Error", share(12), id="no poster"),
        pytest.param(lambda pin: pin["follower_count"] == "User Info Error", share(12), id="no followers"),
        pytest.param(lambda pin: pin["tag_list"] == "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e", share(17), id="no tags"),
        pytest.param(lambda pin: pin["image_src"] == "Image src error.", share(29), id="no image"),
    ],
)
def test_dirty_values_have_their_share(pins, has, expected):
    assert sum(map(has, pins)) == expected


def test_odd_poster_names_have_their_share(pins):
    def is_odd(name: str) -> bool:
        return name != name.strip() or re.search(r"555-01|[^\u0000-\u02ff]", name) is not None

    odd = [pin["poster_name"] for pin in pins if is_odd(pin["poster_name"])]

    assert len(odd) == share(33, 1_796)
    assert any(name.endswith(" ") for name in odd)
    assert any(name.startswith(" ") for name in odd)


def test_dirty_values_that_go_together(pins):
    for pin in pins:
        assert (pin["title"] == "No Title Data Available") == (pin["follower_count"] == "User Info Error")
        assert (pin["follower_count"] == "User Info Error") == (pin["poster_name"] == "User Info Error")
        assert (pin["downloaded"] == 0) == (pin["image_src"] == "Image src error.")
        assert (pin["is_image_or_video"] == "multi-video(story page format)") == (
            pin["description"] == "No description available Story format"
        )


def test_follower_counts_have_three_formats_and_their_shares(pins):
    formats = Counter(re.sub(r"\d+", "9", pin["follower_count"]) for pin in pins)

    assert set(formats) == {"9k", "9", "9M", "User Info Error"}
    for text, seen in (("9k", 1_030), ("9", 234), ("9M", 96)):
        assert formats[text] == pytest.approx(share(seen), rel=0.05)
    thousands = [int(pin["follower_count"][:-1]) for pin in pins if pin["follower_count"].endswith("k")]
    assert (min(thousands) >= 1, max(thousands) <= 985) == (True, True)
    assert {pin["follower_count"] for pin in pins if pin["follower_count"].endswith("M")} <= {
        f"{n}M" for n in (1, 2, 3, 4, 5, 6, 8, 15)
    }


def test_kinds_of_media_have_their_shares(pins):
    kinds = Counter(pin["is_image_or_video"] for pin in pins)

    assert kinds["multi-video(story page format)"] == share(91)
    assert kinds["video"] == pytest.approx(share(39), rel=0.1)
    assert kinds["image"] == ROWS - kinds["video"] - share(91)


@pytest.mark.parametrize(
    ("column", "longest"), [("title", 199), ("description", 180), ("tag_list", 247), ("poster_name", 113)]
)
def test_texts_are_no_longer_than_the_longest_real_one(pins, column, longest):
    assert max(len(pin[column]) for pin in pins) <= longest


def test_tag_lists_hold_nine_tags(pins):
    counts = Counter(len(pin["tag_list"].split(",")) for pin in pins)

    assert set(counts) <= {8, 9, 17}
    assert counts[17] == share(17)


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param("[\U00010000-\U0010ffff]", id="four-byte emoji"),
        pytest.param("[\u0370-\u03ff]", id="Greek"),
        pytest.param("[\u0400-\u04ff]", id="Cyrillic"),
        pytest.param("[\u0590-\u05ff]", id="Hebrew"),
        pytest.param('"', id="double quotes"),
        pytest.param("\u00a0", id="NBSP"),
    ],
)
def test_texts_hold_what_breaks_naive_readers(pins, pattern):
    texts = [pin["title"] + pin["description"] for pin in pins]

    assert sum(re.search(pattern, text) is not None for text in texts) >= 10


def test_coordinates_have_six_digits_and_are_often_shared(rows):
    places = [(row["latitude"], row["longitude"]) for row in rows["geolocation_data"]]

    assert all(value == float(f"{value:.6g}") for pair in places for value in pair)
    assert all(-90 <= latitude <= 90 and -180 <= longitude <= 180 for latitude, longitude in places)
    assert len(set(places)) < 0.8 * ROWS


def test_countries(rows):
    countries = {row["country"] for row in rows["geolocation_data"]}

    assert len(countries) == 242
    assert {"Cote d'Ivoire", "Antarctica (the territory South of 60 deg S)", "Slovakia (Slovak Republic)"} <= countries


def test_posts_fall_between_the_known_ends_and_2017_is_a_stub(rows):
    times = [row["timestamp"] for row in rows["geolocation_data"]]

    assert min(times) >= datetime(2017, 10, 20, 1, 44, 3)
    assert max(times) <= datetime(2022, 10, 18, 15, 43)
    assert sum(time.year == 2017 for time in times) == pytest.approx(ROWS * 120 / 2_809, rel=0.15)


def test_users_join_between_2015_and_2017_and_before_they_post(rows):
    users, posts = rows["user_data"], rows["geolocation_data"]

    assert {user["date_joined"].year for user in users} == {2015, 2016, 2017}
    assert all(user["date_joined"] < post["timestamp"] for user, post in zip(users, posts, strict=True))
    assert {user["age"] for user in users} <= set(range(20, 61))


def test_persons_post_again_and_a_few_share_a_name(rows):
    persons = Counter((u["first_name"], u["last_name"], u["age"], u["date_joined"]) for u in rows["user_data"])
    names = {person[:2] for person in persons}

    assert 4_500 < len(persons) < 5_700
    assert max(persons.values()) > 50
    assert 0.95 < len(names) / len(persons) < 1
