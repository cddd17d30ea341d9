"""Operator that moves the bookmark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator, Context

from include import bucket_layout
from include.lake.contract import batch_tables
from include.lake.identity import only
from include.landing.bookmark import Place, loaded_places
from include.landing.document import dump
from include.landing.manifest import Manifest
from pinterest.run_documents import RunDocuments
from pinterest.settings import settings


class AdvanceBookmarkOperator(BaseOperator):
    """Store how far the lake has loaded, so that the next run starts there. The bookmark never moves back.

    A topic that was made again, or a lake that was changed, since the run began does not move it either.

    :param loaded: the bookmark and the tables' Delta ids, as the load returned them (templated)
    """

    template_fields: Sequence[str] = ("loaded",)

    def __init__(self, *, loaded: Any, aws_conn_id: str | None = "aws_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.loaded = loaded
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> None:
        current = settings()
        documents = RunDocuments.of(context, current.bucket, self.aws_conn_id)
        manifest = Manifest.model_validate_json(
            documents.require(bucket_layout.manifest(documents.dag_id, documents.run_id), "landing.objects")
        )
        before = documents.bookmark(current.user_id)
        if before.lake and manifest.lake and before.lake.name != manifest.lake.name:
            self.log.warning("The bookmark is now of the lake %s: this run does not move it", before.lake.name)
            return
        letters = {str(n): Place(next_offset=offset) for n, offset in manifest.dead_letters.next_offsets.items()}
        loaded = {**loaded_places(self.loaded["bookmark"]), current.dead_letter_topic: letters}
        read = {one.topic: one.topic_id for one in documents.require_interval().topics.values()}
        read[current.dead_letter_topic] = manifest.dead_letters.topic_id
        for topic, topic_id in read.items():
            if topic_id not in (None, before.topic_id(topic)):
                self.log.warning("%s was made again since this run began: it does not move its bookmark", topic)
                loaded.pop(topic, None)
        bookmark = before.advanced(loaded, only(self.loaded["tables"], batch_tables()))
        documents.write(bucket_layout.bookmark(current.user_id), dump(bookmark))
        for topic, places in bookmark.topics.items():
            self.log.info("%s: %s", topic, ", ".join(f"p{p}@{place.next_offset}" for p, place in places.items()))
