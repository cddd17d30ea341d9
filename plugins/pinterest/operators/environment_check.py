"""The operator that says whether this Airflow has what the pipeline needs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import distributions
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator, Context, redact
from airflow.sdk import Asset

from include.doctor.remark import Finding, Remark
from include.settings import Settings
from pinterest.doctor import reach, workspace
from pinterest.doctor.account import Account
from pinterest.doctor.examination import of_connections, of_settings

OF_THE_ENVIRONMENT = "AWS_REGION"
"""MWAA sets it, and lets nobody change it."""
VERSIONS_OF = ("apache-airflow", "pymysql", "boto")
LOOKED_AT: tuple[Callable[[Account], Iterable[Remark]], ...] = (reach.database, workspace.databricks, reach.notifier)
"""The doctor's checks of what connections and settings lead to. What a run makes may not be there yet."""


class EnvironmentCheckOperator(BaseOperator):
    """Look whether Variable and connections are there and lead somewhere. Changes nothing, and never fails for it.

    Returns ``code``, ``versions`` of what is installed, and ``findings``: everything that is missing or wrong, each
    with its fix. The same is the ``extra`` of an event of ``asset``, where Airflow's REST API shows it.

    :param code: the tag of the code that this task runs, see :mod:`include.release`
    :param asset: what gets the event
    """

    def __init__(self, *, code: str, asset: Asset, aws_conn_id: str = "aws_default", **kwargs: Any) -> None:
        super().__init__(outlets=[asset], **kwargs)
        self.code = code
        self.asset = asset
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        findings = [shown(one) for one in self._findings()]
        found: dict[str, Any] = {"code": self.code, "versions": dict(installed(VERSIONS_OF)), "findings": findings}
        for one in findings:
            self.log.warning("%s\n  fix: %s", one["problem"], one["fix"])
        context["outlet_events"][self.asset].extra = found
        return found

    def _findings(self) -> Iterator[Finding]:
        """What can be looked at without the settings is looked at without them."""
        yield from (one for one in of_connections() if isinstance(one, Finding))
        current = of_settings()
        if isinstance(current, Finding):
            yield current
            return
        yield from of_region(current)
        account = Account(current, aws_conn_id=self.aws_conn_id)
        for look in (of_aws, *LOOKED_AT):
            yield from answers(look, account)


def of_region(current: Settings) -> Iterator[Finding]:
    here = os.environ.get(OF_THE_ENVIRONMENT)
    if here and here != current.region:
        yield Finding(
            f"the environment is in {here}, and the Variable's region is {current.region}",
            f"set region to {here} in the Variable, or move the environment",
        )


def of_aws(account: Account) -> Iterable[Remark]:
    """AWS: it has to know who asks."""
    assert account.caller
    return ()


def answers(look: Callable[[Account], Iterable[Remark]], account: Account) -> Iterator[Finding]:
    """A check's findings. One that breaks off is a finding, with the error's own words."""
    try:
        yield from (one for one in look(account) if isinstance(one, Finding))
    except Exception as error:  # whatever fails is what the check is about
        what = look.__name__.removeprefix("of_")
        yield Finding(f"{what}: {type(error).__name__}: {error}", "correct the connection, or open the way to its host")


def shown(finding: Finding) -> dict[str, str]:
    """For the UI, where secrets are masked."""
    return {"problem": str(redact(finding.problem)), "fix": finding.fix}


def installed(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names, in lower case and with hyphens, and versions of the installed distributions that begin so."""
    for one in distributions():
        name = str(one.metadata["Name"]).lower().replace("_", "-")
        if name.startswith(tuple(names)):
            yield name, one.version
