"""EC2: the network, the key pair and the client machine, found by id, name or tag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from include.aws.instance import ALIVE
from include.aws.network import endpoint_service
from include.aws.ownership import PROJECT
from include.faults import LastingError
from pinterest.hooks.aws import EC2Hook

type Described = dict[str, Any]

INSTANCE_STATUS = [
    "InstanceStatuses[0].InstanceState.Name",
    "InstanceStatuses[0].InstanceStatus.Status",
    "InstanceStatuses[0].SystemStatus.Status",
]


class Ec2AccountError(LastingError, RuntimeError):
    """What the settings name is not in the account, or is there more than once."""


class Ec2AccountHook(EC2Hook):
    """The amazon provider's hook with ``boto3.client("ec2")``, finders, and waiters of ours (``waiters/ec2.json``)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["api_type"] = "client_type"
        super().__init__(*args, **kwargs)

    @property
    def waiter_path(self) -> Path:
        return Path(__file__).parents[1] / "waiters" / "ec2.json"

    def find_vpc(self, vpc_id: str | None) -> Described:
        """The VPC with this id; else the one of the project, by its tag; else the default one."""
        if vpc_id:
            try:
                return dict(self.conn.describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0])
            except ClientError as error:
                if error.response["Error"]["Code"] != "InvalidVpcID.NotFound":
                    raise
            raise Ec2AccountError(f"network.vpc_id {vpc_id!r}: there is no such VPC in {self.conn_region_name}")
        for filters in ([_filter("tag:project", PROJECT)], [_filter("is-default", "true")]):
            vpcs = self.conn.describe_vpcs(Filters=filters)["Vpcs"]
            if len(vpcs) > 1:
                ids = ", ".join(sorted(vpc["VpcId"] for vpc in vpcs))
                raise Ec2AccountError(f"{len(vpcs)} VPCs have the tag project={PROJECT}: {ids}; set network.vpc_id")
            if vpcs:
                return dict(vpcs[0])
        raise Ec2AccountError(
            f"{self.conn_region_name} has no default VPC, and none with the tag project={PROJECT}: set network.vpc_id, "
            "or make a default VPC (aws ec2 create-default-vpc)"
        )

    def subnets(self, vpc_id: str) -> list[Described]:
        return self._all("describe_subnets", "Subnets", vpc_id)

    def route_tables(self, vpc_id: str) -> list[Described]:
        return self._all("describe_route_tables", "RouteTables", vpc_id)

    def security_groups(self, vpc_id: str, names: Sequence[str]) -> dict[str, Described]:
        """Security groups of a VPC, by name; those that are not there are missing."""
        found = self._all("describe_security_groups", "SecurityGroups", vpc_id, _filter("group-name", *names))
        return {group["GroupName"]: group for group in found}

    def find_s3_endpoint(self, vpc_id: str, region: str) -> Described | None:
        """The VPC's gateway endpoint for S3, or None."""
        service = [_filter("service-name", endpoint_service(region)), _filter("vpc-endpoint-type", "Gateway")]
        found = self._all("describe_vpc_endpoints", "VpcEndpoints", vpc_id, *service)
        return next((one for one in found if one.get("State", "").lower() not in ("deleting", "deleted")), None)

    def zones_with(self, instance_type: str) -> set[str]:
        """Availability zones of the region that have an instance type."""
        pages = self.conn.get_paginator("describe_instance_type_offerings").paginate(
            LocationType="availability-zone", Filters=[_filter("instance-type", instance_type)]
        )
        return {offer["Location"] for page in pages for offer in page["InstanceTypeOfferings"]}

    def find_key_pair(self, name: str) -> Described | None:
        try:
            return dict(self.conn.describe_key_pairs(KeyNames=[name])["KeyPairs"][0])
        except ClientError as error:
            if error.response["Error"]["Code"] != "InvalidKeyPair.NotFound":
                raise
            return None

    def find_client_machine(self, user_id: str) -> Described | None:
        """The instance with the tag ``Name=<user_id>`` that runs, or can be started; None if there is none."""
        found = self._instances(_filter("tag:Name", user_id), _filter("instance-state-name", *ALIVE))
        if len(found) > 1:
            ids = ", ".join(sorted(f"{one['InstanceId']} ({one['State']['Name']})" for one in found))
            raise Ec2AccountError(f"{len(found)} instances have the tag Name={user_id}: {ids}. Terminate all but one")
        return found[0] if found else None

    def launched_with(self, token: str) -> list[Described]:
        """Instances that were launched with this client token, and are there or can be started."""
        return self._instances(_filter("client-token", token), _filter("instance-state-name", *ALIVE))

    def console(self, instance_id: str, *, latest: bool) -> str:
        """What an instance has printed; see :func:`console_request`."""
        return str(self.conn.get_console_output(**console_request(instance_id, latest)).get("Output", ""))

    def _instances(self, *filters: Mapping[str, Any]) -> list[Described]:
        pages = self.conn.get_paginator("describe_instances").paginate(Filters=[*filters])
        return [i for page in pages for reservation in page["Reservations"] for i in reservation["Instances"]]

    def _all(self, operation: str, key: str, vpc_id: str, *filters: Mapping[str, Any]) -> list[Described]:
        pages = self.conn.get_paginator(operation).paginate(Filters=[_filter("vpc-id", vpc_id), *filters])
        return [one for page in pages for one in page[key]]


def console_request(instance_id: str, latest: bool) -> dict[str, Any]:
    """The arguments of ``GetConsoleOutput``. Only types of the Nitro system show the latest output, others what they
    had printed some minutes after their last start."""
    return {"InstanceId": instance_id, **({"Latest": True} if latest else {})}


def _filter(name: str, *values: str) -> dict[str, Any]:
    return {"Name": name, "Values": [*values]}
