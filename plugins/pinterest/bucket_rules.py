"""The lifecycle rules of a bucket, which S3 takes only as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from include.aws.s3_lifecycle import Rule, with_ours

NO_RULES = ("NoSuchLifecycleConfiguration", "NoSuchBucket")
DENIED = "AccessDenied"
FOR_ALL_RULES = "TransitionDefaultMinimumObjectSize"


class BucketRules:
    """Reads and writes them, and passes on those of others as they are.

    :param s3: a boto3 client
    """

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def change(self, days: int | None, *, dry_run: bool = False) -> tuple[Sequence[Rule], Sequence[Rule]]:
        """Have ours delete the documents of a run after so many days; without days there are none of ours.

        Returns the rules before and after. A role that may not look has made none, so that is an error only with days.
        """
        found = self._read(may_be_denied=days is None)
        before = found["Rules"]
        rules = with_ours(before, days)
        if rules != before and not dry_run:
            if rules:
                of_all = {name: found[name] for name in (FOR_ALL_RULES,) if name in found}
                self._s3.put_bucket_lifecycle_configuration(
                    Bucket=self._bucket, LifecycleConfiguration={"Rules": [*rules]}, **of_all
                )
            else:
                self._s3.delete_bucket_lifecycle(Bucket=self._bucket)
        return before, rules

    def _read(self, *, may_be_denied: bool) -> Mapping[str, Any]:
        try:
            return dict(self._s3.get_bucket_lifecycle_configuration(Bucket=self._bucket))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == NO_RULES[0] or (may_be_denied and code in (DENIED, *NO_RULES)):
                return {"Rules": []}
            raise
