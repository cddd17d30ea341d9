"""The page of a run: complete, self-contained, and nobody else's text becomes markup."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

import pytest

from include.ledger.entry import HOPS, Entry
from include.ledger.verdict import LedgerDocument, reconcile
from include.report.charts import ANALYSES
from include.report.page import render_report
from include.settings import ENTITIES

VOID = {"meta", "br", "img", "link", "input", "hr"}
TABLES = {
    "popular_category_by_country": (
        ["country", "category", "category_count"],
        [["Aruba", "art", 9], ["Chad", "art", 2]],
    ),
    "popular_category_by_year": (
        ["post_year", "category", "category_count"],
        [[2021, "art", 20], [2021, "travel", 20], [2018, "quotes", 5]],
    ),
    "top_poster_by_country": (
        ["country", "poster_name", "follower_count"],
        [["Chad", "<img src=x onerror=alert(1)>", 15_000_000]],
    ),
    "country_of_top_poster": (["country", "follower_count"], [["Chad", 15_000_000]]),
    "popular_category_by_age_group": (
        ["age_group", "category", "category_count"],
        [["50+", "art", 3], ["18-24", "art", 4]],
    ),
    "median_followers_by_age_group": (
        ["age_group", "median_follower_count"],
        [["18-24", 130_000.5], ["unknown", None]],
    ),
    "users_joined_by_year": (["join_year", "number_users_joined"], [[2016, 2643], [2015, 796]]),
    "median_followers_by_join_year": (["join_year", "median_follower_count"], [[2015, 160_000.0]]),
    "median_followers_by_join_year_and_age_group": (
        ["age_group", "join_year", "median_follower_count"],
        [["18-24", 2015, 375_000.0], ["50+", 2016, 3000.0]],
    ),
}


def document(entries):
    return LedgerDocument(
        dag_id="pinterest_pipeline",
        run_id="manual__1+00:00",
        written_at="2026-11-21T10:00:00+00:00",
        verdict=reconcile(entries, "manual__1+00:00"),
        entries=tuple(entries),
    )


def entries(**out):
    return [
        Entry(
            route=route,
            hop=hop,
            entity=entity,
            run_id="manual__1+00:00",
            records_in=500,
            records_out=out.get(f"{hop}_{entity}", 500),
            stored=500,
            counted_by="hand",
        )
        for route in HOPS
        for hop in HOPS[route]
        for entity in ENTITIES
    ]


def page(analyses=TABLES, letters=(), **out):
    tables = {name: {"columns": columns, "rows": rows} for name, (columns, rows) in analyses.items()}
    return render_report(document(entries(**out)), analyses=tables, dead_letters=letters, user_id="0e36c8cd403d")


class Outline(HTMLParser):
    """Tags that are open, text by tag, and every address the page asks for."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.addresses, self.text = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [v for k, v in attributes if k in ("src", "href", "xlink:href", "action", "srcset")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def outline(html):
    parser = Outline()
    parser.feed(html)
    assert parser.open == []
    return parser


def test_the_page_is_whole_and_asks_for_nothing():
    html = page()
    parsed = outline(html)

    assert parsed.addresses == []
    assert not re.search(r"@import|url\(|<script|https?://", html)
    assert 'name="viewport"' in html
    assert "prefers-color-scheme: dark" in html


def test_all_nine_tables_are_there_with_every_row():
    parsed = outline(page())
    text = " ".join(parsed.text)

    assert len(ANALYSES) == len(TABLES) == 9
    for name, (_, rows) in TABLES.items():
        assert re.search(rf"{len(rows)} rows? of {name}\b", text), name
    assert "15M" in text
    assert "art, travel" in text  # both of a tie
    assert "svg" in parsed.tags


def test_text_of_others_is_escaped():
    letter = {
        "stream": "pin",
        "partition": 0,
        "offset": 7,
        "reason": "not_json_object",
        "message": "<b>bold</b>",
        "raw_base64": base64.b64encode(b"</td><script>alert(1)</script>\xff").decode(),
    }
    html = page(letters=[letter])

    assert "<script>" not in html
    assert "<img" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "p0@7" in html


def test_the_verdict_is_the_first_thing_to_read():
    assert "Every record is accounted for." in page()


def test_a_failure_is_told_with_hop_stream_and_count():
    text = " ".join(" ".join(outline(page(landed_geo=493)).text).split())

    assert "Records are lost." in text
    assert "geo at hop landed: lost: 7 lost inside the hop" in text


@pytest.mark.parametrize(
    ("counts", "status", "headline"),
    [
        ({"quarantined": 500, "records_out": 0}, "nothing passed", "Nothing of an entity came through."),
        ({"quarantined": 6, "records_out": 494}, "too many quarantined", "Too many records are in quarantine."),
    ],
)
def test_a_run_of_which_too_little_came_through_says_so(counts, status, headline):
    changed = [
        one.model_copy(update=counts) if one.hop == "table" and one.entity == "geo" else one for one in entries()
    ]
    html = render_report(document(changed), analyses={}, dead_letters=[], user_id="0e36c8cd403d")

    assert headline in html
    assert f'<p class="stamp {status.replace(" ", "-")}">{status}</p>' in html
    assert '<li class="bad">' in html


def test_records_of_others_are_named_beside_their_route():
    others = {"extra": 20, "records_out": 520, "extra_of": ("20 of run manual__0 of pinterest_stream",)}
    changed = [
        one.model_copy(update=others) if one.hop == "table" and one.entity == "pin" else one for one in entries()
    ]
    html = render_report(document(changed), analyses={}, dead_letters=[], user_id="0e36c8cd403d")

    assert "20 more records came from earlier runs or other producers" in html
    assert "stream: pin at hop table: 20 extra: 20 of run manual__0 of pinterest_stream" in html


@pytest.mark.parametrize("analyses", [{}, {"users_joined_by_year": (["join_year", "number_users_joined"], [])}])
def test_a_run_without_analyses_still_has_a_page(analyses):
    assert "This run did not compute it." in page(analyses)


def test_a_run_that_ended_early_still_has_a_page():
    html = render_report(document([]), analyses={}, dead_letters=[], user_id="0e36c8cd403d")

    assert "Not every hop could be counted." in html


def test_many_dead_letters_are_cut_and_counted():
    letter = {"stream": "pin", "partition": 0, "offset": 7, "reason": "r", "message": "m", "raw_base64": ""}

    assert "10 more are not shown" in page(letters=[letter] * 60)
