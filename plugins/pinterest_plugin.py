"""What Airflow itself loads of this folder."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from pinterest import last_word

PAGE = "Pinterest pipeline"


async def page(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    """The page's app, imported on its first call: every process loads this file, and only the API server serves it."""
    from pinterest.pipeline_page import app

    await app(scope, receive, send)


class PinterestPlugin(AirflowPlugin):
    """A failed ``airflow dags test`` ends with the error that made it fail, and the UI has a page of the pipeline.

    Addresses are relative, since an Airflow may have its UI below a path. The page opens by itself, where its links
    work; on a run, Airflow shows it in a frame, where they do not. It is under Browse, because at the top of the
    navigation Airflow 3.3.1 makes a lone link a button that leads nowhere.
    """

    name = "pinterest"
    listeners: list[Any] = [last_word]  # noqa: RUF012 as in the base class
    fastapi_apps: list[Any] = [{"name": PAGE, "app": page, "url_prefix": "/pinterest"}]  # noqa: RUF012
    external_views: list[Any] = [  # noqa: RUF012
        {"name": PAGE, "href": "pinterest/", "destination": "nav", "category": "browse"},
        {
            "name": "Ledger",
            "href": "pinterest/run?dag_id={DAG_ID}&run_id={RUN_ID}",
            "destination": "dag_run",
            "url_route": "pinterest-ledger",
        },
    ]
