"""The account that the Airflow connections lead to, as the doctor asks it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.providers.common.compat.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from botocore.config import Config

from include.doctor.connections import AWS, Connection
from include.doctor.permissions import role_or_user
from include.settings import Settings
from pinterest.hooks.aws import AwsBaseHook

IMPATIENT = Config(connect_timeout=10, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4})


class Account:
    """Clients for the services, in the region of the settings.

    :param role: name of the role, or ARN of the user, whose permissions count; by default the connection's own
    """

    def __init__(self, settings: Settings, role: str = "", aws_conn_id: str = AWS) -> None:
        self.settings = settings
        self.role = role
        self.aws_conn_id = aws_conn_id
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        if service not in self._clients:
            hook = AwsBaseHook(
                aws_conn_id=self.aws_conn_id, client_type=service, region_name=self.settings.region, config=IMPATIENT
            )
            self._clients[service] = hook.conn
        return self._clients[service]

    def hook[Hook](self, hook: type[Hook]) -> Hook:
        """A hook of the pipeline, as its tasks make it."""
        return hook(aws_conn_id=self.aws_conn_id, region_name=self.settings.region)  # type: ignore[call-arg]

    @cached_property
    def caller(self) -> str:
        """The ARN that STS names. Everyone may ask for it."""
        return str(self._identity["Arn"])

    @property
    def account_id(self) -> str:
        return str(self._identity["Account"])

    @cached_property
    def principal(self) -> str:
        """The ARN of the role or user whose permissions count. Raises UnknownCallerError."""
        if self.role.startswith("arn:"):
            return self.role
        kind, name = ("role", self.role) if self.role else role_or_user(self.caller)
        return str(self.client("iam").get_role(RoleName=name)["Role"]["Arn"]) if kind == "role" else name

    @cached_property
    def _identity(self) -> dict[str, Any]:
        return dict(self.client("sts").get_caller_identity())


def connection(name: str) -> Connection | None:
    """An Airflow connection without its password; None if nobody has made it."""
    try:
        found = BaseHook.get_connection(name)
    except AirflowNotFoundException:
        return None
    return Connection.of(
        conn_type=found.conn_type,
        host=found.host,
        login=found.login,
        schema=found.schema,
        password=found.password,
        extra=found.extra,
    )
