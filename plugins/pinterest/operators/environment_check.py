"""The operator that says whether this Airflow has what the pipeline needs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import distributions
from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook, BaseOperator, Context, redact
from airflow.sdk import Asset

from include.settings import Settings, SettingsError
from pinterest.hooks.databricks_workspace import DatabricksWorkspaceHook
from pinterest.settings import settings
from pinterest.source import source_tables

type Finding = dict[str, str]
"""``problem`` and ``fix``, each a sentence."""

OF_THE_ENVIRONMENT = "AWS_REGION"
"""MWAA sets it, and lets nobody change it."""
VERSIONS_OF = ("apache-airflow", "pymysql", "boto")


class EnvironmentCheckOperator(BaseOperator):
    """Look whether Variable and connections are there and lead somewhere. Changes nothing, and never fails for it.

    Returns ``code``, ``versions`` of what is installed, and ``findings``: everything that is missing or wrong, each
    with its fix. The same is the ``extra`` of an event of ``asset``, where Airflow's REST API shows it.

    :param code: the tag of the code that this task runs, see :mod:`include.release`
    :param asset: what gets the event
    """

    def __init__(
        self,
        *,
        code: str,
        asset: Asset,
        aws_conn_id: str = "aws_default",
        databricks_conn_id: str = "databricks_default",
        source_conn_id: str = "pinterest_source",
        **kwargs: Any,
    ) -> None:
        super().__init__(outlets=[asset], **kwargs)
        self.code = code
        self.asset = asset
        self.aws_conn_id = aws_conn_id
        self.databricks_conn_id = databricks_conn_id
        self.source_conn_id = source_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        findings = list(self._findings())
        found: dict[str, Any] = {"code": self.code, "versions": dict(installed(VERSIONS_OF)), "findings": findings}
        for one in findings:
            self.log.warning("%s\n  fix: %s", one["problem"], one["fix"])
        context["outlet_events"][self.asset].extra = found
        return found

    def _findings(self) -> Iterator[Finding]:
        """What can be looked at without the settings is looked at without them."""
        try:
            current = settings()
        except SettingsError as error:
            yield finding(str(error), "correct the Variable, in Secrets Manager or under Admin, Variables")
        else:
            yield from self._region(current)
            yield from self._aws(current)
            yield from self._databricks(current)
        yield from self._source()

    def _region(self, current: Settings) -> Iterator[Finding]:
        here = os.environ.get(OF_THE_ENVIRONMENT)
        if here and here != current.region:
            yield finding(
                f"the environment is in {here}, and the Variable's region is {current.region}",
                f"set region to {here} in the Variable, or move the environment",
            )

    def _aws(self, current: Settings) -> Iterator[Finding]:
        def ask() -> object:
            hook = AwsBaseHook(aws_conn_id=self.aws_conn_id, client_type="sts", region_name=current.region)
            return hook.account_id

        yield from answers(
            f"connection {self.aws_conn_id}: AWS", ask, "give the execution role what docs/settings.md lists"
        )

    def _databricks(self, current: Settings) -> Iterator[Finding]:
        def ask() -> object:
            return DatabricksWorkspaceHook(self.databricks_conn_id).children(current.databricks.folder)

        yield from self._connection(self.databricks_conn_id, "databricks", ask)

    def _source(self) -> Iterator[Finding]:
        def ask() -> object:
            with source_tables(self.source_conn_id) as source:
                return source.check()

        yield from self._connection(self.source_conn_id, "mysql", ask)

    def _connection(self, name: str, conn_type: str, ask: Callable[[], object]) -> Iterator[Finding]:
        try:
            found = BaseHook.get_connection(name)
        except AirflowNotFoundException:
            yield finding(
                f"connection {name} is missing", "write it with make deploy SECRETS=file, or under Admin, Connections"
            )
            return
        if found.conn_type != conn_type:
            yield finding(f"connection {name} is of the type {found.conn_type!r}", f"set conn_type to {conn_type!r}")
            return
        yield from answers(f"connection {name}", ask, "correct the connection, or open the way to its host")


def answers(what: str, ask: Callable[[], object], fix: str) -> Iterator[Finding]:
    """A finding if asking fails, with the error's own words. They are shown in the UI, so secrets are masked."""
    try:
        ask()
    except Exception as error:  # whatever fails is what the check is about
        yield finding(f"{what} does not answer as it should: {type(error).__name__}: {error}", fix)


def finding(problem: str, fix: str) -> Finding:
    return {"problem": str(redact(problem)), "fix": fix}


def installed(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names, in lower case and with hyphens, and versions of the installed distributions that begin so."""
    for one in distributions():
        name = str(one.metadata["Name"]).lower().replace("_", "-")
        if name.startswith(tuple(names)):
            yield name, one.version
