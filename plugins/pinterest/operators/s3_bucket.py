"""The operator for the bucket."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.common.compat.sdk import Context
from botocore.exceptions import ClientError

from include.aws.ownership import is_ours
from include.aws.policies import holds_statements, with_statements
from include.aws.s3_bucket import ENCRYPTION, NO_PUBLIC_ACCESS, VERSIONING, create_request, is_encrypted, tls_only
from include.faults import LastingError
from pinterest.hooks.aws import S3Hook

NOTHING_SET = {
    "NoSuchBucketPolicy",
    "NoSuchPublicAccessBlockConfiguration",
    "NoSuchTagSet",
    "ServerSideEncryptionConfigurationNotFoundError",
}
NOT_FOUND = {"404", "NoSuchBucket"}
FORBIDDEN = {"403", "AccessDenied"}


class BucketError(LastingError, RuntimeError):
    """The bucket is somebody else's, is in another region, or is missing."""


class Protection(NamedTuple):
    """One setting of a bucket: what it is called, whether the bucket has it, and the call that sets it."""

    name: str
    is_set: bool
    put: Callable[[], Any]


class S3BucketOperator(AwsBaseOperator[S3Hook]):
    """Find or make the bucket: private, encrypted, reached by TLS only, and with the earlier versions of its objects.

    Returns what was changed. A bucket of ours gets what it lacks, and its policy keeps the statements of others; for a
    bucket that others made, what it lacks is named in the log. A name that belongs to another account fails the task. A
    rerun changes nothing.

    :param bucket: name of the bucket (templated)
    :param account_id: id of the account that has to own it (templated)
    :param provision: ``True`` to make it if it is missing; with anything else that fails the task (templated)
    :param tags: tags of a bucket that is made; ``user_id`` says whose (templated)
    """

    aws_hook_class = S3Hook
    template_fields: Sequence[str] = aws_template_fields("bucket", "account_id", "provision", "tags")
    template_fields_renderers: ClassVar[dict[str, str]] = {"tags": "json"}

    def __init__(self, *, bucket: str, account_id: str, provision: str, tags: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bucket = bucket
        self.account_id = account_id
        self.provision = provision
        self.tags = tags

    def execute(self, context: Context) -> list[str]:
        may_make = str(self.provision) == "True"
        changes = [] if self._exists() else [self._create(may_make)]
        if not may_make:
            return changes
        lacking = [one for one in self._protections() if not one.is_set]
        if lacking and not self._is_ours():
            names = ", ".join(one.name for one in lacking)
            self.log.warning("s3://%s was made by others, and is not: %s", self.bucket, names)
            return changes
        for one in lacking:
            one.put()
            changes.append(one.name)
        self.log.info("s3://%s: %s", self.bucket, ", ".join(changes) or "unchanged")
        return changes

    @property
    def _s3(self) -> Any:
        return self.hook.conn

    @property
    def _region(self) -> str:
        return str(self.hook.conn_region_name)

    def _exists(self) -> bool:
        try:
            found = self._s3.head_bucket(Bucket=self.bucket, ExpectedBucketOwner=self.account_id)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in NOT_FOUND:
                return False
            if code in FORBIDDEN:
                raise BucketError(
                    f"s3://{self.bucket} belongs to another account than {self.account_id}, or Airflow's role may not "
                    "list it (s3:ListBucket). The name follows from user_id: if it is taken, choose another user_id"
                ) from None
            raise
        region = found.get("BucketRegion", self._region)
        if region != self._region:
            raise BucketError(f"s3://{self.bucket} is in {region}, and the setting region is {self._region!r}")
        return True

    def _create(self, may_make: bool) -> str:
        if not may_make:
            raise BucketError(f"s3://{self.bucket} does not exist: make it, or set account.provision to have it made")
        try:
            self._s3.create_bucket(**create_request(self.bucket, self._region, self.tags))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "BucketAlreadyOwnedByYou":
                return "made by another run"
            if code == "BucketAlreadyExists":
                raise BucketError(
                    f"s3://{self.bucket} belongs to another account: names of buckets are shared by all accounts, and "
                    "this one follows from user_id. Choose another user_id"
                ) from error
            raise
        return "made"

    def _is_ours(self) -> bool:
        return is_ours(self._get("get_bucket_tagging").get("TagSet"), self.tags["user_id"])

    def _protections(self) -> list[Protection]:
        where = {"Bucket": self.bucket, "ExpectedBucketOwner": self.account_id}
        access = self._get("get_public_access_block").get("PublicAccessBlockConfiguration", {})
        encryption = self._get("get_bucket_encryption").get("ServerSideEncryptionConfiguration", {})
        versioning = self._get("get_bucket_versioning").get("Status")
        policy = json.loads(self._get("get_bucket_policy").get("Policy") or "{}")
        wanted = tls_only(self.bucket)
        return [
            Protection(
                "without public access",
                access == NO_PUBLIC_ACCESS,
                lambda: self._s3.put_public_access_block(**where, PublicAccessBlockConfiguration=NO_PUBLIC_ACCESS),
            ),
            Protection(
                "encrypted",
                is_encrypted(encryption),
                lambda: self._s3.put_bucket_encryption(**where, ServerSideEncryptionConfiguration=ENCRYPTION),
            ),
            Protection(
                "versioned",
                versioning == VERSIONING["Status"],
                lambda: self._s3.put_bucket_versioning(**where, VersioningConfiguration=VERSIONING),
            ),
            Protection(
                "by TLS only",
                holds_statements(policy, wanted),
                lambda: self._s3.put_bucket_policy(**where, Policy=json.dumps(with_statements(policy, wanted))),
            ),
        ]

    def _get(self, operation: str) -> dict[str, Any]:
        """What is set; nothing if nothing is."""
        try:
            return dict(getattr(self._s3, operation)(Bucket=self.bucket, ExpectedBucketOwner=self.account_id))
        except ClientError as error:
            if error.response["Error"]["Code"] not in NOTHING_SET:
                raise
            return {}
