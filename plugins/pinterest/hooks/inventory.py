"""What an account holds, over all services, and the removal of one of its resources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import jmespath
from airflow.providers.amazon.aws.utils.waiter_with_logging import wait
from botocore.exceptions import ClientError

from include.aws.inventory import KINDS, Found, Kind, TagCall
from include.aws.ownership import Tags, as_tags
from include.aws.permissions import DENIED
from include.aws.removal import GONE, PREPARATIONS, REMOVALS, Call, Removal, until_gone
from include.teardown import TeardownError
from pinterest.hooks.api_gateway import ApiGatewayHook
from pinterest.hooks.aws import AwsBaseHook
from pinterest.hooks.kinesis import KinesisStreamHook
from pinterest.hooks.load_balancer import LoadBalancerHook
from pinterest.hooks.msk import MskHook
from pinterest.hooks.msk_connect import MskConnectHook

WAITING: dict[str, type[AwsBaseHook]] = {
    "apigateway": ApiGatewayHook,
    "elbv2": LoadBalancerHook,
    "kafka": MskHook,
    "kafkaconnect": MskConnectHook,
    "kinesis": KinesisStreamHook,
}
"""Hooks whose waiters know when a resource is gone, by service."""


class InventoryHook:
    """Finds the resources of an account that are ours or have our names, and removes them.

    Raises TeardownError where a permission is missing: it names the permission and who lacks it.

    :param user_id: whose resources
    :param region: where they are
    """

    def __init__(self, user_id: str, region: str, aws_conn_id: str | None = "aws_default") -> None:
        self.user_id = user_id
        self.region = region
        self.aws_conn_id = aws_conn_id
        self._hooks: dict[str, AwsBaseHook] = {}

    def found(self, kinds: Iterable[str] = KINDS) -> Iterator[Found]:
        """What there is of these kinds that has our tags or our user id in its name."""
        for name in kinds:
            kind = KINDS[name]
            for item in self._items(kind):
                tags = self._tags(kind, item)
                if tags is not None:
                    yield Found.of(kind, item, tags, self.user_id)

    def remove(self, found: Found, *, waiter_delay: int, waiter_max_attempts: int) -> None:
        """Remove one resource, and wait until it is gone. One that is gone already is no error."""
        service = KINDS[found.kind].service
        self._do(REMOVALS[found.kind](found), found)
        waiter = until_gone(found)
        if waiter is not None:
            wait(
                waiter=self._hook(service).get_waiter(waiter.name),
                waiter_delay=waiter_delay,
                waiter_max_attempts=waiter_max_attempts,
                args=waiter.arguments,
                failure_message=f"{found} cannot be removed",
                status_message=str(found),
                status_args=[waiter.status],
            )

    def prepare(self, found: Found) -> None:
        """What the kind needs done for all that are to be removed, before the first one is."""
        if found.kind in PREPARATIONS:
            self._do(PREPARATIONS[found.kind](found), found)

    def _do(self, removal: Removal, found: Found) -> None:
        answer: dict[str, Any] | None = None
        while True:
            try:
                call = removal.send(answer)  # type: ignore[arg-type]  # None starts it
            except StopIteration:
                return
            answer = self._call(KINDS[found.kind].service, call, str(found)) or {}

    def _items(self, kind: Kind) -> Iterator[dict[str, Any]]:
        client = self._hook(kind.service).conn
        try:
            for page in _pages(client, kind.operation):
                yield from (item for item in kind.in_page(page) if kind.may_be_ours(item, self.user_id))
        except ClientError as error:
            raise self._explained(error, f"the list of every {kind.name}") from error

    def _tags(self, kind: Kind, item: Mapping[str, Any]) -> Tags | None:
        """Tags of a listed resource; None if it is gone by now."""
        if isinstance(kind.tags, str):
            return kind.listed_tags(item)
        return self._asked_tags(kind, kind.tags, kind.identifier_of(item), kind.name_of(item))

    def _asked_tags(self, kind: Kind, call: TagCall, identifier: str, name: str) -> Tags | None:
        try:
            arguments = call.asking(identifier, name)
            answer = getattr(self._hook(kind.service).conn, call.operation)(**arguments)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in call.missing:
                return {}
            if code in GONE:
                return None
            raise self._explained(error, f"the tags of {kind.name} {name}") from error
        return as_tags(jmespath.search(call.path, answer))

    def _call(self, service: str, call: Call, what: str) -> dict[str, Any] | None:
        try:
            return dict(getattr(self._hook(service).conn, call.operation)(**call.arguments))
        except ClientError as error:
            if error.response["Error"]["Code"] in GONE:
                return None
            raise self._explained(error, what) from error

    @staticmethod
    def _explained(error: ClientError, what: str) -> ClientError | TeardownError:
        """With what was not allowed, where it was that; the error itself says which permission is lacking."""
        if error.response["Error"]["Code"] not in DENIED:
            return error
        return TeardownError(f"{what}: {error.response['Error']['Message']}")

    def _hook(self, service: str) -> AwsBaseHook:
        if service not in self._hooks:
            own = WAITING.get(service)
            hook = own or partial(AwsBaseHook, client_type=service)
            self._hooks[service] = hook(aws_conn_id=self.aws_conn_id, region_name=self.region)
        return self._hooks[service]


def _pages(client: Any, operation: str) -> Iterable[Mapping[str, Any]]:
    if client.can_paginate(operation):
        yield from client.get_paginator(operation).paginate()
    else:
        yield getattr(client, operation)()
