"""Operators that remove what the pipeline has on Databricks and in the bucket."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import batched
from typing import Any

from airflow.providers.common.compat.sdk import Context
from botocore.exceptions import ClientError

from include import bucket_layout
from include.lake.contract import all_tables
from include.settings import Settings
from include.teardown import Order, TeardownError, named
from pinterest.bucket_rules import BucketRules
from pinterest.hooks.aws import S3Hook
from pinterest.hooks.databricks_jobs import DatabricksJobsHook
from pinterest.hooks.databricks_warehouse import DatabricksWarehouseHook, SqlError
from pinterest.hooks.databricks_workspace import DatabricksWorkspaceHook
from pinterest.operators.identity import lake_of, write_checkpoints
from pinterest.operators.teardown import RemoveOperator, TeardownOperator, bucket_may_be_gone
from pinterest.run_documents import RunDocuments
from pinterest.stream_batches import ID_IN_DETAIL, NO_TABLE

BUNDLE = re.compile(r"[0-9a-f]{12}")
"""Name of a folder of code that we uploaded: the hash of its content."""

PER_REQUEST = 1000


class RemoveJobsOperator(TeardownOperator):
    """Cancel the running runs of our jobs on Databricks and delete the jobs: those whose names begin with the user id.

    Jobs carry no ``expires_at``, so ``only_expired`` leaves them.
    """

    def __init__(self, *, databricks_conn_id: str = "databricks_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.databricks_conn_id = databricks_conn_id

    def remove(self, current: Settings, order: Order, context: Context) -> list[str]:
        if order.only_expired:
            return []
        hook = DatabricksJobsHook(self.databricks_conn_id)
        jobs = [job for job in hook.list_jobs() if job["settings"]["name"].startswith(f"{current.user_id}.")]
        for job in jobs:
            what = f"job {job['settings']['name']} ({job['job_id']})"
            runs = [run["run_id"] for run in hook.active_runs(job["job_id"])]
            ran = f", canceled: {named(runs)}" if runs else ""
            if order.dry_run:
                self.log.info("would be removed: %s%s", what, ran)
                continue
            hook.remove_job(job["job_id"])
            self.log.info("removed: %s%s", what, ran)
        if not jobs:
            self.log.info("unchanged: no job of ours is there")
        return [f"job {job['settings']['name']}" for job in jobs]


class RemoveCodeOperator(TeardownOperator):
    """Delete the code that was uploaded to the workspace, and its folder if nothing else is in it.

    Code that a job of others runs is left and listed.
    """

    def __init__(self, *, databricks_conn_id: str = "databricks_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.databricks_conn_id = databricks_conn_id

    def remove(self, current: Settings, order: Order, context: Context) -> list[str]:
        if order.only_expired:
            return []
        hook = DatabricksWorkspaceHook(self.databricks_conn_id)
        root = current.databricks.folder
        there = hook.children(root)
        ours = sorted(path for path in there if BUNDLE.fullmatch(path.rpartition("/")[2]))
        used = self._used(current) if ours else {}
        due = [path for path in ours if path not in used]
        for path in ours:
            if path in used:
                self.log.info("kept: %s, which the job %s runs", path, used[path])
            elif order.dry_run:
                self.log.info("would be removed: %s", path)
            else:
                hook.delete(path, recursive=True)
                self.log.info("removed: %s", path)
        if due and not order.dry_run and not hook.children(root):
            hook.delete(root)
        if not due:
            self.log.info("unchanged: no code of ours is there")
        return due

    def _used(self, current: Settings) -> dict[str, str]:
        """Folders of code that jobs of others run, with the job's name."""
        jobs = DatabricksJobsHook(self.databricks_conn_id).list_jobs(expand_tasks=True)
        return {
            path.rpartition("/")[0]: job["settings"]["name"]
            for job in jobs
            if not job["settings"]["name"].startswith(f"{current.user_id}.")
            for task in job["settings"].get("tasks", [])
            for path in [task.get("notebook_task", {}).get("notebook_path", "")]
        }


class RemoveTablesOperator(TeardownOperator):
    """Drop the lake's tables, if data is to be deleted. The schema stays.

    A table that has another Delta id than the one that earlier runs remember under its name is left and listed. Those
    that no run remembers one by one (posts, gold, quarantine) go if any run remembers this lake.
    """

    def __init__(self, *, databricks_conn_id: str = "databricks_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.databricks_conn_id = databricks_conn_id

    def remove(self, current: Settings, order: Order, context: Context) -> list[str]:
        lake = lake_of(current).name
        if not order.delete_data:
            self.log.info("kept: the tables of %s hold data, which only delete_data_of deletes", lake)
            return []
        remembered = self._remembered(current, context)
        if remembered is None:
            self.log.info("unchanged: no run remembers the lake %s", lake)
            return []
        hook = DatabricksWarehouseHook(self.databricks_conn_id)
        dropped = []
        for table in sorted(all_tables(current.user_id)):
            name = f"{lake}.`{table}`"
            found = self._query(hook, current, f"DESCRIBE DETAIL {name}")
            if not found:
                continue
            if remembered.get(table, found[0][ID_IN_DETAIL]) != found[0][ID_IN_DETAIL]:
                self.log.info("kept: table %s.%s is not the one that earlier runs wrote", lake, table)
                continue
            if not order.dry_run:
                self._query(hook, current, f"DROP TABLE IF EXISTS {name}")
            dropped.append(f"table {lake}.{table}")
        self.log.info("%s: %s", "would be removed" if order.dry_run else "removed", named(dropped) or "nothing")
        return dropped

    def _remembered(self, current: Settings, context: Context) -> dict[str, str] | None:
        """Delta ids by table, as the bookmark and the checkpoints have them; None if neither knows this lake."""
        documents = RunDocuments.of(context, current.bucket, self.aws_conn_id)
        memories = []
        with bucket_may_be_gone():
            memories = [documents.bookmark(current.user_id).lake, documents.checkpoints(current.user_id).lake]
        known = [lake.tables or {} for lake in memories if lake and lake.name == lake_of(current).name]
        return {table: identity for tables in known for table, identity in tables.items()} if known else None

    def _query(self, hook: DatabricksWarehouseHook, current: Settings, statement: str) -> list[list[str | None]]:
        try:
            return hook.query(statement, warehouse_id=current.databricks.warehouse_id)
        except SqlError as error:
            if any(name in str(error) for name in NO_TABLE):
                return []
            raise


class RemoveObjectsOperator(TeardownOperator):
    """Delete our objects in the bucket with all their versions, if data is to be deleted. Those of others stay.

    Where the checkpoints are not in the bucket, the document about them stays: it has the next data streams read with
    new checkpoints.
    """

    def remove(self, current: Settings, order: Order, context: Context) -> list[str]:
        prefixes = bucket_layout.prefixes(current.user_id, current.topics.values(), current.checkpoint_folder)
        if not order.delete_data:
            self.log.info("kept: the objects of s3://%s are data, which only delete_data_of deletes", current.bucket)
            return []
        s3 = S3Hook(aws_conn_id=self.aws_conn_id).get_conn()
        document = bucket_layout.checkpoints(current.user_id)
        kept = set() if current.checkpoint_folder else {document}
        removed = []
        try:
            for prefix in prefixes:
                versions = [one for one in self._versions(s3, current.bucket, prefix) if one["Key"] not in kept]
                if versions and not order.dry_run:
                    self._delete(s3, current.bucket, versions)
                removed += [f"{len(versions)} versions under s3://{current.bucket}/{prefix}"] if versions else []
            if kept and not order.dry_run:
                self._forget_lake(current, context)
            listed = s3.list_objects_v2(Bucket=current.bucket, MaxKeys=5).get("Contents", [])
            others = sorted(one["Key"] for one in listed if one["Key"] not in kept)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucket":
                raise
            self.log.info("unchanged: there is no bucket %s", current.bucket)
            return []
        if others and not order.dry_run:
            self.log.info("kept: objects of others, such as %s", named(others))
        self.log.info("%s: %s", "would be removed" if order.dry_run else "removed", named(removed) or "nothing")
        return removed

    def _versions(self, s3: Any, bucket: str, prefix: str) -> Iterator[dict[str, str]]:
        """Versions and the markers of deleted objects, as DeleteObjects takes them."""
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
            for one in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
                yield {"Key": one["Key"], "VersionId": one["VersionId"]}

    def _delete(self, s3: Any, bucket: str, versions: list[dict[str, str]]) -> None:
        for batch in batched(versions, PER_REQUEST):
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": list(batch), "Quiet": True})
            if errors := answer.get("Errors"):
                raise TeardownError(
                    f"{len(errors)} objects of s3://{bucket} were not deleted, the first one {errors[0].get('Key')}: "
                    f"{errors[0].get('Code')} {errors[0].get('Message', '')}"
                )

    def _forget_lake(self, current: Settings, context: Context) -> None:
        documents = RunDocuments.of(context, current.bucket, self.aws_conn_id)
        checkpoints = documents.checkpoints(current.user_id)
        if checkpoints != checkpoints.without_lake():
            write_checkpoints(documents, current, checkpoints.without_lake())


class RemoveBucketOperator(RemoveOperator):
    """Delete the bucket, if it has our tags and data is to be deleted. One that holds objects of others cannot go, and
    one that holds the document about checkpoints stays."""

    def remove(self, current: Settings, order: Order, context: Context) -> list[str]:
        if not order.delete_data or order.keeps_bucket:
            return []
        return super().remove(current, order, context)


class RemoveLifecycleOperator(TeardownOperator):
    """Take our lifecycle rules from the bucket. Those of others stay."""

    def remove(self, current: Settings, order: Order, context: Context) -> list[str]:
        if order.only_expired:
            return []
        rules = BucketRules(S3Hook(aws_conn_id=self.aws_conn_id).get_conn(), current.bucket)
        before, after = rules.change(None, dry_run=order.dry_run)
        ours = [str(rule["ID"]) for rule in before if rule not in after]
        self.log.info("%s: %s", "would be removed" if order.dry_run else "removed", named(ours) or "nothing")
        return [f"lifecycle rule {name}" for name in ours]
