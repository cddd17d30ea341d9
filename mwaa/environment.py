"""An environment of Amazon MWAA: what it runs, and how it is told to run something else."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from mwaa.faults import DeployError, Finding
from mwaa.objects import Stored, VersionedBucket

USABLE = {"AVAILABLE", "UPDATE_FAILED"}
"""States in which it runs. After UPDATE_FAILED, it runs what it ran before."""
IN_BETWEEN = {"CREATING", "CREATING_SNAPSHOT", "MAINTENANCE", "PENDING", "ROLLING_BACK", "UPDATING"}
SECONDS_BETWEEN_LOOKS = 15
LONGEST_UPDATE = 90 * 60
FIRST_REGION = "us-east-1"


class Installed(NamedTuple):
    """What MWAA installs from an object: its name in the package, and how the API calls its path and its version."""

    file: str
    api: str

    @property
    def path(self) -> str:
        return f"{self.api}S3Path"

    @property
    def version(self) -> str:
        return f"{self.api}S3ObjectVersion"


INSTALLED = (
    Installed("plugins.zip", "Plugins"),
    Installed("requirements.txt", "Requirements"),
    Installed("startup.sh", "StartupScript"),
)
"""The three for which an environment has to be updated; it takes the DAGs by itself."""


@dataclass(frozen=True)
class Clock:
    """Time, so that tests need not wait."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


REAL = Clock()


class Environment:
    """:param client: of MWAA, in the environment's region
    :param say: gets a line when something takes long
    """

    def __init__(self, client: Any, name: str, *, say: Callable[[str], None] = print, clock: Clock = REAL) -> None:
        self.client = client
        self.name = name
        self.say = say
        self.clock = clock
        self.described: Mapping[str, Any] = self.look()

    def look(self) -> Mapping[str, Any]:
        """Ask MWAA again. Raises DeployError if there is no such environment in the region."""
        try:
            self.described = self.client.get_environment(Name=self.name)["Environment"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            region = self.client.meta.region_name
            raise DeployError(
                f"there is no environment {self.name} in {region}: name it with ENVIRONMENT=…, its region with "
                "AWS_REGION=…, or make one (docs/on-mwaa.md)"
            ) from None
        return self.described

    @property
    def region(self) -> str:
        return str(self.described["Arn"]).split(":")[3]

    @property
    def bucket(self) -> str:
        return str(self.described["SourceBucketArn"]).rpartition(":")[2]

    @property
    def dags(self) -> str:
        """Prefix of the DAGs in the bucket, with a slash at its end."""
        return f"{str(self.described['DagS3Path']).strip('/')}/"

    @property
    def status(self) -> str:
        return str(self.described["Status"])

    @property
    def last_error(self) -> str:
        """What MWAA says of the last update; empty if it went well."""
        update = self.described.get("LastUpdate") or {}
        error = update.get("Error") or {}
        return ": ".join(filter(None, (error.get("ErrorCode"), error.get("ErrorMessage"))))

    def key(self, installed: Installed) -> str:
        """Where in the bucket it is, or belongs if the environment has none yet."""
        return str(self.described.get(installed.path) or installed.file)

    def runs(self, installed: Installed, bucket: VersionedBucket) -> Stored | None:
        """What the environment has installed; None if it was told of none, or the version is gone."""
        version = self.described.get(installed.version)
        return bucket.at(self.key(installed), str(version)) if version else None

    def option(self, name: str) -> str | None:
        """An Airflow configuration option, such as ``secrets.backend``."""
        options: Mapping[str, str] = self.described.get("AirflowConfigurationOptions") or {}
        return options.get(name)

    def refuse_if_busy(self) -> None:
        if self.status not in USABLE:
            wait = "wait until it is AVAILABLE" if self.status in IN_BETWEEN else "see its page in the MWAA console"
            raise DeployError(f"the environment {self.name} is {self.status}: {wait}, then run this again")

    def update(self, wanted: Mapping[Installed, Stored]) -> None:
        """Have it install these versions, and wait until it runs them, 20 to 40 minutes.

        Raises DeployError with MWAA's own error if it does not; the environment then runs what it ran before.
        """
        before = self.described.get("LastUpdate")
        request = {one.path: self.key(one) for one in wanted} | {one.version: wanted[one].version for one in wanted}
        self.client.update_environment(Name=self.name, **request)
        versions = {one.version: wanted[one].version for one in wanted}
        self.say(f"updating {self.name}: {', '.join(one.file for one in wanted)}; this takes 20 to 40 minutes")
        end, last = self.clock.now() + LONGEST_UPDATE, self.status
        while True:
            self.look()
            if self.status != last:
                last = self.status
                self.say(f"  {last}")
            update = self.described.get("LastUpdate") or {}
            ended = self.status not in IN_BETWEEN and update.get("Status") != "PENDING"
            failed = update != before and (self.status != "AVAILABLE" or update.get("Status") == "FAILED")
            if ended and (failed or self.status not in USABLE):
                raise DeployError(self._why())
            if ended and versions.items() <= self.described.items():
                return
            if self.clock.now() > end:
                raise DeployError(
                    f"{self.name} is still {self.status} after {LONGEST_UPDATE // 60} minutes: see its page"
                )
            self.clock.sleep(SECONDS_BETWEEN_LOOKS)

    def _why(self) -> str:
        said = self.last_error or "MWAA says no more"
        return (
            f"the update of {self.name} ended as {self.status}: {said.rstrip('.')}. It runs what it ran before. "
            "If this is of packages, read the log streams requirements_install_* of its scheduler; if of the "
            "network or a permission, look at its subnets and its execution role; then run this again"
        )


def region_of(bucket: VersionedBucket) -> str:
    found = bucket.client.get_bucket_location(Bucket=bucket.name).get("LocationConstraint")
    return {"": FIRST_REGION, "EU": "eu-west-1"}.get(found or "", str(found))


def of_the_bucket(environment: Environment, bucket: VersionedBucket) -> list[Finding]:
    """What keeps MWAA from reading the bucket. It does not say so itself, it just stops."""
    found = []
    if (region := region_of(bucket)) != environment.region:
        found.append(
            Finding(
                f"the bucket {bucket.name} is in {region}, the environment {environment.name} in {environment.region}",
                f"give the environment a bucket in {environment.region}",
            )
        )
    if bucket.client.get_bucket_versioning(Bucket=bucket.name).get("Status") != "Enabled":
        fix = f"aws s3api put-bucket-versioning --bucket {bucket.name} --versioning-configuration Status=Enabled"
        found.append(Finding(f"the bucket {bucket.name} keeps no versions, so nothing could be rolled back", fix))
    if not is_private(bucket):
        fix = (
            f"aws s3api put-public-access-block --bucket {bucket.name} --public-access-block-configuration "
            "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"
        )
        found.append(Finding(f"the bucket {bucket.name} does not block public access; MWAA reads no such bucket", fix))
    return found


def is_private(bucket: VersionedBucket) -> bool:
    try:
        block = bucket.client.get_public_access_block(Bucket=bucket.name)["PublicAccessBlockConfiguration"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchPublicAccessBlockConfiguration":
            raise
        return False
    return len(block) == 4 and all(block.values())
