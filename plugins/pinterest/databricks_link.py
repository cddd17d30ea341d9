"""The link from an Airflow task to its run's page on Databricks."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

RUN_PAGE_URL = "run_page_url"


class RunPageLink(BaseOperatorLink):
    """Shown as soon as the task has pushed the address as XCom ``run_page_url``, not only when the task has ended."""

    name = "See Databricks Job Run"

    @property
    def xcom_key(self) -> str:
        return RUN_PAGE_URL

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        address: str | None = XCom.get_value(key=RUN_PAGE_URL, ti_key=ti_key)
        return address or ""
