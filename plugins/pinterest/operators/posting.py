"""Operators that post a run's rows through the REST API."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator, Context

from include.ledger.entry import Route
from include.posting.emulation import Mark
from include.posting.kafka_sender import KafkaSender
from include.posting.kinesis_sender import KinesisSender
from include.posting.order import PostingOrder
from include.posting.progress import PostingProgress, RefusedRow
from include.posting.run import Posting, Save
from include.posting.sender import ApiSender, RetryPolicy
from include.posting.source_tables import SOURCE_TABLES, SourceTables
from include.settings import ENTITIES, Entity
from pinterest.hooks.api_gateway import ApiGatewayHook
from pinterest.posting_store import PostingStore
from pinterest.run_documents import RunDocuments
from pinterest.source import source_tables

DEFAULT_SENDING = RetryPolicy()
KINESIS_SENDING = RetryPolicy(tries=10)
"""A shard that is throttled for a minute must not end a run."""

CONNECTIONS_A_STREAM = 2
CONNECTIONS_OF_SINGLE_RECORDS = 4
SINGLE_RECORDS_AT_ONCE = 50
KEYS_SHOWN = 10


class PostingOperator(BaseOperator):
    """Post rows of the three source tables to one sink. Returns their outcome by entity.

    The run keeps a progress object in the bucket. A retry of the task, or the same run after clearing, continues from
    it; if a process was killed, at most the requests of the last two seconds are sent again. Whatever the outcome, the
    ledger gets the hops ``source`` and ``api``, and refused rows are stored in full next to the progress.

    :param posts, seed, start, pace, batch_size: what to post, see :class:`~include.posting.order.PostingOrder`
        (templated)
    :param bucket: where progress and ledger are stored (templated)
    :param api_name, stage_name, invoke_url_format: the REST API to look up, see
        :meth:`~pinterest.hooks.api_gateway.ApiGatewayHook.find_invoke_url` (templated)
    :param api_key_parameter: name in Parameter Store of the API's key (templated)
    :param region_name: AWS region of the API and the parameter (templated)
    :param source_conn_id: connection to the MySQL database that holds the tables
    :param sending: how often, and at what intervals, a request is retried
    """

    route: ClassVar[Route]

    template_fields: Sequence[str] = (
        "posts",
        "seed",
        "start",
        "pace",
        "batch_size",
        "bucket",
        "api_name",
        "stage_name",
        "invoke_url_format",
        "api_key_parameter",
        "region_name",
    )

    def __init__(
        self,
        *,
        posts: str | int,
        seed: str | int,
        start: str | int,
        pace: str,
        batch_size: str | int,
        bucket: str,
        api_name: str,
        stage_name: str,
        invoke_url_format: str,
        api_key_parameter: str,
        source_conn_id: str = "pinterest_source",
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        sending: RetryPolicy = DEFAULT_SENDING,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.posts = posts
        self.seed = seed
        self.start = start
        self.pace = pace
        self.batch_size = batch_size
        self.bucket = bucket
        self.api_name = api_name
        self.stage_name = stage_name
        self.invoke_url_format = invoke_url_format
        self.api_key_parameter = api_key_parameter
        self.source_conn_id = source_conn_id
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.sending = sending
        self._stop: threading.Event | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        order = self._order()
        store = PostingStore(RunDocuments.of(context, self.bucket, self.aws_conn_id), self.route)
        progress = store.begin(order)
        self.log.info(
            "Seed %s: draws %s to %s, %s of %s posts made before",
            progress.seed,
            progress.first_draw,
            progress.first_draw + progress.posts - 1,
            progress.next_draw - progress.first_draw,
            progress.posts,
        )
        try:
            if not progress.complete:
                self._post(order, progress, store)
        finally:
            store.write_ledger(progress)
        return {
            entity: one.model_dump(include={"read", "missing", "acknowledged", "refused"})
            for entity, one in progress.entities.items()
        }

    def on_kill(self) -> None:
        if self._stop is not None:
            self._stop.set()

    @abstractmethod
    def _sender(
        self, entity: Entity, order: PostingOrder, *, invoke_url: str, api_key: str, stop: threading.Event
    ) -> ApiSender:
        """One connection to the sink."""

    def _connections(self, order: PostingOrder) -> int:
        """How many connections each entity uses in parallel."""
        return CONNECTIONS_A_STREAM

    def _order(self, **more: Any) -> PostingOrder:
        return PostingOrder.parse(
            posts=self.posts, seed=self.seed, start=self.start, pace=self.pace, batch_size=self.batch_size, **more
        )

    def _rows_at_once(self, order: PostingOrder) -> int:
        """How many rows a sender gets at a time."""
        return order.batch_size

    def _post(self, order: PostingOrder, progress: PostingProgress, store: PostingStore) -> None:
        def save(snapshot: PostingProgress, refused: Sequence[RefusedRow]) -> None:
            store.save(snapshot, refused)
            self.log.info("%s of %s posts made", snapshot.next_draw - snapshot.first_draw, snapshot.posts)
            for row in refused[:10]:
                self.log.warning("%s ind=%s refused: %s %s", row.entity, row.ind, row.code, row.message)

        with source_tables(self.source_conn_id) as source:
            for note in source.check():
                self.log.warning(note)
            try:
                self._post_rows(order, progress, source, save, store.mark(progress.seed))
            finally:
                for entity, keys in source.ambiguous.items():
                    if keys:
                        self._log_ambiguous(entity, keys)

    def _log_ambiguous(self, entity: Entity, keys: set[int]) -> None:
        shown = ", ".join(map(str, sorted(keys)[:KEYS_SHOWN])) + (", …" if len(keys) > KEYS_SHOWN else "")
        self.log.warning(
            "%s holds rows that share a key and differ for %s keys (%s): of each, the one whose JSON sorts last counts",
            SOURCE_TABLES[entity].name,
            len(keys),
            shown,
        )

    def _post_rows(
        self, order: PostingOrder, progress: PostingProgress, source: SourceTables, save: Save, mark: Mark | None
    ) -> None:
        stop = self._stop = threading.Event()
        api = ApiGatewayHook(aws_conn_id=self.aws_conn_id, region_name=self.region_name)
        url = api.find_invoke_url(self.api_name, stage_name=self.stage_name, url_format=self.invoke_url_format)
        key = api.kept_api_key(self.api_key_parameter)
        senders = {
            entity: [
                self._sender(entity, order, invoke_url=url, api_key=key, stop=stop)
                for _ in range(self._connections(order))
            ]
            for entity in ENTITIES
        }
        try:
            posting = Posting(
                progress,
                source=source,
                senders=senders,
                batch_size=self._rows_at_once(order),
                paced=order.pace == "emulated",
                stop=stop,
                mark=mark,
            )
            posting.run(save)
        finally:
            for sender in chain.from_iterable(senders.values()):
                sender.close()


class PostToKafkaOperator(PostingOperator):
    """Post rows to the three Kafka topics, through the REST proxy.

    :param topics: topic by entity (templated)
    """

    route = "batch"
    template_fields = (*PostingOperator.template_fields, "topics")

    def __init__(self, *, topics: Mapping[Entity, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.topics = topics

    def _sender(
        self, entity: Entity, order: PostingOrder, *, invoke_url: str, api_key: str, stop: threading.Event
    ) -> KafkaSender:
        return KafkaSender(
            entity,
            invoke_url=invoke_url,
            topic=self.topics[entity],
            api_key=api_key,
            policy=self.sending,
            stop=stop,
        )


class PostToKinesisOperator(PostingOperator):
    """Put rows into the three Kinesis data streams. The partition key is the post's ``ind``.

    :param data_streams: name of the data stream by entity (templated)
    :param mode: ``record`` or ``records``, see :class:`~include.posting.kinesis_sender.KinesisSender` (templated)
    """

    route = "stream"
    template_fields = (*PostingOperator.template_fields, "data_streams", "mode")

    def __init__(
        self, *, data_streams: Mapping[Entity, str], mode: str, sending: RetryPolicy = KINESIS_SENDING, **kwargs: Any
    ) -> None:
        super().__init__(sending=sending, **kwargs)
        self.data_streams = data_streams
        self.mode = mode

    def _order(self, **more: Any) -> PostingOrder:
        return super()._order(mode=self.mode, **more)

    def _rows_at_once(self, order: PostingOrder) -> int:
        return order.batch_size if order.mode == "records" else min(order.batch_size, SINGLE_RECORDS_AT_ONCE)

    def _connections(self, order: PostingOrder) -> int:
        return super()._connections(order) if order.mode == "records" else CONNECTIONS_OF_SINGLE_RECORDS

    def _sender(
        self, entity: Entity, order: PostingOrder, *, invoke_url: str, api_key: str, stop: threading.Event
    ) -> KinesisSender:
        return KinesisSender(
            entity,
            invoke_url=invoke_url,
            data_stream=self.data_streams[entity],
            api_key=api_key,
            mode=order.mode,
            policy=self.sending,
            stop=stop,
        )
