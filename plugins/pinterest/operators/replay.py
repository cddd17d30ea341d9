"""Operators of a replay: what its notebook counted, and what of the bucket is loaded again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator, Context

from include import bucket_layout
from include.lake.contract import SILVER, silver_table
from include.lake.identity import only
from include.lake.replay_counts import replay_entries, replayed, told
from include.landing.document import dump
from pinterest.operators.identity import lake_of
from pinterest.run_documents import RunDocuments
from pinterest.settings import settings


def is_true(text: str) -> bool:
    """What a template such as ``{{ params.dry_run }}`` was rendered to."""
    return text == "True"


class ReplayCountsOperator(BaseOperator):
    """Log what the replay did, or would do, and write the hops of its ledger unless it was a dry run.

    Tables of silver that were made again get their new Delta ids into the bookmark: the next run compares them. Returns
    the counts by entity. A rerun writes the same.

    :param counted: what the notebook exited with (templated)
    """

    template_fields: Sequence[str] = ("counted",)

    def __init__(self, *, counted: Any, aws_conn_id: str | None = "aws_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.counted = counted
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, dict[str, int]]:
        self.log.info("\n%s", "\n".join(told(self.counted)))
        if not self.counted["replay"]["dry_run"]:
            documents = RunDocuments.of(context, settings().bucket, self.aws_conn_id)
            for hop, entries in replay_entries(documents.run_id, self.counted).items():
                documents.write_entries(hop, entries, route="replay")
            if self.counted["replay"]["what"] == SILVER:
                self._keep_tables(documents)
        return {
            entity: {name: count for name, count in of.items() if isinstance(count, int)}
            for entity, of in replayed(self.counted).items()
        }

    def _keep_tables(self, documents: RunDocuments) -> None:
        current = settings()
        bookmark = documents.bookmark(current.user_id)
        if bookmark.lake is None or bookmark.lake.name != lake_of(current).name:
            return
        names = {silver_table(entity) for entity in self.counted["replay"]["entities"]}
        tables: Mapping[str, str] = only(self.counted["lake"]["tables"], names)
        known = bookmark.advanced({}, tables)
        if known != bookmark:
            documents.write(bucket_layout.bookmark(current.user_id), dump(known))
