"""The analyses as shapes that a page can draw: shares of a width or height, and the text beside them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from include.lake.contract import AGE_GROUPS, GOLD

type Row = Mapping[str, Any]

TOP = 10


@dataclass(frozen=True)
class Bar:
    """``share`` is relative to the longest bar, from 0 to 1."""

    label: str
    value: str
    share: float
    note: str = ""


@dataclass(frozen=True)
class Cell:
    row: int
    column: int
    value: str
    share: float


@dataclass(frozen=True)
class Chart:
    """Bars run across, one below the other; columns stand side by side; a grid has a cell for each pair of names."""

    kind: Literal["bars", "columns", "grid", "figure"]
    bars: tuple[Bar, ...] = ()
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    cells: tuple[Cell, ...] = ()


@dataclass(frozen=True)
class Analysis:
    """One gold table: the question it answers, what its chart shows, how to draw it, and its shape on the page."""

    name: str
    title: str
    caption: str
    draw: Callable[[Sequence[Row]], Chart]
    shape: Literal["", "tall", "wide"] = ""

    @property
    def columns(self) -> tuple[str, ...]:
        return GOLD[self.name]


def compact(number: float) -> str:
    """``437``, ``26k``, ``1.5M``."""
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if abs(number) >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:,.10g}"


def _bars(rows: Sequence[tuple[str, float, str]], kind: Literal["bars", "columns", "figure"] = "bars") -> Chart:
    most = max((value for _, value, _ in rows), default=0) or 1
    return Chart(kind, tuple(Bar(label, compact(value), value / most, note) for label, value, note in rows))


def _ties(rows: Sequence[Row], key: str, name: str, value: str) -> list[tuple[str, float, str]]:
    """One bar per key; its note lists all names that share the value."""
    names: dict[str, list[str]] = {}
    values: dict[str, float] = {}
    for row in rows:
        names.setdefault(text(row[key]), []).append(text(row[name]))
        values[text(row[key])] = row[value] or 0
    return [(one, values[one], ", ".join(sorted(names[one]))) for one in names]


def _leaders(rows: Sequence[Row]) -> Chart:
    countries = Counter(text(row["category"]) for row in rows)
    return _bars([(category, count, "") for category, count in sorted(countries.items(), key=lambda c: (-c[1], c[0]))])


def _by_year(rows: Sequence[Row]) -> Chart:
    return _bars(sorted(_ties(rows, "post_year", "category", "category_count")))


def _top_posters(rows: Sequence[Row]) -> Chart:
    best = sorted(rows, key=lambda row: (-(row["follower_count"] or 0), text(row["country"]), text(row["poster_name"])))
    return _bars([(text(r["country"]), r["follower_count"] or 0, text(r["poster_name"])) for r in best[:TOP]])


def _top_country(rows: Sequence[Row]) -> Chart:
    return _bars([(text(row["country"]), row["follower_count"] or 0, "") for row in rows[:TOP]], "figure")


def _category_by_age(rows: Sequence[Row]) -> Chart:
    return _bars(sorted(_ties(rows, "age_group", "category", "category_count"), key=_age))


def _followers_by_age(rows: Sequence[Row]) -> Chart:
    found = [(text(row["age_group"]), row["median_follower_count"] or 0, "") for row in rows]
    return _bars(sorted(found, key=_age))


def _columns(key: str, value: str) -> Callable[[Sequence[Row]], Chart]:
    def draw(rows: Sequence[Row]) -> Chart:
        return _bars(sorted((text(row[key]), row[value] or 0, "") for row in rows), "columns")

    return draw


def _grid(rows: Sequence[Row]) -> Chart:
    """Follower counts span four orders of magnitude, so the shade follows the logarithm."""
    years = sorted({text(row["join_year"]) for row in rows})
    ages = sorted({text(row["age_group"]) for row in rows}, key=lambda age: _age((age,)))
    most = max((math.log1p(row["median_follower_count"] or 0) for row in rows), default=0) or 1
    cells = tuple(
        Cell(
            row=ages.index(text(row["age_group"])),
            column=years.index(text(row["join_year"])),
            value=compact(row["median_follower_count"] or 0),
            share=math.log1p(row["median_follower_count"] or 0) / most,
        )
        for row in rows
    )
    return Chart("grid", rows=tuple(ages), columns=tuple(years), cells=cells)


def _age(row: tuple[Any, ...]) -> tuple[int, str]:
    return (AGE_GROUPS.index(row[0]) if row[0] in AGE_GROUPS else len(AGE_GROUPS), row[0])


def text(value: object) -> str:
    return "—" if value is None else str(value)


DRAWN = (
    # The order on the page. An analysis that is missing here follows with a plain chart.
    Analysis(
        "popular_category_by_country",
        "Which category leads in each country?",
        "Number of countries where a category leads; ties count for each",
        _leaders,
        shape="tall",
    ),
    Analysis(
        "popular_category_by_year",
        "Which category led each year?",
        "Posts of the leading category, by year of the post",
        _by_year,
    ),
    Analysis(
        "popular_category_by_age_group",
        "What does each age group post most?",
        "Posts of the leading category, by age of the user",
        _category_by_age,
    ),
    Analysis(
        "top_poster_by_country",
        "Who has the most followers in each country?",
        f"Followers of the top {TOP}",
        _top_posters,
        shape="tall",
    ),
    Analysis(
        "country_of_top_poster",
        "Where is the most-followed poster?",
        "The highest follower count of all",
        _top_country,
    ),
    Analysis(
        "median_followers_by_age_group",
        "How many followers does each age group have?",
        "Median over posts",
        _followers_by_age,
    ),
    Analysis(
        "users_joined_by_year",
        "How many users joined each year?",
        "Distinct people, by join year",
        _columns("join_year", "number_users_joined"),
    ),
    Analysis(
        "median_followers_by_join_year",
        "How many followers, by join year?",
        "Median over posts",
        _columns("join_year", "median_follower_count"),
    ),
    Analysis(
        "median_followers_by_join_year_and_age_group",
        "And by join year and age group?",
        "Median over posts; a stronger shade means more",
        _grid,
        shape="wide",
    ),
)


def plain(name: str) -> Analysis:
    """The chart of an analysis not listed in ``DRAWN``: bars of its last column, a number, labeled by the others."""
    *labels, measure = GOLD[name]

    def draw(rows: Sequence[Row]) -> Chart:
        bars = [(", ".join(text(row[label]) for label in labels), row[measure] or 0, "") for row in rows]
        return _bars(sorted(bars, key=lambda bar: (-bar[1], bar[0]))[:TOP])

    return Analysis(name, _words(name), f"{_words(measure)}: the top {TOP}", draw)


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


ANALYSES = (*DRAWN, *(plain(name) for name in GOLD if name not in {one.name for one in DRAWN}))
