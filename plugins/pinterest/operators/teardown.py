"""Operators that remove what the pipeline made in AWS, and the one that proves that it is gone.

Each takes its orders from the DAG's params (:class:`~include.teardown.Order`). With ``dry_run``, none makes a call that
changes anything.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator, Context
from botocore.exceptions import ClientError

from include import bucket_layout
from include.aws.inventory import KINDS, Found, table
from include.aws.removal import STAGES
from include.landing.document import dump
from include.settings import ENTITIES, Entity, Settings
from include.teardown import Order, TeardownError, named
from pinterest.hooks.inventory import InventoryHook
from pinterest.hooks.kafka_brokers import broker_identity
from pinterest.operators.identity import write_checkpoints
from pinterest.run_documents import RunDocuments
from pinterest.settings import settings


class TeardownOperator(BaseOperator):
    """Base of the operators of a teardown.

    Returns what was removed, or with ``dry_run`` would be, each by kind and name. Raises
    :class:`~include.teardown.TeardownError` if the params contradict the settings, or a permission is missing.

    :param stage: what the param ``keep`` calls it; None for what ``keep`` cannot name
    """

    def __init__(self, *, stage: str | None = None, aws_conn_id: str | None = "aws_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stage = stage
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> list[str]:
        current = settings()
        order = Order.of(context["params"], current.bucket, keeps_bucket=not current.checkpoint_folder)
        if self.stage is not None and order.keeps(self.stage):
            self.log.info("The param keep names %s: nothing of it is removed", self.stage)
            return []
        return self.remove(current, order, context)

    @abstractmethod
    def remove(self, current: Settings, order: Order, context: Context) -> list[str]:
        """Remove what is to be removed. Return it by kind and name."""


class RemoveOperator(TeardownOperator):
    """Remove the resources of a stage, kind by kind, if they have our tags, and wait until they are gone.

    Those of others are left and listed. What is gone already is a success, so a rerun after a kill ends in the same
    state, and one after a teardown changes nothing.

    :param stage: one of :data:`~include.aws.removal.STAGES`
    :param only: by kind: how the names begin of those that belong to the stage; by default all do (templated)
    :param waiter_delay: seconds between two checks
    :param waiter_max_attempts: checks before the task fails
    """

    template_fields: Sequence[str] = ("only",)

    def __init__(
        self,
        *,
        stage: str,
        only: dict[str, list[str]] | None = None,
        waiter_delay: int = 5,
        waiter_max_attempts: int = 360,
        **kwargs: Any,
    ) -> None:
        super().__init__(stage=stage, **kwargs)
        self.stage: str = stage
        self.only = only or {}
        self.waiter_delay = waiter_delay
        self.waiter_max_attempts = waiter_max_attempts

    def remove(self, current: Settings, order: Order, context: Context) -> list[str]:
        hook = InventoryHook(current.user_id, current.region, self.aws_conn_id)
        removed = []
        for kind in STAGES[self.stage]:
            due = [found for found in hook.found([kind]) if self._is_due(found, order)]
            if due and not order.dry_run:
                self.before(due, current, context)
                for found in due:
                    hook.prepare(found)
            for found in due:
                self._remove(found, hook, order)
                removed.append(f"{found.kind} {found.name}")
        if not removed:
            self.log.info("unchanged: nothing of ours is there")
        return removed

    def before(self, due: list[Found], current: Settings, context: Context) -> None:
        """What has to be remembered before resources of a kind are removed."""

    def _is_due(self, found: Found, order: Order) -> bool:
        if not found.name.startswith(tuple(self.only.get(found.kind, ("",)))):
            return False
        if not found.ours:
            self.log.info("%s is not tagged as ours: left", found)
        return order.is_due(found, datetime.now(UTC))

    def _remove(self, found: Found, hook: InventoryHook, order: Order) -> None:
        loses = KINDS[found.kind].loses
        data = f", and with it {loses}" if loses else ""
        if order.dry_run:
            self.log.info("would be removed: %s%s", found, data)
            return
        hook.remove(found, waiter_delay=self.waiter_delay, waiter_max_attempts=self.waiter_max_attempts)
        self.log.info("removed: %s%s", found, data)


class RemoveDataStreamsOperator(RemoveOperator):
    """Remove the data streams. The checkpoints remember it: the next data streams of these names are no surprise."""

    def before(self, due: list[Found], current: Settings, context: Context) -> None:
        documents = RunDocuments.of(context, current.bucket, self.aws_conn_id)
        names = {found.name for found in due}
        removed = [entity for entity in ENTITIES if current.data_stream(entity) in names]
        with bucket_may_be_gone():
            self._tell(documents, current, removed)

    def _tell(self, documents: RunDocuments, current: Settings, removed: Sequence[Entity]) -> None:
        checkpoints = documents.checkpoints(current.user_id)
        told = checkpoints.expecting_others(removed)
        if told != checkpoints:
            write_checkpoints(documents, current, told)
            self.log.info(
                "s3://%s/%s: new data streams are expected", current.bucket, bucket_layout.checkpoints(current.user_id)
            )


class RemoveBrokersOperator(RemoveOperator):
    """Remove what holds the topics: the MSK cluster, or the machine with the broker. The bookmark remembers it: the
    topics of the next one are no surprise."""

    def before(self, due: list[Found], current: Settings, context: Context) -> None:
        gone = {one.identifier for one in due} | {broker_identity(one.identifier, current.kafka.port) for one in due}
        documents = RunDocuments.of(context, current.bucket, self.aws_conn_id)
        with bucket_may_be_gone():
            bookmark = documents.bookmark(current.user_id)
            if bookmark.cluster not in gone or bookmark.cluster_removed:
                return
            documents.write(bucket_layout.bookmark(current.user_id), dump(bookmark.without_cluster()))
            self.log.info(
                "s3://%s/%s: another cluster is expected", current.bucket, bucket_layout.bookmark(current.user_id)
            )


@contextmanager
def bucket_may_be_gone() -> Iterator[None]:
    """Goes on after the bucket turns out not to exist: then nothing is remembered there."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise


class InventoryOperator(TeardownOperator):
    """List all that has our tags or our names, in every service. Fails if anything of ours is left that should not be.

    Returns what is left of ours, by kind and name; with ``dry_run``, what would not be there after a teardown.
    """

    def remove(self, current: Settings, order: Order, context: Context) -> list[str]:
        hook = InventoryHook(current.user_id, current.region, self.aws_conn_id)
        now = datetime.now(UTC)
        found = sorted(hook.found(), key=lambda one: (not one.ours, one.kind, one.name))
        remarks = [(one, order.stays(one, now)) for one in found]
        left = [one for one, stays in remarks if not stays]
        told = [(one, stays or f"left; bills {KINDS[one.kind].bills or 'nothing'}") for one, stays in remarks]
        self.log.info("What %s has in %s, or is named so:\n%s", current.user_id, current.region, table(told))
        names = [f"{one.kind} {one.name}" for one in left]
        if order.dry_run:
            self.log.info("dry_run: %d resources would be removed: %s", len(left), named(names) or "none")
        elif left:
            raise TeardownError(f"{len(left)} resources of ours are left: {named(left)}")
        else:
            self.log.info("Nothing of ours is left%s", " that should not be" if any(one.ours for one in found) else "")
        return names
