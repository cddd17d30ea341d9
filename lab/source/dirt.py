"""The dirty values of the pins, each as frequent as in the real ones."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from lab.source.tables import Row

COUNTED_IN = 1_372
TITLE = "No Title Data Available"
NO_DESCRIPTION = "No description available"
NO_STORY_DESCRIPTION = "No description available Story format"
USER = "User Info Error"
TAGS = "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"
IMAGE = "Image src error."
STORY = "multi-video(story page format)"
NBSP_ENDING = "…\u00a0"
ODD_DESCRIPTIONS = ("Untitled", "Art.", "5,237 points • 127 comments", "404 points • 22 comments")
ODD_POSTERS = (
    "{name} ",
    " {name}",
    "{name} 🎄",
    "💅🏽 {name}",
    "{name} Καλημέρα",
    "Красивый {name}",
    "{name} 555-0142",
)
HOSTED_AT = "https://i.pinimg.com"


@dataclass(frozen=True)
class Dirt:
    """A dirty value: its frequency (``seen`` of ``among``), which pins have it, and how to give it to a clean one."""

    name: str
    seen: int
    has: Callable[[Row], bool]
    give: Callable[[Row], None]
    may: Callable[[Row], bool] = lambda pin: True
    among: int = COUNTED_IN


def is_plain(pin: Row) -> bool:
    """Whether the description is still the generated one."""
    return not (
        pin["description"] in (NO_DESCRIPTION, NO_STORY_DESCRIPTION, *ODD_DESCRIPTIONS)
        or pin["description"].endswith(NBSP_ENDING)
    )


def has_title(pin: Row) -> bool:
    return pin["title"] not in (TITLE, "", "Loading...") and "\n" not in pin["title"]


def no_user(pin: Row) -> None:
    pin |= {"title": TITLE, "poster_name": USER, "follower_count": USER}


def story(pin: Row) -> None:
    pin |= {"is_image_or_video": STORY, "description": NO_STORY_DESCRIPTION}


def no_image(pin: Row) -> None:
    pin |= {"image_src": IMAGE, "downloaded": 0}


def two_lines(pin: Row) -> None:
    first, blank, rest = pin["title"].partition(" ")
    pin["title"] = f"{first}\n{rest}" if blank else f"{first}\n"


def cut(pin: Row) -> None:
    """Cut the text as the source does with a long one; a short text is lengthened first."""
    text = pin["description"]
    while len(text) < 178:
        text = f"{text} {pin['description']}"
    pin["description"] = text[:178].rstrip() + NBSP_ENDING


def is_odd(name: str) -> bool:
    """Whether it has surrounding blanks, a phone number, or characters on no Western keyboard."""
    return name != name.strip() or "555-01" in name or any(ord(character) > 0x2FF for character in name)


def odd_poster(pin: Row) -> None:
    pattern = ODD_POSTERS[pin["index"] % len(ODD_POSTERS)]
    pin["poster_name"] = pattern.format(name=pin["poster_name"])


def one(column: str, value: str) -> Callable[[Row], None]:
    def give(pin: Row) -> None:
        pin[column] = value

    return give


def equals(column: str, value: str) -> Callable[[Row], bool]:
    return lambda pin: pin[column] == value


KINDS = (
    Dirt(USER, 12, equals("poster_name", USER), no_user),
    Dirt(STORY, 91, equals("is_image_or_video", STORY), story, lambda pin: pin["is_image_or_video"] == "image"),
    Dirt(NO_DESCRIPTION, 21, equals("description", NO_DESCRIPTION), one("description", NO_DESCRIPTION), is_plain),
    *(Dirt(text, 1, equals("description", text), one("description", text), is_plain) for text in ODD_DESCRIPTIONS),
    Dirt("cut", 490, lambda pin: pin["description"].endswith(NBSP_ENDING), cut, is_plain),
    Dirt("no tags", 17, equals("tag_list", TAGS), one("tag_list", TAGS)),
    Dirt("no image", 29, equals("image_src", IMAGE), no_image),
    Dirt("empty title", 1, equals("title", ""), one("title", ""), has_title),
    Dirt("Loading...", 1, equals("title", "Loading..."), one("title", "Loading..."), has_title),
    Dirt(
        "odd poster",
        33,
        lambda pin: is_odd(pin["poster_name"]),
        odd_poster,
        lambda pin: pin["poster_name"] != USER,
        among=1_796,
    ),
    Dirt("two lines", 2, lambda pin: "\n" in pin["title"], two_lines, has_title),
)


def spread(rng: random.Random, pins: list[Row], fixed: set[int]) -> None:
    """Give generated pins dirty values until each value has its share of all pins. Pins in ``fixed`` stay unchanged."""
    for kind in KINDS:
        wanted = round(len(pins) * kind.seen / kind.among) - sum(map(kind.has, pins))
        clean = [pin for pin in pins if pin["index"] not in fixed and not kind.has(pin) and kind.may(pin)]
        for pin in rng.sample(clean, max(wanted, 0)):
            kind.give(pin)


def image_source(path: str, is_video: bool, extension: str) -> str:
    if is_video:
        return f"{HOSTED_AT}/videos/thumbnails/originals/{path}.0000001.jpg"
    return f"{HOSTED_AT}/originals/{path}.{extension}"
