"""What other runs have posted, by the progress that they left in the bucket."""

from __future__ import annotations

from include import bucket_layout
from include.ledger.entry import Route
from include.posting.progress import PostingProgress, ProgressError
from pinterest.run_documents import RunDocuments

MOST_READ = 50


def other_runs(documents: RunDocuments, route: Route) -> dict[str, PostingProgress]:
    """The progress of the runs that were the last to post on a route, newest first, by ``run <id> of <DAG>``.

    For messages only: it reads at most ``MOST_READ`` documents, and passes over what is not one.
    """
    pages = documents.s3.get_paginator("list_objects_v2").paginate(Bucket=documents.bucket, Prefix="posting/")
    listed = [item for page in pages for item in page.get("Contents", [])]
    own = bucket_layout.posting_progress(documents.dag_id, documents.run_id, route)
    keys = [
        item["Key"]
        for item in sorted(listed, key=lambda item: item["LastModified"], reverse=True)
        if item["Key"].count("/") == 2 and item["Key"].endswith(".json") and item["Key"] != own
    ]
    found: dict[str, PostingProgress] = {}
    for key in [key for key in keys if key.endswith(".stream.json") == (route == "stream")][:MOST_READ]:
        try:
            progress = PostingProgress.parse((documents.read(key) or b"").decode(), source=key)
        except ProgressError:
            continue
        found[f"run {progress.run_id} of {progress.dag_id}"] = progress
    return found
