"""Operator that replaces a connector that others have made."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import Context

from pinterest.hooks.kafka_tools import KafkaToolsHook
from pinterest.hooks.msk_connect import MskConnectHook
from pinterest.operators.kafka_client import KafkaClientOperator
from pinterest.run_documents import RunDocuments
from pinterest.settings import settings
from pinterest.sink_restart import SinkRestart


class ReplaceConnectorOperator(KafkaClientOperator):
    """If asked to, delete a connector of our name that others have made, and have the next one write the topics again.

    What the connector has written is set aside in the bucket. Returns ``unchanged`` or ``changed: …``. A connector of
    ours is left alone, so a rerun changes nothing.

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
        if str(self.replace) != "True":
            return "unchanged"
        current = settings()
        connect = MskConnectHook(aws_conn_id=self.aws_conn_id, region_name=current.region)
        found = connect.find_connector(current.connector)
        if found is None or connect.has_tags(found["connectorArn"], self.owner_tags):
            return "unchanged"
        documents = RunDocuments.of(context, current.bucket, self.aws_conn_id)
        self._running = KafkaToolsHook(current, self.aws_conn_id)
        restart = SinkRestart(current, connect, self._running, documents.s3, self.script)
        digest = hashlib.sha256(str(found["connectorArn"]).encode()).hexdigest()[:12]
        moved = restart.restart([*current.topics.values()], label=f"{current.connector}-{digest}")
        return f"changed: deleted {current.connector}, set aside {moved} objects"
