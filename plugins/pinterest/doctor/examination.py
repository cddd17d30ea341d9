"""Everything that the account's doctor looks at, in order. What fails in one place keeps it from no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from botocore.exceptions import ClientError

from include.aws.inventory import KINDS, Found
from include.aws.permissions import DENIED
from include.doctor import connections
from include.doctor.remark import Finding, Remark, Unchecked
from include.settings import Settings, SettingsError
from include.teardown import TeardownError
from pinterest.doctor import exposure, permissions, quotas, reach, workspace
from pinterest.doctor.account import Account, connection
from pinterest.hooks.inventory import InventoryHook
from pinterest.settings import settings

GIVE_IT = "give it the policy that `bin/policies doctor` prints"


class Check(NamedTuple):
    """What is looked at. Messages call it by its name."""

    name: str
    look: Callable[[Account], Iterable[Remark]]


CHECKS = (
    Check("permissions", permissions.permissions),
    Check("quotas of the network", quotas.network_quotas),
    Check("quota of MSK brokers", quotas.broker_quotas),
    Check("quota of REST APIs", quotas.rest_api_quotas),
    Check("quotas of data streams", quotas.shard_quotas),
    Check("database", reach.database),
    Check("client machine", reach.client_machine),
    Check("brokers", reach.brokers),
    Check("REST proxy", reach.rest_proxy),
    Check("Databricks", workspace.databricks),
    Check("notifier", reach.notifier),
    Check("security groups", exposure.groups),
    Check("bucket", exposure.bucket),
)


def of_connections() -> Iterator[Remark]:
    """The Airflow connections, and the Variable: what can be told without asking anybody else."""
    yield from connections.of_aws(connection(connections.AWS))
    yield from connections.of_source(connection(connections.SOURCE))
    yield from connections.of_databricks(connection(connections.DATABRICKS))


def of_settings() -> Settings | Finding:
    """The settings, or what is wrong with them: every key at once."""
    try:
        return settings()
    except SettingsError as error:
        return Finding(str(error), "correct the Variable: docs/settings.md")


def of_account(account: Account, tell: Callable[[str], None]) -> Iterator[Remark]:
    """All checks, if AWS knows who asks. ``tell`` is called with the name of each before it begins."""
    try:
        tell(f"asking {account.settings.region} as {account.caller}")
    except Exception as error:
        yield Finding(
            f"connection {account.aws_conn_id}: AWS does not know who asks: {error}",
            "correct its keys or role, or log in again; everything in AWS is unchecked until then",
        )
        return
    for check in CHECKS:
        tell(check.name)
        yield from _guarded(check.name, account, check.look)


def inventory(account: Account) -> tuple[list[Found], list[Remark]]:
    """What there is of ours that bills, the MSK cluster whoever made it, and the kinds that could not be listed."""
    hook = InventoryHook(account.settings.user_id, account.settings.region, account.aws_conn_id)
    found: list[Found] = []
    unchecked: list[Remark] = []
    for name in [name for name, kind in KINDS.items() if kind.bills]:
        try:
            found += {one.identifier: one for one in (*hook.found([name]), *_adopted(account, name))}.values()
        except TeardownError as error:
            unchecked.append(Unchecked(f"whether a {name} bills", str(error)))
        except Exception as error:
            unchecked.append(Unchecked(f"whether a {name} bills", _said(error)))
    return found, unchecked


def _adopted(account: Account, name: str) -> Iterator[Found]:
    """What the settings name, where its name need not say that it is ours."""
    if name != "MSK cluster":
        return
    kind, settings = KINDS[name], account.settings
    for page in account.client(kind.service).get_paginator(kind.operation).paginate():
        for item in kind.in_page(page):
            if kind.name_of(item) == settings.kafka.cluster_name:
                yield Found.of(kind, item, kind.listed_tags(item), settings.user_id)


def _guarded(name: str, account: Account, look: Callable[[Account], Iterable[Remark]]) -> Iterator[Remark]:
    """A check's remarks. One that breaks off is unchecked: a doctor goes on whatever an account answers."""
    try:
        yield from look(account)
    except ClientError as error:
        denied = error.response["Error"]["Code"] in DENIED
        yield Unchecked(name, f"{account.caller}: {error}" + (f"; {GIVE_IT}" if denied else ""))
    except Exception as error:
        yield Unchecked(name, _said(error))


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
