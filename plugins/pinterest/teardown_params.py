"""The params of the DAG that removes what the others made."""

from __future__ import annotations

from airflow.sdk import Param

from include.teardown import KEEPABLE

TEARDOWN_PARAMS: dict[str, Param] = {
    "dry_run": Param(
        True,
        type="boolean",
        title="Dry run",
        description="List what is there, whose it is and what would be removed; change nothing.",
    ),
    "keep": Param(
        [],
        type="array",
        items={"type": "string", "enum": list(KEEPABLE)},
        uniqueItems=True,
        examples=list(KEEPABLE),
        title="Keep",
        description=(
            "What stays: rest_api (with its key and its role), s3_sink, data_streams, kafka (the MSK cluster with all "
            "topics), kafka_client (the machine, or the REST proxy and our files on it), network, bucket, databricks "
            "(jobs and code)."
        ),
    ),
    "delete_data_of": Param(
        "",
        type="string",
        pattern=r"^$|^[a-z0-9][a-z0-9.-]{2,62}$",
        title="Delete data of",
        description=(
            "The bucket's name, once more, to delete data for good: the topics, our objects in the bucket with all "
            "their versions, and the lake's tables. Empty to keep them."
        ),
    ),
    "only_expired": Param(
        False,
        type="boolean",
        title="Only expired",
        description="Remove only AWS resources of ours that are past their tag expires_at, and nothing else.",
    ),
}
