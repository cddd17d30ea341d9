"""The page's addresses: refused without a session, and only of runs that the user may see."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pinterest_plugin
import pytest
from airflow.api_fastapi.common.db.common import _get_session
from airflow.api_fastapi.core_api import security
from airflow.models import DagRun
from airflow.models.tasklog import LogTemplate
from airflow.models.xcom import XComModel
from botocore.config import Config
from botocore.exceptions import ClientError, NoCredentialsError
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from include import bucket_layout
from include.settings import SettingsError
from pinterest import pipeline_page, run_documents
from tests.builders import Bucket, settings
from tests.page_runs import POISON, stored_runs

NOW = datetime.now(UTC)
ADDRESSES = (
    "/",
    "/run?dag_id=pinterest_pipeline&run_id=manual__whole",
    "/report?dag_id=pinterest_pipeline&run_id=manual__whole",
)


@pytest.fixture
def bucket(monkeypatch) -> Bucket:
    bucket = Bucket()
    for run in stored_runs(NOW):
        bucket.objects |= run.documents
    clients: list[Config] = []
    hook = SimpleNamespace(
        config=Config(proxies={"https": "proxy:1"}), get_client_type=lambda config: (clients.append(config), bucket)[1]
    )
    monkeypatch.setattr(run_documents, "S3Hook", lambda **_: hook)
    monkeypatch.setattr(bucket, "clients", clients, raising=False)
    monkeypatch.setattr(pipeline_page, "settings", settings)
    return bucket


@pytest.fixture
def session():
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    DagRun.metadata.create_all(engine, tables=[one.__table__ for one in (LogTemplate, DagRun, XComModel)])
    with Session(engine) as session:
        for run in stored_runs(NOW):
            at = run.started_at(NOW)
            known = DagRun(dag_id=run.dag_id, run_id=run.run_id, run_type="manual", run_after=at, start_date=at)
            known._state = run.state
            session.add(known)
        session.flush()
        yield session


class AuthManager:
    """Knows the token ``good``, whose user may see some DAGs."""

    def __init__(self) -> None:
        self.may_see = {"pinterest_pipeline", "pinterest_stream", "pinterest_batch", "others"}

    async def get_user_from_token(self, token: str) -> str:
        assert token == "good"
        return "somebody"

    def get_authorized_dag_ids(self, *, user: str, method: str) -> set[str]:
        assert (user, method) == ("somebody", "GET")
        return self.may_see

    def is_authorized_dag(self, *, method: str, access_entity: Any, details: Any, user: str) -> bool:
        assert (user, method, access_entity.value) == ("somebody", "GET", "RUN")
        return details.id in self.may_see


@pytest.fixture
def manager(monkeypatch) -> AuthManager:
    manager = AuthManager()
    for module in (security, pipeline_page):
        monkeypatch.setattr(module, "get_auth_manager", lambda: manager)
    monkeypatch.setattr(security, "DagModel", SimpleNamespace(get_team_name=lambda dag_id: None))
    return manager


@pytest.fixture
def stranger(bucket, session, manager):
    pipeline_page.app.dependency_overrides[_get_session] = lambda: session
    yield TestClient(pipeline_page.app)
    pipeline_page.app.dependency_overrides.clear()


@pytest.fixture
def user(stranger) -> TestClient:
    stranger.headers["Authorization"] = "Bearer good"
    return stranger


@pytest.mark.parametrize("address", [*ADDRESSES, "/run", "/report"])
def test_without_a_session_everything_is_refused(stranger, address):
    answer = stranger.get(address)

    assert (answer.status_code, answer.text) == (401, '{"detail":"Not authenticated"}')


def test_no_other_address_tells_anything(user):
    assert {user.get(path).status_code for path in ("/docs", "/openapi.json", "/redoc", "/x")} == {404}
    assert user.post("/").status_code == 405


def test_the_plugin_mounts_it_below_the_path_of_airflow(user):
    airflow = FastAPI(root_path="/of/others")
    for one in pinterest_plugin.PinterestPlugin.fastapi_apps:
        airflow.mount(one["url_prefix"], one["app"])
    client = TestClient(airflow, headers=user.headers)

    assert "Pinterest pipeline" in client.get("/of/others/pinterest/").text
    assert TestClient(airflow).get("/of/others/pinterest/").status_code == 401


def test_the_plugins_addresses_are_relative():
    views = pinterest_plugin.PinterestPlugin.external_views

    assert {view["destination"]: view["href"] for view in views} == {
        "nav": "pinterest/",
        "dag_run": "pinterest/run?dag_id={DAG_ID}&run_id={RUN_ID}",
    }


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_script_runs_and_nothing_is_asked_of_others(user, address):
    answer = user.get(address)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert "frame-ancestors 'self'" in policy
    assert answer.headers["cache-control"] == "no-store"


def test_the_last_run_that_has_counted_is_shown(user):
    page = user.get("/").text

    assert "pinterest_stream: This run goes on." in page
    assert "The batch route stands still at hop landed." in page


def test_another_run_can_be_chosen(user):
    page = user.get("/?dag_id=pinterest_batch&run_id=scheduled__still").text

    assert "pinterest_batch: Not every hop could be counted." in page
    assert "not_json_object" in page
    assert "42201" in page
    assert "Cost, an estimate" in page
    assert "reports%2Fpinterest_batch%2Fscheduled__still%2F" in page
    assert f"streaming-{settings().user_id}-pin" in page


def test_the_report_is_the_stored_page(user):
    assert user.get(ADDRESSES[2]).text.endswith(f"The report of manual__whole{POISON}")


def test_runs_of_other_dags_stay_hidden(user, manager):
    manager.may_see = {"pinterest_stream"}

    page = user.get("/?dag_id=pinterest_batch&run_id=scheduled__still").text

    assert "pinterest_batch" not in page
    assert "manual__whole" not in page
    assert user.get("/run?dag_id=pinterest_batch&run_id=scheduled__still").status_code == 403
    assert user.get("/report?dag_id=pinterest_batch&run_id=scheduled__still").status_code == 403
    assert user.get("/run?dag_id=pinterest_stream&run_id=scheduled__last").status_code == 200


@pytest.mark.parametrize("kind", ["run", "report"])
@pytest.mark.parametrize(
    "query", ["dag_id=pinterest_batch&run_id=manual__whole", "dag_id=others&run_id=r", "dag_id=pinterest_batch&run_id="]
)
def test_what_is_no_run_is_not_looked_for(user, bucket, kind, query):
    bucket.objects[bucket_layout.report("pinterest_batch", "manual__whole")] = b"of nobody"

    answer = user.get(f"/{kind}?{query}")

    assert answer.status_code == 404
    assert "no run of the pipeline" in answer.text or "written no report" in answer.text


def test_a_run_without_a_report(user):
    address = "dag_id=pinterest_stream&run_id=scheduled__going"

    assert user.get(f"/report?{address}").status_code == 404
    assert "This run goes on." in user.get(f"/run?{address}").text


def test_the_runs_on_databricks_are_linked(user, session):
    [run] = [one for one in session.query(DagRun) if one.run_id == "manual__whole"]
    for task_id, address in (("batch.lake_batch.job.launch", "https://dbc/#job/1/run/2"), ("x", "javascript:alert(1)")):
        left = XComModel(
            dag_run_id=run.id,
            dag_id=run.dag_id,
            run_id=run.run_id,
            task_id=task_id,
            map_index=-1,
            key="run_page_url",
            value=f'"{address}"',
        )
        session.add(left)
    session.flush()

    page = user.get("/?dag_id=pinterest_pipeline&run_id=manual__whole").text

    assert 'href="https://dbc/#job/1/run/2"' in page
    assert "Databricks run of batch.lake_batch.job.launch" in page
    assert "javascript" not in page


def refuse(*_args, **_kwargs):
    raise ClientError({"Error": {"Code": "AccessDenied", "Message": "arn of a secret"}}, "GetObject")


def wrong_settings():
    raise SettingsError("Variable: kafka_client.host_key: got 'hunter2'")


def no_credentials(**_):
    raise NoCredentialsError


@pytest.mark.parametrize(
    ("where", "what", "says"),
    [
        ("bucket", refuse, "cannot be read; the API server"),
        ("settings", wrong_settings, "The Airflow Variable pinterest_pipeline is missing or wrong."),
        ("hook", no_credentials, "The connection aws_default does not lead to the bucket."),
    ],
)
def test_what_cannot_be_read_is_said_without_its_details(user, bucket, monkeypatch, where, what, says):
    if where == "bucket":
        monkeypatch.setattr(bucket, "get_object", what)
    elif where == "settings":
        monkeypatch.setattr(pipeline_page, "settings", what)
    else:
        monkeypatch.setattr(run_documents, "S3Hook", what)

    for address in ADDRESSES:
        answer = user.get(address)
        assert answer.status_code == 503
        assert says in answer.text.replace("&#39;", "'")
        assert not any(secret in answer.text for secret in ("hunter2", "arn of a secret"))


def test_a_bucket_that_does_not_answer_is_not_waited_for(user, bucket):
    user.get("/")

    [config] = bucket.clients
    assert (config.connect_timeout, config.read_timeout, config.retries) == (3, 5, {"total_max_attempts": 2})
    assert config.proxies == {"https": "proxy:1"}, "the connection's own"


def test_what_a_run_has_counted_is_read_hop_by_hop_only_without_a_report(user, bucket, monkeypatch):
    asked: list[str] = []
    get = bucket.get_object
    monkeypatch.setattr(bucket, "get_object", lambda **wanted: (asked.append(wanted["Key"]), get(**wanted))[1])

    user.get("/")

    assert sum(key.startswith("reports/") for key in asked) == 4
    assert {key.split("/")[2] for key in asked if key.startswith("ledger/")} == {"scheduled__going"}
