"""Operators for the network of the client machine: the VPC, its security groups and its way to S3."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.common.compat.sdk import Context
from botocore.exceptions import ClientError

from include.aws.network import (
    DESCRIPTIONS,
    Rule,
    endpoint_service,
    missing_rules,
    other_rules,
    permissions,
    wanted_rules,
)
from include.aws.ownership import as_pairs, is_ours
from pinterest.hooks.ec2 import Described, Ec2AccountHook


class NetworkOperator(AwsBaseOperator[Ec2AccountHook]):
    """Base of the operators that look after the network. They do nothing unless ``provision`` is ``True`` (templated).

    :param provision: ``True`` to make what is missing; with anything else, the network is left to others (templated)
    """

    aws_hook_class = Ec2AccountHook
    template_fields: Sequence[str] = aws_template_fields("provision")

    def __init__(self, *, provision: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.provision = provision

    def execute(self, context: Context) -> Any:
        if str(self.provision) != "True":
            self.log.info("account.provision is off: the network is left as it is")
            return None
        return self.provide()

    def provide(self) -> Any:
        raise NotImplementedError


class FindVpcOperator(NetworkOperator):
    """Find the VPC: by id, else by the tag ``project``, else the default one. Returns its id, or None.

    :param vpc_id: the VPC's id; may be empty (templated)
    """

    template_fields: Sequence[str] = (*NetworkOperator.template_fields, "vpc_id")

    def __init__(self, *, vpc_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.vpc_id = vpc_id

    def provide(self) -> str:
        vpc = self.hook.find_vpc(self.vpc_id or None)
        self.log.info("VPC %s (%s)", vpc["VpcId"], vpc.get("CidrBlock"))
        return str(vpc["VpcId"])


class SecurityGroupsOperator(NetworkOperator):
    """Find or make the security groups, and let in who has to get in. Returns the groups' ids by part, or None.

    A group of ours gets the rules that it lacks. Rules that others added are named in the log and stay; a group that
    others made is not changed. A rerun changes nothing.

    :param vpc_id: the VPC (templated)
    :param names: name of each group, by its part in :data:`~include.aws.network.DESCRIPTIONS` (templated)
    :param ssh_from: who may reach the client machine's port 22: blocks of addresses and groups, as JSON (templated)
    :param proxy_port: the REST proxy's port (templated)
    :param broker_port: the brokers' port (templated)
    :param own_broker: ``True`` if the client machine is the broker (templated)
    :param tags: tags of what is made; ``user_id`` says whose (templated)
    """

    template_fields: Sequence[str] = (
        *NetworkOperator.template_fields,
        "vpc_id", "names", "ssh_from", "proxy_port", "broker_port", "own_broker", "tags",
    )  # fmt: skip
    template_fields_renderers: ClassVar[dict[str, str]] = {"names": "json", "ssh_from": "json", "tags": "json"}

    def __init__(
        self,
        *,
        vpc_id: str,
        names: Mapping[str, str],
        ssh_from: str,
        proxy_port: str,
        broker_port: str,
        tags: Mapping[str, str],
        own_broker: str = "False",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.own_broker = own_broker
        self.vpc_id = vpc_id
        self.names = names
        self.ssh_from = ssh_from
        self.proxy_port = proxy_port
        self.broker_port = broker_port
        self.tags = tags

    def provide(self) -> dict[str, str]:
        found = self._found()
        groups = {part: found.get(name) or self._create(part) for part, name in self.names.items()}
        ids = {part: str(group["GroupId"]) for part, group in groups.items()}
        rules = wanted_rules(
            ids,
            ssh_from=json.loads(self.ssh_from),
            proxy_port=int(self.proxy_port),
            broker_port=int(self.broker_port),
            own_broker=str(self.own_broker) == "True",
        )
        for part, wanted in rules.items():
            self._correct(groups[part], wanted)
        return ids

    def _found(self) -> dict[str, Described]:
        return self.hook.security_groups(self.vpc_id, list(self.names.values()))

    def _create(self, part: str) -> Described:
        name = self.names[part]
        try:
            made = self.hook.conn.create_security_group(
                GroupName=name,
                Description=DESCRIPTIONS[part],
                VpcId=self.vpc_id,
                TagSpecifications=[{"ResourceType": "security-group", "Tags": as_pairs(self.tags)}],
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "InvalidGroup.Duplicate":
                raise
            self.log.info("Security group %s was made by another run in the meantime: adopted", name)
            return self._found()[name]
        self.hook.conn.get_waiter("security_group_exists").wait(GroupIds=[made["GroupId"]])
        self.log.info("Security group %s made: %s", name, made["GroupId"])
        return {"GroupName": name, "GroupId": made["GroupId"], "Tags": as_pairs(self.tags)}

    def _correct(self, group: Described, wanted: Sequence[Rule]) -> None:
        name, found = f"Security group {group['GroupName']} ({group['GroupId']})", group.get("IpPermissions", [])
        missing, others = missing_rules(wanted, found), other_rules(wanted, found)
        if others:
            self.log.warning("%s also lets in, by a rule of others: %s", name, "; ".join(others))
        if missing and not is_ours(group.get("Tags"), self.tags["user_id"]):
            self.log.warning("%s was made by others and lacks: %s", name, "; ".join(map(str, missing)))
            return
        for rule in missing:
            self._allow(group["GroupId"], rule)
            self.log.info("%s: %s", name, rule)
        if not missing:
            self.log.info("%s: unchanged", name)

    def _allow(self, group_id: str, rule: Rule) -> None:
        try:
            self.hook.conn.authorize_security_group_ingress(GroupId=group_id, IpPermissions=permissions([rule]))
        except ClientError as error:  # another run did
            if error.response["Error"]["Code"] != "InvalidPermission.Duplicate":
                raise


class S3EndpointOperator(NetworkOperator):
    """Find or make the VPC's gateway endpoint for S3, which costs nothing. Returns its id, or None.

    An endpoint of ours is in all route tables of the VPC; of one that others made, the tables that lack it are named in
    the log. A rerun changes nothing.

    :param vpc_id: the VPC (templated)
    :param tags: tags of what is made; ``user_id`` says whose (templated)
    """

    template_fields: Sequence[str] = (*NetworkOperator.template_fields, "vpc_id", "tags")
    template_fields_renderers: ClassVar[dict[str, str]] = {"tags": "json"}

    def __init__(self, *, vpc_id: str, tags: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.vpc_id = vpc_id
        self.tags = tags

    def provide(self) -> str:
        region = str(self.hook.conn_region_name)
        tables = sorted(table["RouteTableId"] for table in self.hook.route_tables(self.vpc_id))
        found = self.hook.find_s3_endpoint(self.vpc_id, region)
        if found is None:
            made = self.hook.conn.create_vpc_endpoint(
                VpcEndpointType="Gateway",
                VpcId=self.vpc_id,
                ServiceName=endpoint_service(region),
                RouteTableIds=tables,
                TagSpecifications=[{"ResourceType": "vpc-endpoint", "Tags": as_pairs(self.tags)}],
            )["VpcEndpoint"]
            self.log.info("Endpoint %s made, in %d route tables", made["VpcEndpointId"], len(tables))
            return str(made["VpcEndpointId"])
        self._correct(found, sorted({*tables} - {*found.get("RouteTableIds", [])}))
        return str(found["VpcEndpointId"])

    def _correct(self, found: Described, missing: Sequence[str]) -> None:
        endpoint_id = found["VpcEndpointId"]
        if not missing:
            self.log.info("Endpoint %s exists: unchanged", endpoint_id)
        elif is_ours(found.get("Tags"), self.tags["user_id"]):
            self.hook.conn.modify_vpc_endpoint(VpcEndpointId=endpoint_id, AddRouteTableIds=[*missing])
            self.log.info("Endpoint %s added to the route tables %s", endpoint_id, ", ".join(missing))
        else:
            self.log.warning("Endpoint %s was made by others and is not in %s", endpoint_id, ", ".join(missing))
