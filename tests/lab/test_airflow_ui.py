"""Airflow's UI in a real browser, on its own API server below a path, with ministack as the account.

Looked at are the page "Pinterest pipeline" and a run that is triggered in a form, which Airflow's scheduler then takes
to its end. Skipped where no Chromium is installed; set CHROMIUM to one that is not on PATH.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect, sync_playwright

from lab import airflow_environment
from lab.state import ACCOUNT, CHECKOUT, REGION, State, write_private
from tests.builders import BUCKET, variable
from tests.lab.lab_parts import client, running, start_cloud, wait_until
from tests.page_runs import POISON, stored_runs

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
DATABASE = Path(__file__).with_name("ui_database.py")
PREFIX = "/airflow"
READER, OPERATOR, PASSWORD = "reader", "operator", "0f2c9a"
ROLES = {READER: "viewer", OPERATOR: "user"}
TRIGGERED = "pinterest_provision"
TOPIC, CANARY = "verdicts", "t0ken-of-a-mirror"
WIDE, NARROW = {"width": 1280, "height": 1500}, {"width": 390, "height": 844}
NOW = datetime.now(UTC)

expect.set_options(timeout=30_000)  # a machine may be busy

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: install it, or set CHROMIUM to its path")


@pytest.fixture(scope="module")
def environment(aws) -> dict[str, str]:
    return airflow(aws)


@pytest.fixture(scope="module")
def ui(aws, environment) -> Iterator[str]:
    """Address of Airflow's UI. Its database has the runs, the bucket their documents."""
    s3 = client(aws, "s3")
    s3.create_bucket(Bucket=BUCKET)
    runs = stored_runs(NOW)
    for run in runs:
        for key, content in run.documents.items():
            s3.put_object(Bucket=BUCKET, Key=key, Body=content)
    known = [
        {"dag_id": run.dag_id, "run_id": run.run_id, "state": run.state, "started_at": run.started_at(NOW).isoformat()}
        for run in runs
    ]
    subprocess.run([sys.executable, DATABASE, json.dumps(known), TRIGGERED], env=environment, check=True, cwd=CHECKOUT)
    address = environment["AIRFLOW__API__BASE_URL"]
    with component(aws, environment, "api-server") as server:
        wait_until(lambda: answers(address, server, aws), "the API server answers", 120)
        yield address


@pytest.fixture(scope="module")
def messages(aws) -> Callable[[], list[dict[str, str]]]:
    """What has come to a queue that subscribes to the settings' topic."""
    sns, sqs = client(aws, "sns"), client(aws, "sqs")
    queue = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=sns.create_topic(Name=TOPIC)["TopicArn"], Protocol="sqs", Endpoint=arn)
    found: list[dict[str, str]] = []

    def received() -> list[dict[str, str]]:
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        found.extend(json.loads(one["Body"]) for one in answer.get("Messages", ()))
        return found

    return received


@pytest.fixture(scope="module")
def scheduler(aws, environment, ui, messages) -> Iterator[None]:
    """What takes runs to their end. The DAGs with other runs are paused, or their runs have ended."""
    with (
        running(start_cloud(aws, "msk_connect")),
        component(aws, environment, "scheduler", "--skip-serve-logs"),
        component(aws, environment, "triggerer", "--skip-serve-logs"),
    ):
        requests.get(f"{ui}/execution/health", timeout=240)  # the server answers nobody while it prepares tasks' API
        yield


@contextmanager
def component(state: State, environment: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """One of Airflow's processes; it is killed with all that it has started, as some wait long for one another."""
    with state.log(f"airflow-{arguments[0]}").open("wb") as log:
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "airflow"), *arguments],
            env=environment,
            stdout=log,
            stderr=log,
            cwd=CHECKOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def airflow(state: State) -> dict[str, str]:
    """The lab's, with users in place of administrators who need no login."""
    passwords = state.path("passwords.json")
    write_private(passwords, json.dumps(dict.fromkeys(ROLES, PASSWORD)))
    write_private(state.path(airflow_environment.AWS_PROFILES), "[default]\n")
    address = f"http://127.0.0.1:{state.port('airflow')}{PREFIX}"
    settings = variable(notify={"topic_arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:{TOPIC}"})
    settings["downloads"]["java"]["url"] += f"?token={CANARY}"
    return {
        "PATH": os.environ["PATH"],
        **airflow_environment.airflow(state),
        **airflow_environment.no_real_account(state),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in ROLES.items()),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(airflow_environment.aws_connection(state)),
        "AIRFLOW_VAR_PINTEREST_PIPELINE": json.dumps(settings),
    }


def answers(address: str, server: subprocess.Popen[bytes], state: State) -> bool:
    assert server.poll() is None, state.log("airflow-api-server").read_text()[-3000:]
    try:
        return requests.get(f"{address}/api/v2/version", timeout=2).ok
    except requests.RequestException:
        return False


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def stranger(browser) -> Iterator[BrowserContext]:
    with browser.new_context(viewport=WIDE) as context:
        yield context


@pytest.fixture(scope="module")
def session(browser, ui) -> StorageState:
    """Of a viewer."""
    return logged_in(browser, ui, READER)


def logged_in(browser: Browser, ui: str, user: str) -> StorageState:
    """The session of a user who has logged in by Airflow's own form."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(ui)
        page.get_by_label("Username").fill(user)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("button", name="Browse")).to_be_visible()
        return context.storage_state()


@pytest.fixture
def page(browser, session) -> Iterator[Page]:
    with browser.new_context(viewport=WIDE, storage_state=session) as context:
        yield context.new_page()


def is_cut_off(page: Page) -> bool:
    """Whether something reaches beyond the window, so that one must scroll sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


def test_without_a_session_nothing_is_shown(stranger, ui):
    page = stranger.new_page()

    for path in ("", "run?dag_id=pinterest_stream&run_id=scheduled__last", "report?dag_id=pinterest_stream&run_id=x"):
        answer = page.goto(f"{ui}/pinterest/{path}")
        assert answer.status == 401
        assert "pinterest" not in page.content().lower().replace("pinterest/", "")


def test_the_navigation_leads_to_the_page(page, ui):
    page.goto(ui)
    page.get_by_role("button", name="Browse").click()
    with page.context.expect_page() as opened:
        page.get_by_role("menuitem", name="Pinterest pipeline").click()

    expect(opened.value.get_by_role("heading", level=1)).to_have_text("The batch route stands still at hop landed.")
    assert opened.value.url == f"{ui}/pinterest/"


def test_the_page_shows_both_routes_the_last_runs_and_one_in_detail(page, ui, aws):
    page.goto(f"{ui}/pinterest/")

    states = page.locator(".routes .state").all_text_contents()
    assert states == ["lying", "moving"]
    assert [re.sub(r"\s+", " ", one).strip().split(" ")[:2] for one in page.locator(".runs a").all_text_contents()] == [
        ["running", "pinterest_stream"],
        ["reconciled", "pinterest_stream"],
        ["unverified", "pinterest_batch"],
        ["reconciled", "pinterest_pipeline"],
    ]
    expect(page.locator("h2", has_text="pinterest_stream: This run goes on.")).to_be_visible()

    page.locator(".runs a", has_text="pinterest_batch").click()
    expect(page.locator("h2", has_text="pinterest_batch: Not every hop could be counted.")).to_be_visible()
    expect(page.locator(".letters")).to_contain_text("not_json_object")
    expect(page.locator(".letters")).to_contain_text(POISON)
    with page.context.expect_page() as opened:
        page.get_by_text("the run's page, with the analyses").click()
    expect(opened.value.locator("p")).to_contain_text("The report of scheduled__still")
    assert opened.value.url.startswith(f"{ui}/pinterest/report?")


def test_the_page_holds_no_secret(page, ui, aws):
    run = "dag_id=pinterest_batch&run_id=scheduled__still"

    for path in ("", f"?{run}", f"run?{run}", f"report?{run}"):
        assert page.goto(f"{ui}/pinterest/{path}").status == 200
        assert aws.secret("aws_secret_access_key") not in page.content()
        assert CANARY not in page.content()


def test_a_run_has_a_tab_with_its_ledger(page, ui):
    page.goto(f"{ui}/dags/pinterest_pipeline/runs/manual__whole/plugin/pinterest-ledger")

    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", level=1)).to_have_text("Every record is accounted for.")
    expect(frame.locator(".flow > li")).to_have_count(11)
    expect(page.get_by_role("link", name="Ledger")).to_be_visible()
    said = []
    page.on("console", lambda one: said.append(one.text))
    frame.get_by_text("the run's page, with the analyses").click()
    expect(frame.get_by_text("The report of manual__whole")).to_be_visible()
    assert [one for one in said if "Executing inline script violates" in one], "the stored page's script was run"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_it_fits_narrow_and_wide_windows_and_asks_nobody_else(page, ui, size, scheme, tmp_path):
    asked, said = [], []
    page.on("request", lambda one: asked.append(one.url))
    page.on("console", lambda one: said.append(one.text))
    page.set_viewport_size(size)
    page.emulate_media(color_scheme=scheme)
    address = f"{ui}/pinterest/?dag_id=pinterest_pipeline&run_id=manual__whole"

    page.goto(address)

    assert not is_cut_off(page)
    assert [url for url in asked if url != address and not url.endswith("/favicon.ico")] == []
    assert said == []
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(250, 248, 244)", "dark": "rgb(22, 23, 25)"}[scheme]
    folder = Path(os.environ.get("PICTURES", tmp_path))  # docs/images/page.png is one of them
    page.screenshot(path=folder / f"page-{scheme}-{size['width']}.png")


def test_a_run_is_triggered_in_the_form_and_gets_green(browser, ui, scheduler, tmp_path):
    with browser.new_context(viewport=WIDE, storage_state=logged_in(browser, ui, OPERATOR)) as context:
        page = context.new_page()
        page.goto(f"{ui}/dags/{TRIGGERED}")
        page.get_by_role("button", name="Trigger").first.click()
        form = page.get_by_role("dialog")
        expect(form.get_by_text("Whether to list what would be made and what it costs")).to_be_visible()
        expect(form.get_by_role("checkbox").first).to_be_checked()
        form.screenshot(path=Path(os.environ.get("PICTURES", tmp_path)) / "form.png")  # docs/images has it
        form.get_by_role("combobox").fill("load_all")
        form.get_by_role("combobox").press("Enter")
        form.get_by_role("button", name="Trigger").click()

        page.wait_for_url("**/runs/manual__*")
        run = page.url
        overview = context.new_page()
        overview.goto(f"{ui}/pinterest/")
        assert TRIGGERED in overview.locator(".runs").text_content(), "the page lists a run that goes on"

        expect(page.get_by_test_id("state-badge").first).to_have_text("Success", timeout=180_000)
        asked = context.request.get(run.replace(f"{ui}/", f"{ui}/api/v2/").replace("/runs/", "/dagRuns/")).json()
        assert asked["conf"] == {"dry_run": True, "on_new_identity": "load_all", "replace_connector": False}
        page.get_by_role("link", name="Ledger").click()
        expect(page.frame_locator("iframe").get_by_role("heading", level=1)).to_have_text("This run wrote no report.")


def test_a_run_that_has_no_verdict_by_its_deadline_is_told_of(scheduler, ui, aws, messages):
    """Of the runs in the database, whose deadlines have all passed, one has written no report."""
    database = sqlite3.connect(aws.path("airflow", "airflow.db"))
    count = "SELECT count(*) FROM callback WHERE state IN ('success', 'failed')"
    wait_until(lambda: database.execute(count).fetchone() == (4,), "the triggerer has run the callbacks", 180)

    wait_until(messages, "the message arrives")
    assert [one["Subject"] for one in messages()] == ["no verdict: pinterest_stream scheduled__going"]
    assert f"{ui}/pinterest/?dag_id=pinterest_stream&run_id=scheduled__going" in messages()[0]["Message"]
    assert database.execute("SELECT DISTINCT state FROM callback").fetchall() == [("success",)]
