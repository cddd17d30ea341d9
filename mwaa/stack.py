"""The stack of ``environment.yaml``: made, and removed again.

What is removed is only the stack. Its bucket, the log groups that MWAA makes and the secrets stay, and are listed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from mwaa.faults import DeployError
from mwaa.template import TEMPLATE

EVERY_HALF_MINUTE = {"Delay": 30, "MaxAttempts": 180}
OF_AWS_ITSELF = {"nat_gateway"}
VERSIONS_AT_ONCE = 1000
SECRETS = "pinterest/"


@dataclass(frozen=True)
class Stack:
    """:param clients: makes a boto3 client of a service, in the stack's region"""

    clients: Callable[[str], Any]
    name: str
    say: Callable[[str], None] = print
    pause: Mapping[str, int] | None = None

    def make(self, parameters: Mapping[str, str]) -> None:
        """Create the stack, or update it, and wait: 30 to 40 minutes for a new one. Parameters left out stay.

        Raises DeployError with CloudFormation's reasons if it fails.
        """
        there = self._described()
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        known = [
            one["ParameterKey"] for one in (there or {}).get("Parameters", ()) if one["ParameterKey"] not in parameters
        ]
        request = {
            "StackName": self.name,
            "TemplateBody": TEMPLATE.read_text(encoding="utf-8"),
            "Parameters": given + [{"ParameterKey": key, "UsePreviousValue": True} for key in sorted(known)],
            "Capabilities": ["CAPABILITY_IAM"],
        }
        if there is None:
            self.say(f"making the stack {self.name}; this takes 30 to 40 minutes")
            self.clients("cloudformation").create_stack(**request)
            self._wait("stack_create_complete")
        elif self._update(request):
            self._wait("stack_update_complete")
        for key, value in self.outputs().items():
            self.say(f"  {key}: {value}")

    def _update(self, request: Mapping[str, Any]) -> bool:
        try:
            self.clients("cloudformation").update_stack(**request)
        except ClientError as error:
            if "No updates are to be performed" not in error.response["Error"]["Message"]:
                raise
            self.say(f"the stack {self.name} is as it should be")
            return False
        self.say(f"updating the stack {self.name}")
        return True

    def destroy(self, delete_bucket: str | None = None) -> None:
        """Delete the stack, wait, and say what is left.

        Raises DeployError before anything is deleted if others use its network, or the bucket has another name.

        :param delete_bucket: the bucket's name, to delete it, too, with every version of every object
        """
        if self._described() is None:
            raise DeployError(f"there is no stack {self.name} in {self._region}: name it with STACK=…, or AWS_REGION=…")
        outputs = self.outputs()
        bucket = outputs["BucketName"]
        if delete_bucket not in (None, bucket):
            raise DeployError(f"the stack's bucket is {bucket}, not {delete_bucket}: nothing was deleted")
        if others := list(self._others(outputs)):
            raise DeployError(
                f"the network of {self.name} is used by others: {'; '.join(others)}. What the pipeline made, the DAG "
                "pinterest_teardown removes: run it first. Nothing was deleted"
            )
        self.say(f"deleting the stack {self.name}; this takes about 20 minutes")
        self.clients("cloudformation").delete_stack(StackName=self.name)
        self._wait("stack_delete_complete")
        if delete_bucket:
            self._delete_bucket(bucket)
        for line in self._left(outputs, bucket_is_deleted=bool(delete_bucket)):
            self.say(line)

    def outputs(self) -> dict[str, str]:
        found = self._described() or {}
        return {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", ())}

    def _others(self, outputs: Mapping[str, str]) -> Iterator[str]:
        """What would keep CloudFormation from deleting the network, half an hour later."""
        ec2, own = self.clients("ec2"), outputs["AirflowSecurityGroup"]
        here = [{"Name": "vpc-id", "Values": [outputs["VpcId"]]}]
        for one in pages(ec2, "describe_network_interfaces", "NetworkInterfaces", Filters=here):
            groups = {group["GroupId"] for group in one.get("Groups", ())}
            if own not in groups and one.get("InterfaceType") not in OF_AWS_ITSELF:
                what = one.get("Description") or (one.get("Attachment") or {}).get("InstanceId") or "no description"
                yield f"network interface {one['NetworkInterfaceId']} ({what})"
        for one in pages(ec2, "describe_security_groups", "SecurityGroups", Filters=here):
            if one["GroupId"] != own and one["GroupName"] != "default":
                yield f"security group {one['GroupName']}"

    def _left(self, outputs: Mapping[str, str], *, bucket_is_deleted: bool) -> Iterator[str]:
        bucket, environment = outputs["BucketName"], outputs["EnvironmentName"]
        if not bucket_is_deleted:
            kept = sum(1 for _ in versions(self.clients("s3"), bucket))
            yield f"left: the bucket {bucket}, with {kept} versions of objects"
            yield f"      to delete it, with all of them: make destroy DELETE_BUCKET={bucket}"
        groups = pages(
            self.clients("logs"), "describe_log_groups", "logGroups", logGroupNamePrefix=f"airflow-{environment}-"
        )
        for one in groups:
            yield f"left: the log group {one['logGroupName']} (aws logs delete-log-group --log-group-name …)"
        wanted = [{"Key": "name", "Values": [SECRETS]}]
        for one in pages(self.clients("secretsmanager"), "list_secrets", "SecretList", Filters=wanted):
            yield f"left: the secret {one['Name']} (aws secretsmanager delete-secret --secret-id …)"

    def delete_bucket_that_is_left(self, name: str) -> None:
        """Delete a bucket that an earlier call has left, with every version of every object.

        Raises DeployError for a bucket that no stack of ours has made.
        """
        tags = {one["Key"]: one["Value"] for one in self.clients("s3").get_bucket_tagging(Bucket=name)["TagSet"]}
        if tags.get("aws:cloudformation:stack-name") != self.name:
            raise DeployError(f"the bucket {name} was not made by the stack {self.name}: nothing was deleted")
        self._delete_bucket(name)

    def _delete_bucket(self, name: str) -> None:
        s3 = self.clients("s3")
        known = list(versions(s3, name))
        for first in range(0, len(known), VERSIONS_AT_ONCE):
            some = {"Objects": known[first : first + VERSIONS_AT_ONCE], "Quiet": True}
            if errors := s3.delete_objects(Bucket=name, Delete=some).get("Errors"):
                raise DeployError(f"{errors[0]['Key']} in {name} cannot be deleted: {errors[0].get('Message')}")
        s3.delete_bucket(Bucket=name)
        self.say(f"deleted the bucket {name}, with {len(known)} versions of objects")

    def _described(self) -> Mapping[str, Any] | None:
        try:
            found: Mapping[str, Any] = self.clients("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" not in error.response["Error"]["Message"]:
                raise
            return None
        return found

    def _wait(self, for_what: str) -> None:
        try:
            waiter = self.clients("cloudformation").get_waiter(for_what)
            waiter.wait(StackName=self.name, WaiterConfig={**(self.pause or EVERY_HALF_MINUTE)})
        except WaiterError:
            raise DeployError(f"the stack {self.name} failed:\n{self._why()}") from None

    def _why(self) -> str:
        """The reasons that CloudFormation gives, the first one last in time first."""
        events = self.clients("cloudformation").describe_stack_events(StackName=self.name)["StackEvents"]
        failed = [one for one in events if one.get("ResourceStatus", "").endswith("_FAILED")]
        return "\n".join(f"  {one['LogicalResourceId']}: {one.get('ResourceStatusReason')}" for one in reversed(failed))

    @property
    def _region(self) -> str:
        return str(self.clients("cloudformation").meta.region_name)


def pages(client: Any, operation: str, key: str, **request: Any) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator(operation).paginate(**request):
        yield from page.get(key, ())


def versions(s3: Any, bucket: str) -> Iterator[dict[str, str]]:
    """Every version and every marker of a deletion, as ``delete_objects`` takes them."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            yield {"Key": one["Key"], "VersionId": one["VersionId"]}
