"""Operator that replaces a connector that others have made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import Context

from include import bucket_layout
from include.landing.document import dump
from include.settings import Settings
from pinterest.hooks.kafka_tools import KafkaToolsHook
from pinterest.hooks.msk_connect import MskConnectHook
from pinterest.operators.kafka_client import KafkaClientOperator
from pinterest.run_documents import RunDocuments
from pinterest.settings import settings
from pinterest.sink_restart import SinkRestart


class ReplaceConnectorOperator(KafkaClientOperator):
    """If asked to, delete a connector of our name that others have made, and have the next one write the topics again.

    What the connector has written is set aside in the bucket. Returns ``unchanged`` or ``changed: …``. A connector of
    ours is left alone, so a rerun changes nothing. A restart that broke off is finished by the next run of the task.

    :param replace: ``True`` to replace, anything else to do nothing (templated)
    :param owner_tags: tags that a connector of ours has (templated)
    """

    template_fields: Sequence[str] = (*KafkaClientOperator.template_fields, "replace", "owner_tags")

    def __init__(
        self, *, replace: str, owner_tags: Mapping[str, str], script: str = "s3_sink/restart_group.sh", **kwargs: Any
    ) -> None:
        super().__init__(script=script, **kwargs)
        self.replace = replace
        self.owner_tags = owner_tags

    def execute(self, context: Context) -> str:
        current = settings()
        documents = RunDocuments.of(context, current.bucket, self.aws_conn_id)
        connect = MskConnectHook(aws_conn_id=self.aws_conn_id, region_name=current.region)
        key = bucket_layout.sink_restart(current.user_id)
        begun = documents.read(key)
        topics = json.loads(begun) if begun else self._to_replace(current, connect)
        if not topics:
            return "unchanged"
        documents.write(key, json.dumps(topics))
        self._running = KafkaToolsHook(current, self.aws_conn_id)
        moved = SinkRestart(current, connect, self._running, documents.s3, self.script).restart(topics)
        bookmark = documents.bookmark(current.user_id)
        documents.write(bucket_layout.bookmark(current.user_id), dump(bookmark.without_objects(topics)))
        documents.delete(key)
        return f"changed: deleted {current.connector}, set aside {moved} objects"

    def _to_replace(self, current: Settings, connect: MskConnectHook) -> dict[str, str]:
        """What is to be set aside, by topic; nothing if there is no connector of others, or it is to stay."""
        found = connect.find_connector(current.connector) if str(self.replace) == "True" else None
        if found is None or connect.has_tags(found["connectorArn"], self.owner_tags):
            return {}
        digest = hashlib.sha256(str(found["connectorArn"]).encode()).hexdigest()[:12]
        return dict.fromkeys(current.topics.values(), f"{current.connector}-{digest}")
