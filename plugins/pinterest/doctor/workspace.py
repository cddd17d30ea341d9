"""Does the Databricks workspace have what the settings name, for the user whom Airflow logs in as?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow.providers.databricks.exceptions import DatabricksApiError

from include.doctor.connections import DATABRICKS
from include.doctor.remark import Finding, Remark
from include.lake.job import RUNTIME
from include.settings import HIVE_METASTORE, Databricks
from pinterest.doctor.account import Account, connection
from pinterest.hooks.databricks_api import DatabricksApiHook

UNITY_CATALOG = "2.1/unity-catalog"
NOT_FOUND = (400, 404)
FORBIDDEN = 403


def databricks(account: Account) -> Iterator[Remark]:
    """The workspace: reached, logged in to, and with all that the settings name in it."""
    found = connection(DATABRICKS)
    if found is None or not found.host:
        return  # said where connections are looked at
    hook = DatabricksApiHook(databricks_conn_id=DATABRICKS)
    try:
        user = str(hook.call("GET", "2.0/preview/scim/v2/Me").get("userName"))
    except DatabricksApiError as error:
        yield Finding(
            f"connection {DATABRICKS}: {found.host} refuses the login ({error.http_status_code})",
            "make a new token (in the workspace: Settings, Developer), or correct the service principal's secret",
        )
        return
    runtimes = {one["key"] for one in hook.call("GET", "2.1/clusters/spark-versions")["versions"]}
    if RUNTIME not in runtimes:
        yield Finding(
            f"the workspace has no Databricks Runtime {RUNTIME}, which the jobs ask for",
            "use a workspace that has it, or a newer version of the pipeline",
        )
    here = account.settings.databricks
    yield from _lake(hook, here, user)
    yield from _compute(hook, here, user)


def _lake(hook: DatabricksApiHook, here: Databricks, user: str) -> Iterator[Finding]:
    """Catalog, schema and service credential. The legacy Hive metastore has no API: a run's lake_check tells of it."""
    if here.catalog != HIVE_METASTORE:
        refusal = _refusal(hook, f"{UNITY_CATALOG}/catalogs/{here.catalog}")
        if refusal:
            yield Finding(
                f"databricks.catalog: {user} sees no catalog {here.catalog} ({refusal})",
                f"make it in Catalog Explorer, GRANT USE CATALOG, CREATE SCHEMA ON CATALOG {here.catalog} TO `{user}`, "
                "or correct the setting",
            )
        elif _refusal(hook, f"{UNITY_CATALOG}/schemas/{here.catalog}.{here.schema_name}") == FORBIDDEN:
            yield Finding(
                f"databricks.schema: {user} may not use the schema {here.catalog}.{here.schema_name}",
                f"GRANT ALL PRIVILEGES ON SCHEMA {here.catalog}.{here.schema_name} TO `{user}`, or name another schema",
            )
    name = here.kinesis.service_credential
    if name:
        kind, refusal = _kind_of_credential(hook, name)
        if refusal or kind != "SERVICE":
            what = f"{user} sees no credential {name} ({refusal})" if refusal else f"{name} is for {kind}"
            yield Finding(
                f"databricks.kinesis.service_credential: {what}",
                f"make a service credential in Catalog Explorer, GRANT ACCESS ON SERVICE CREDENTIAL `{name}` TO "
                f"`{user}`, or correct the setting",
            )


def _compute(hook: DatabricksApiHook, here: Databricks, user: str) -> Iterator[Finding]:
    """The policy of the clusters, and the SQL warehouse, where the settings name them."""
    if here.policy_id:
        refusal = _refusal(hook, "2.0/policies/clusters/get", {"policy_id": here.policy_id})
        if refusal:
            yield Finding(
                f"databricks.policy_id: {user} may use no compute policy {here.policy_id} ({refusal})",
                "permit it in the workspace (Compute, Policies, Permissions), or correct the setting",
            )
    if here.warehouse_id and _refusal(hook, f"2.0/sql/warehouses/{here.warehouse_id}"):
        yield Finding(
            f"the workspace has no SQL warehouse {here.warehouse_id}",
            "make one that stops by itself, or correct databricks.warehouse_id",
        )


def _kind_of_credential(hook: DatabricksApiHook, name: str) -> tuple[str, int | None]:
    try:
        return str(hook.call("GET", f"{UNITY_CATALOG}/credentials/{name}").get("purpose")), None
    except DatabricksApiError as error:
        return "", _status(error)


def _refusal(hook: DatabricksApiHook, endpoint: str, arguments: dict[str, Any] | None = None) -> int | None:
    """The status with which Databricks says that there is no such thing, or not for this user; None if there is."""
    try:
        hook.call("GET", endpoint, arguments)
    except DatabricksApiError as error:
        return _status(error)
    return None


def _status(error: DatabricksApiError) -> int:
    if error.http_status_code in (*NOT_FOUND, FORBIDDEN):
        return int(error.http_status_code)
    raise error
