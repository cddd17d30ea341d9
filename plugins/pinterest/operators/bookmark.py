"""Operator that moves the bookmark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator, Context

from include import bucket_layout
from include.landing.bookmark import Place, advance, dump_bookmark, loaded_bookmark
from include.landing.manifest import Manifest
from pinterest.run_documents import RunDocuments
from pinterest.settings import settings


class AdvanceBookmarkOperator(BaseOperator):
    """Store how far the lake has loaded, so that the next run starts there. The bookmark never moves back.

    :param loaded: the bookmark that the load returned (templated)
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
        letters = {str(n): Place(next_offset=offset) for n, offset in manifest.dead_letters.next_offsets.items()}
        loaded = {**loaded_bookmark(self.loaded), current.dead_letter_topic: letters}
        bookmark = advance(documents.bookmark(current.user_id), loaded)
        documents.write(bucket_layout.bookmark(current.user_id), dump_bookmark(bookmark))
        for topic, places in bookmark.items():
            self.log.info("%s: %s", topic, ", ".join(f"p{p}@{place.next_offset}" for p, place in places.items()))
