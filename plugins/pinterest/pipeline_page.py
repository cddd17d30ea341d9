"""The page "Pinterest pipeline" in Airflow's UI: a FastAPI app that the API server mounts at ``/pinterest``.

Which runs there are, it asks Airflow's database; what they counted, the ledger documents in the bucket, through the
connection ``aws_default``. It holds no secret and changes nothing. Airflow does not authenticate what a plugin serves,
so each address here does: without a session it answers 401, and it shows runs of those DAGs only that the user may see.

=====================  ==================================================================
``/``                  both routes' health, the last runs of all DAGs, and one run in detail
``/run?dag_id&run_id`` one run, for the tab on a run: Airflow shows it in a frame
``/report?…``          the page that the run has written to the bucket
=====================  ==================================================================
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep, get_user, requires_access_dag
from airflow.models import DagRun
from airflow.models.xcom import XComModel
from airflow.providers.common.compat.sdk import AirflowException
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import HTMLResponse
from sqlalchemy import select

from include import bucket_layout
from include.aws.console import bucket_url, console_urls
from include.ledger.entry import HOPS
from include.report.cost import RunCost, run_cost
from include.report.overview import (
    Link,
    RecentRun,
    SetAside,
    json_lines,
    recent_run,
    render_overview,
    set_aside,
    web_links,
)
from include.settings import SettingsError
from pinterest.databricks_link import RUN_PAGE_URL
from pinterest.run_documents import RunDocuments
from pinterest.settings import settings

RUNS_OF_A_DAG = 6
READERS = 8
SAMPLED_BYTES = 1 << 18
SOON = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2})
"""A bucket that does not answer must not hold the API server's threads."""

SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""No script runs, whatever a run's documents hold, and nothing is fetched from elsewhere."""

NO_RUN = "This is no run of the pipeline, so it has no ledger."
MAY_SEE_RUN = Depends(requires_access_dag("GET", DagAccessEntity.RUN))

log = logging.getLogger(__name__)
app = FastAPI(
    title="Pinterest pipeline", dependencies=[Depends(get_user)], docs_url=None, redoc_url=None, openapi_url=None
)


class UnreadableError(Exception):
    """The documents cannot be read. The message is for the page: the cause is in the log, as it may hold a secret."""


@app.get("/", response_class=HTMLResponse)
def overview(
    user: GetUserDep, session: SessionDep, dag_id: str | None = None, run_id: str | None = None
) -> HTMLResponse:
    """``dag_id`` and ``run_id`` choose the run in detail, by default the last one that has counted anything."""
    known = last_runs(session, get_auth_manager().get_authorized_dag_ids(user=user, method="GET"))
    return answer(session, known, (dag_id, run_id))


@app.get("/run", response_class=HTMLResponse, dependencies=[MAY_SEE_RUN])
def run(session: SessionDep, dag_id: str, run_id: str) -> HTMLResponse:
    """Airflow offers the tab on the runs of every DAG, also on those of others."""
    found = known_run(session, dag_id, run_id)
    if found is None:
        return page(render_overview([], None, now=datetime.now(UTC), tab=True, problem=NO_RUN), 404)
    return answer(session, [found], (dag_id, run_id), tab=True)


@app.get("/report", response_class=HTMLResponse, dependencies=[MAY_SEE_RUN])
def report(session: SessionDep, dag_id: str, run_id: str) -> HTMLResponse:
    found = known_run(session, dag_id, run_id)
    try:
        content = Documents().report(found) if found else None
    except UnreadableError as error:
        raise HTTPException(503, str(error)) from None
    if content is None:
        raise HTTPException(404, "This run has written no report, or it has expired.")
    return page(content.decode("utf-8", errors="replace"))


def page(html: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(html, status, SECURITY)


def answer(
    session: Any, known: Sequence[DagRun], wanted: tuple[str | None, str | None], *, tab: bool = False
) -> HTMLResponse:
    """The page with these runs, and the wanted one in detail; without it, the last one that has counted anything."""
    now = datetime.now(UTC)
    try:
        documents = Documents()
        found = documents.runs(known)
        runs = [one for one in found if one.document or one.seen.goes_on]
        chosen = [one for one in found if (one.seen.dag_id, one.seen.run_id) == wanted]
        shown = next(iter([*chosen, *(one for one in runs if one.document), *runs]), None)
        aside = documents.set_aside(shown) if shown else []
    except UnreadableError as error:
        return page(render_overview([], None, now=now, tab=tab, problem=str(error)), 503)
    links = [*documents.links(shown), *(databricks_links(session, shown) if shown else [])]
    cost = documents.cost(shown, now) if shown else None
    return page(render_overview(runs, shown, now=now, aside=aside, links=links, cost=cost, tab=tab))


def last_runs(session: Any, dag_ids: Iterable[str]) -> list[DagRun]:
    """The last runs of each of the pipeline's DAGs, newest first. Times are UTC."""
    found: list[DagRun] = []
    for dag_id in sorted(dag_ids):
        if dag_id.startswith(bucket_layout.DAGS):
            newest = select(DagRun).where(DagRun.dag_id == dag_id).order_by(DagRun.run_after.desc())
            found += session.scalars(newest.limit(RUNS_OF_A_DAG))
    return sorted(found, key=lambda one: one.run_after, reverse=True)


def known_run(session: Any, dag_id: str, run_id: str) -> DagRun | None:
    """A run of the pipeline, so that only keys of runs are asked for."""
    if not dag_id.startswith(bucket_layout.DAGS):
        return None
    wanted = select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
    found: DagRun | None = session.scalar(wanted)
    return found


def databricks_links(session: Any, run: RecentRun) -> list[Link]:
    """The pages of the run's Databricks runs, as its tasks have left them for their own links."""
    left = XComModel.get_many(run_id=run.seen.run_id, key=RUN_PAGE_URL, dag_ids=run.seen.dag_id)
    named = {f"Databricks run of {one.task_id}": XComModel.deserialize_value(one) for one in session.scalars(left)}
    return web_links(named)


class Documents:
    """What runs have left in the bucket. Raises UnreadableError if the settings, AWS or the bucket refuse."""

    def __init__(self) -> None:
        try:
            self.settings = settings()
            self._any = RunDocuments(self.settings.bucket, "", "", config=SOON)
        except SettingsError as error:
            log.warning("%s", error)
            raise UnreadableError("The Airflow Variable pinterest_pipeline is missing or wrong.") from error
        except (AirflowException, BotoCoreError) as error:
            log.exception("The bucket cannot be reached")
            raise UnreadableError("The connection aws_default does not lead to the bucket.") from error

    def runs(self, known: Sequence[DagRun]) -> list[RecentRun]:
        """In the same order. Read by several threads, so no attribute of a run may be loaded there."""
        with self._readable(), ThreadPoolExecutor(READERS) as readers:
            return list(readers.map(self._run, [Known.of(one) for one in known]))

    def report(self, known: DagRun) -> bytes | None:
        with self._readable():
            return self._any.read(bucket_layout.report(known.dag_id, known.run_id))

    def set_aside(self, run: RecentRun) -> list[SetAside]:
        """By the beginning of each document: a run that the API refused whole has kept every row."""
        place = run.seen.dag_id, run.seen.run_id
        with self._readable():
            letters = json_lines(self._any.read(bucket_layout.dead_letters(*place), SAMPLED_BYTES) or b"")
            refused = {
                route: json_lines(self._any.read(bucket_layout.refused_rows(*place, route), SAMPLED_BYTES) or b"")
                for route in HOPS
            }
        return set_aside(letters, refused)

    def links(self, run: RecentRun | None) -> list[Link]:
        named = dict(console_urls(self.settings))
        if run is not None:
            prefix = bucket_layout.report(run.seen.dag_id, run.seen.run_id).removesuffix("index.html")
            written = bucket_url(self.settings.region, self.settings.bucket, prefix)
            named = {"what this run wrote for people, in the bucket": written, **named}
        return web_links(named)

    def cost(self, run: RecentRun, now: datetime) -> RunCost | None:
        """Until it was counted; of a run that goes on, until now."""
        ended_at = now if run.seen.goes_on else run.ended_at
        return run_cost(self.settings, run.seen.started_at, ended_at) if ended_at else None

    def _run(self, known: Known) -> RecentRun:
        documents = self._any.of_run(known.dag_id, known.run_id)
        report = documents.read(bucket_layout.report_ledger(known.dag_id, known.run_id))
        entries = [] if report is not None else documents.entries()
        return recent_run(
            known.dag_id,
            known.run_id,
            state=known.state,
            started_at=known.started_at,
            report=report,
            entries=entries,
        )

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (ClientError, BotoCoreError) as error:
            log.exception("s3://%s cannot be read", self.settings.bucket)
            raise UnreadableError(
                f"s3://{self.settings.bucket} cannot be read; the API server's log says why."
            ) from error


class Known(NamedTuple):
    """What Airflow knows of a run."""

    dag_id: str
    run_id: str
    state: str
    started_at: datetime | None

    @classmethod
    def of(cls, run: DagRun) -> Known:
        return cls(run.dag_id, run.run_id, str(run.state), run.start_date or run.queued_at)
