"""The page in Airflow's UI, from documents to HTML: complete, self-contained, and nobody else's text becomes markup."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from include import bucket_layout
from include.ledger.entry import parse_entries
from include.report.cost import RunCost
from include.report.overview import Link, json_lines, recent_run, render_overview, set_aside, web_links
from tests.page_runs import POISON, StoredRun, counted, stored_runs

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def read(run: StoredRun):
    report = run.documents.get(bucket_layout.report_ledger(run.dag_id, run.run_id))
    ledger = [content for key, content in run.documents.items() if key.startswith("ledger/")]
    return recent_run(
        run.dag_id,
        run.run_id,
        state=run.state,
        started_at=run.started_at(NOW),
        report=report,
        entries=[one for content in ledger for one in parse_entries(content)],
    )


@pytest.fixture
def stored():
    return stored_runs(NOW)


@pytest.fixture
def runs(stored):
    return [read(run) for run in stored]


def text(html: str) -> str:
    body = html.split("<body")[1].partition(">")[2]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_the_page_says_how_each_route_is(runs):
    page = text(render_overview(runs, runs[0], now=NOW))

    assert "The batch route stands still at hop landed." in page
    assert "lying 1,500 records of pin, geo, user wait before hop landed, which took none" in page
    assert "moving A run goes on; hop kinesis is next, and was not counted yet." in page
    assert "Waiting, by the last run 1,500" in page
    assert "whether a connector or a job runs, is not known here" in page


def test_the_last_runs_stand_side_by_side(runs):
    page = render_overview(runs, runs[3], now=NOW)

    cards = [text(f"<body>{one}") for one in re.findall(r"<li><a href=\"\?dag_id.*?</li>", page, re.DOTALL)]
    assert [one.strip() for one in cards] == [
        "running pinterest_stream 2026-11-28 11:58 UTC stream 1,500 → ?",
        "reconciled pinterest_stream 2026-11-28 11:43 UTC stream 1,500 → 1,458",
        "unverified pinterest_batch 2026-11-28 10:25 UTC batch 1,500 → ?",
        "reconciled pinterest_pipeline 2026-11-28 08:00 UTC batch 1,500 → 1,407 stream 1,500 → 1,458",
    ]
    assert page.count('aria-current="true"') == 1
    assert 'href="?dag_id=pinterest_pipeline&amp;run_id=manual__whole" class="good" aria-current' in page


def test_a_run_is_shown_as_its_report_shows_it(runs):
    page = render_overview(runs, runs[2], now=NOW)

    assert page.count('<ol class="flow">') == 1
    assert "batch: pin at hop landed: lost: 500 lost inside the hop (in 500, but out 0)" in page
    assert 'href="../dags/pinterest_batch/runs/scheduled__still"' in page
    assert 'href="report?dag_id=pinterest_batch&amp;run_id=scheduled__still"' in page


def test_what_it_costs_is_called_an_estimate(runs):
    page = text(render_overview(runs, runs[3], now=NOW, cost=RunCost("0.02 USD", "a machine; without brokers")))

    assert "Cost, an estimate 0.02 USD" in page
    assert "The cost is that of a machine; without brokers." in page
    assert "estimate" not in text(render_overview(runs, runs[3], now=NOW))


def test_a_run_ends_when_it_was_counted(runs):
    assert [run.ended_at is None for run in runs] == [True, False, False, False]
    assert runs[3].ended_at > runs[3].seen.started_at


def test_a_run_that_goes_on_has_what_was_counted_so_far(runs):
    page = text(render_overview(runs, runs[0], now=NOW))

    assert "pinterest_stream: This run goes on." in page
    assert "What has no number was not counted yet." in page
    assert "the run's page, with the analyses" not in page


def test_a_tab_has_one_run_and_no_address_that_a_frame_could_not_open(runs):
    page = render_overview([], runs[3], now=NOW, tab=True, links=[Link("bucket b", "https://console.aws.amazon.com/b")])

    assert "Every record is accounted for." in page
    assert re.findall(r'<a href="([^"]+)"', page) == ["report?dag_id=pinterest_pipeline&amp;run_id=manual__whole"]
    assert "bucket b: https://console.aws.amazon.com/b" in page
    assert "The last runs" not in page


def test_records_that_were_set_aside_are_grouped_by_reason(stored):
    still = stored[2]
    letters = json_lines(still.documents[bucket_layout.dead_letters(still.dag_id, still.run_id)])
    refused = json_lines(still.documents[bucket_layout.refused_rows(still.dag_id, still.run_id)])

    found = set_aside(letters, {"batch": refused})

    assert [(one.where, one.reason, one.entity, one.count, one.message, one.sample) for one in found] == [
        ("refused, batch", "42201", "geo", 2, "too long", '{"ind": 7}'),
        ("quarantine", "not_json_object", "pin", 1, "an array", POISON),
    ]


def test_documents_of_earlier_runs_call_an_entity_stream():
    [found] = set_aside([{"stream": "geo", "reason": "r", "message": "m", "raw_base64": None}], {})

    assert (found.entity, found.sample) == ("geo", "")


@pytest.mark.parametrize("line", [{}, {"raw_base64": 7}, {"raw_base64": "x"}, {"reason": None, "entity": ["pin"]}])
def test_a_line_that_lacks_something_is_shown_all_the_same(line):
    found = set_aside([line], {"stream": [line]})

    assert sorted(one.where for one in found) == ["quarantine", "refused, stream"]
    assert {one.count for one in found} == {1}


def test_of_a_document_that_is_cut_off_the_whole_lines_are_read():
    assert json_lines(b'{"a": 1}\n{"b": 2}\n[3]\n\n{"c": "\xc3') == [{"a": 1}, {"b": 2}]


def test_nobody_elses_text_becomes_markup(stored, runs):
    still = stored[2]
    letters = json_lines(still.documents[bucket_layout.dead_letters(still.dag_id, still.run_id)])
    named = recent_run(f"pinterest_{POISON}", POISON, state=POISON, started_at=None, report=None, entries=())
    page = render_overview(
        [*runs, named], runs[2], now=NOW, aside=set_aside(letters, {}), links=[Link(POISON, f"https://x/{POISON}")]
    )

    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(") >= 4


def test_it_asks_for_nothing_and_every_address_of_its_own_is_relative(runs):
    page = render_overview(runs, runs[3], now=NOW)

    assert not re.search(r"<(script|link|img|iframe)\b|url\(|@import", page)
    assert [one for one in re.findall(r'href="([^"]*)"', page) if re.match(r"/|\w+:", one)] == []


def test_only_addresses_of_the_web_are_links():
    named = {"a": "https://x/1", "b": "javascript:alert(1)", "c": "http://x", "d": "", "e": None, "f": "/x"}

    assert [one.name for one in web_links(named)] == ["a", "c"]


@pytest.mark.parametrize("report", [b"", b"{}", b"not json", b'{"dag_id": 1}'])
def test_a_report_that_cannot_be_read_is_as_good_as_none(report):
    run = recent_run("pinterest_batch", "r", state="failed", started_at=NOW, report=report, entries=counted("r", NOW))

    assert (run.reported, run.headline) == (False, "This run failed before it wrote a report.")
    assert run.document is not None


def test_without_any_run_it_says_what_to_do():
    page = text(render_overview([], None, now=NOW))

    assert "Nothing has been counted yet. Trigger pinterest_pipeline, and look again." in page


def test_a_problem_is_all_that_is_shown():
    for tab in (False, True):
        page = render_overview([], None, now=NOW, problem="The bucket is gone.", tab=tab)
        assert "The bucket is gone." in page
        assert "Trigger" not in page


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, "Records move."), ({("landed", "pin"): {"records_out": 0}}, "The batch route stands still at hop landed.")],
)
def test_the_headline_is_the_worst_of_the_routes(changes, expected):
    run = recent_run(
        "pinterest_pipeline",
        "r",
        state="success",
        started_at=NOW,
        report=None,
        entries=counted("r", NOW, changes=changes),
    )

    assert expected in render_overview([run], run, now=NOW)


@pytest.mark.parametrize(
    ("state", "headline", "counted"),
    [("running", "This run goes on.", "not yet"), ("success", "This run wrote no report.", "nothing")],
)
def test_a_run_that_counts_nothing_is_not_waited_for(state, headline, counted):
    run = read(StoredRun("pinterest_provision", "manual__1", state, 2))

    page = text(render_overview([], run, now=NOW, tab=True))

    assert headline in page
    assert f"Counted {counted} " in page
