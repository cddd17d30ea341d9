"""Operators that compare what earlier runs remember with what is there, before anything is posted or loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator, Context

from include import bucket_layout
from include.identity import LOAD_ALL, Difference, refusal
from include.lake.checkpoints import Checkpoints, DataStream
from include.lake.contract import batch_tables, stream_tables
from include.lake.identity import LakeIdentity, only
from include.landing.bookmark import Bookmark
from include.landing.broker import parse_topic_ids
from include.landing.document import dump
from include.settings import ENTITIES, Entity, Settings
from pinterest.hooks.databricks_warehouse import DatabricksWarehouseHook
from pinterest.hooks.kafka_tools import KafkaToolsHook
from pinterest.hooks.kinesis import KinesisStreamHook
from pinterest.hooks.msk_connect import MskConnectHook
from pinterest.operators.kafka_client import KafkaClientOperator
from pinterest.run_documents import RunDocuments
from pinterest.settings import settings
from pinterest.sink_restart import SinkRestart
from pinterest.stream_batches import QueriedBatches

PIPELINE = "pinterest_pipeline"


class TopicIdentityOperator(KafkaClientOperator):
    """Make sure that the topics, and the lake's name, are those that the bookmark is true of.

    A bookmark without identities gets those that are found. With ``load_all``, a bookmark of another lake starts over:
    the next interval begins with the oldest record that the bucket or the topics hold. Topics that were deleted and
    made again start over as well, also without ``load_all`` on a cluster that follows one that a teardown removed. For
    them, the S3 sink is deleted and what it has written of the earlier topics is set
    aside in the bucket; the next sink writes the topics from their beginning. Returns the topics that start over. A
    rerun finds no difference and changes nothing.

    :param on_new_identity: ``fail`` or ``load_all`` (templated)
    :param makes_sink: whether a later task of the DAG makes the S3 sink
    :param owner_tags: tags that a connector of ours has; one of others is not deleted (templated)
    :param restart_script: sets the sink's group to the beginning, or the name of a ``.sh`` template (templated)
    """

    template_fields: Sequence[str] = (
        *KafkaClientOperator.template_fields,
        "on_new_identity",
        "restart_script",
        "owner_tags",
    )

    def __init__(
        self,
        *,
        on_new_identity: str,
        makes_sink: bool = False,
        owner_tags: Mapping[str, str] | None = None,
        script: str = "topics/topic_ids.sh",
        restart_script: str = "s3_sink/restart_group.sh",
        timeout: float = 600,
        **kwargs: Any,
    ) -> None:
        super().__init__(script=script, timeout=timeout, **kwargs)
        self.on_new_identity = on_new_identity
        self.makes_sink = makes_sink
        self.owner_tags = owner_tags or {}
        self.restart_script = restart_script

    def execute(self, context: Context) -> list[str]:
        current = settings()
        documents = RunDocuments.of(context, current.bucket, self.aws_conn_id)
        kafka = KafkaToolsHook(current, self.aws_conn_id)
        topics = (*current.topics.values(), current.dead_letter_topic)
        found = parse_topic_ids(self.run_script(kafka, {"TOPICS": " ".join(topics)}).stdout.splitlines())
        cluster, lake = kafka.brokers["cluster_arn"], lake_of(current)
        bookmark = documents.bookmark(current.user_id)
        expected = self.makes_sink and bookmark.expects(cluster)
        others = [] if expected else bookmark.kafka_differences(cluster, found)
        differences = others + bookmark.lake_differences(lake)
        renewed = bookmark.renewed_topics(found)
        self._allow(differences, renewed)
        if renewed:
            self._restart_sink(current, documents, kafka, bookmark, renewed)
        identified = bookmark.of_topics(cluster, found).in_lake(lake)
        if identified != bookmark:
            documents.write(bucket_layout.bookmark(current.user_id), dump(identified))
        return renewed

    def _allow(self, differences: Sequence[Difference], renewed: Sequence[str]) -> None:
        if differences and (self.on_new_identity != LOAD_ALL or (renewed and not self.makes_sink)):
            raise AirflowFailException(refusal(differences, PIPELINE))
        for difference in differences:
            self.log.warning("%s: what is there is loaded from its beginning", difference)

    def _restart_sink(
        self,
        current: Settings,
        documents: RunDocuments,
        kafka: KafkaToolsHook,
        bookmark: Bookmark,
        renewed: Sequence[str],
    ) -> None:
        written = [topic for topic in current.topics.values() if topic in renewed]
        if not written:
            return
        for topic in written:
            places = bookmark.topics.get(topic, {})
            self.log.warning(
                "%s: set aside; of the topic before, the lake has loaded %s",
                topic,
                ", ".join(f"p{number} to offset {one.next_offset - 1}" for number, one in places.items()) or "nothing",
            )
        connect = MskConnectHook(aws_conn_id=self.aws_conn_id, region_name=current.region)
        found = connect.find_connector(current.connector)
        if found is not None and not connect.has_tags(found["connectorArn"], self.owner_tags):
            raise AirflowFailException(
                f"Connector {current.connector} would have to write its topics again, and this pipeline did not make "
                "it: rename or delete it, or run the DAG with the param replace_connector, too"
            )
        restart = SinkRestart(current, connect, kafka, documents.s3, self.restart_script)
        restart.restart({topic: str(bookmark.topic_id(topic)) for topic in written})


class DataStreamIdentityOperator(BaseOperator):
    """Make sure that the data streams, and the lake's name, are those that the checkpoints are true of.

    Without a record of earlier runs, what is found is recorded. With ``load_all``, a data stream that is another one
    gets a new checkpoint, and all of them do if the lake is another one: everything that the data streams still hold is
    read. Returns the checkpoints' names by entity (``names``) and the Delta ids of the tables, as far as they are known
    (``tables``). A rerun changes nothing.

    :param on_new_identity: ``fail`` or ``load_all`` (templated)
    """

    template_fields: Sequence[str] = ("on_new_identity",)

    def __init__(self, *, on_new_identity: str, aws_conn_id: str | None = "aws_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.on_new_identity = on_new_identity
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        current = settings()
        documents = RunDocuments.of(context, current.bucket, self.aws_conn_id)
        checkpoints, found, lake = documents.checkpoints(current.user_id), self._found(current), lake_of(current)
        differences = checkpoints.differences(found, lake)
        if differences and self.on_new_identity != LOAD_ALL:
            raise AirflowFailException(
                f"{refusal(differences, self.dag_id)} The checkpoints under {current.checkpoints} are of what was "
                "there before; with load_all, new ones are begun beside them."
            )
        occasion = f"{documents.dag_id} {documents.run_id}"
        identified = checkpoints.reading(found, occasion=occasion).in_lake(lake, occasion=occasion)
        for difference in differences:
            self.log.warning("%s: what is there is read from its beginning", difference)
        if identified != checkpoints:
            write_checkpoints(documents, current, identified)
        known = identified.lake.tables if identified.lake else None
        return {"names": identified.names, "tables": known or {}}

    def _found(self, current: Settings) -> dict[Entity, DataStream]:
        hook = KinesisStreamHook(aws_conn_id=self.aws_conn_id, region_name=current.region)
        found: dict[Entity, DataStream] = {}
        for entity in ENTITIES:
            name = current.data_stream(entity)
            summary = hook.find_stream(name)
            if summary is None:
                raise AirflowFailException(
                    f"Kinesis has no data stream {name} in {current.region}: run the DAG {PIPELINE}, which creates it"
                )
            found[entity] = DataStream(
                name=name,
                arn=summary["StreamARN"],
                created_at=summary["StreamCreationTimestamp"].astimezone(UTC).isoformat(timespec="milliseconds"),
            )
        return found


class LakeIdentityOperator(BaseOperator):
    """Make sure that the lake's tables are those that the bookmark and the checkpoints are true of.

    With ``load_all``, both start over if a table was dropped or made again. A rerun changes nothing.

    :param tables: Delta ids by table, as the notebook ``check`` returned them (templated)
    :param on_new_identity: ``fail`` or ``load_all`` (templated)
    """

    template_fields: Sequence[str] = ("tables", "on_new_identity")

    def __init__(
        self,
        *,
        tables: Mapping[str, str] | str,
        on_new_identity: str,
        aws_conn_id: str | None = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.tables = tables
        self.on_new_identity = on_new_identity
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> None:
        current = settings()
        documents = RunDocuments.of(context, current.bucket, self.aws_conn_id)
        tables = json.loads(self.tables) if isinstance(self.tables, str) else dict(self.tables)
        batch = lake_of(current).at(only(tables, batch_tables()))
        stream = lake_of(current).at(only(tables, stream_tables(current.user_id)))
        bookmark, checkpoints = documents.bookmark(current.user_id), documents.checkpoints(current.user_id)
        differences = bookmark.lake_differences(batch) + checkpoints.differences({}, stream)
        if differences and self.on_new_identity != LOAD_ALL:
            raise AirflowFailException(refusal(differences, PIPELINE))
        for difference in differences:
            self.log.warning("%s: everything is loaded again", difference)
        loaded = bookmark.in_lake(batch)
        if loaded != bookmark:
            documents.write(bucket_layout.bookmark(current.user_id), dump(loaded))
        read = checkpoints.in_lake(stream, occasion=f"{documents.dag_id} {documents.run_id}")
        if read != checkpoints:
            write_checkpoints(documents, current, read)


class KeepTablesOperator(BaseOperator):
    """Remember the Delta ids of the tables that the stream's job has written: later runs compare them.

    A job that has ended says them; while it goes on, a SQL warehouse is asked. A rerun changes nothing.

    :param run: what :class:`~pinterest.operators.stream_job.StreamJobOperator` returned (templated)
    """

    template_fields: Sequence[str] = ("run",)

    def __init__(self, *, run: Any, aws_conn_id: str | None = "aws_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run = run
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> None:
        current = settings()
        counts = self.run.get("counts")
        tables = self._ask(current) if counts is None else counts.get("tables") or {}
        documents = RunDocuments.of(context, current.bucket, self.aws_conn_id)
        checkpoints = documents.checkpoints(current.user_id)
        written = lake_of(current).at(only(tables, stream_tables(current.user_id)))
        if checkpoints.lake is None or checkpoints.lake.name != written.name:
            self.log.warning("The checkpoints are of another lake by now")
            return
        known = checkpoints.model_copy(update={"lake": written.completed(checkpoints.lake)})
        if known != checkpoints:
            write_checkpoints(documents, current, known)

    def _ask(self, current: Settings) -> dict[str, str]:
        lake = QueriedBatches(DatabricksWarehouseHook(self.run["conn_id"]), current)
        return lake.table_ids(sorted(stream_tables(current.user_id)))


def lake_of(current: Settings) -> LakeIdentity:
    """The lake by its name, before anybody has looked at its tables."""
    return LakeIdentity(catalog=current.databricks.catalog, schema_name=current.databricks.schema_name)


def write_checkpoints(documents: RunDocuments, current: Settings, checkpoints: Checkpoints) -> None:
    documents.write(bucket_layout.checkpoints(current.user_id), checkpoints.model_dump_json(indent=1))
