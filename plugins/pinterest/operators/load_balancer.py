"""Operators for the internal Network Load Balancer that leads from a VPC link to the REST proxy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.amazon.aws.utils.waiter_with_logging import wait
from airflow.providers.common.compat.sdk import AirflowException, Context, conf
from botocore.exceptions import ClientError

from include.aws.load_balancer import (
    CROSS_ZONE,
    forward,
    listener_request,
    load_balancer_request,
    target_group_request,
    zone_subnets,
)
from include.aws.ownership import is_ours
from include.faults import LastingError
from pinterest.hooks.ec2 import Ec2AccountHook
from pinterest.hooks.load_balancer import LOAD_BALANCER_STATUS, Described, LoadBalancerHook
from pinterest.operators.deferral import how_to_wait
from pinterest.operators.ec2 import code_of, undone
from pinterest.triggers.vpc_link import LoadBalancerActiveTrigger

VPC_LINK = "vpc_link"
UNENFORCED = "off"


class LoadBalancerError(LastingError, RuntimeError):
    """What has our name was made by others and cannot be used, or is for another network."""


class LoadBalancerPartOperator(AwsBaseOperator[LoadBalancerHook]):
    """Base of the operators for the load balancer. Unless ``exposure`` is ``vpc_link``, they do nothing and return an
    empty text.

    :param exposure: how API Gateway reaches the REST proxy (templated)
    :param tags: tags of what is made; ``user_id`` says whose (templated)
    """

    aws_hook_class = LoadBalancerHook
    template_fields: Sequence[str] = aws_template_fields("exposure", "tags")
    template_fields_renderers: ClassVar[dict[str, str]] = {"tags": "json"}

    def __init__(self, *, exposure: str, tags: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.exposure = exposure
        self.tags = tags

    def execute(self, context: Context) -> str:
        if self.exposure != VPC_LINK:
            self.log.info("rest_proxy.exposure is %s: no load balancer is needed", self.exposure)
            return ""
        return self.provide()

    def provide(self) -> str:
        raise NotImplementedError

    def _machine(self, instance_id: str) -> Described:
        """The client machine, as EC2 describes it."""
        [reservation] = self._ec2.conn.describe_instances(InstanceIds=[instance_id])["Reservations"]
        return dict(reservation["Instances"][0])

    @property
    def _ec2(self) -> Ec2AccountHook:
        return Ec2AccountHook(aws_conn_id=self.aws_conn_id, region_name=self.region_name)

    def _is_ours(self, arn: str) -> bool:
        return is_ours(self.hook.tags(arn), self.tags["user_id"])


class TargetGroupOperator(LoadBalancerPartOperator):
    """Find or make the target group, and have the client machine be its target. Returns its ARN, or an empty text.

    The target is the instance, not an address. Of a group of ours, other targets are taken out: instances that came
    before. A rerun changes nothing.

    :param group_name: the target group's name (templated)
    :param instance_id: the client machine's instance (templated)
    :param port: the REST proxy's port (templated)
    """

    template_fields: Sequence[str] = (*LoadBalancerPartOperator.template_fields, "group_name", "instance_id", "port")

    def __init__(self, *, group_name: str, instance_id: str, port: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.group_name = group_name
        self.instance_id = instance_id
        self.port = port

    def provide(self) -> str:
        vpc_id = str(self._machine(self.instance_id)["VpcId"])
        group = self.hook.find_target_group(self.group_name) or self._create(vpc_id)
        arn = str(group["TargetGroupArn"])
        if (group.get("VpcId"), group.get("TargetType")) != (vpc_id, "instance"):
            raise LoadBalancerError(
                f"Target group {self.group_name} is for targets of type {group.get('TargetType')} in "
                f"{group.get('VpcId')}, and the client machine is an instance in {vpc_id}: delete the group and its "
                "load balancer (pinterest_teardown does so if they are ours), and run this again"
            )
        self._register(arn)
        return arn

    def _create(self, vpc_id: str) -> Described:
        try:
            made = self.hook.conn.create_target_group(
                **target_group_request(self.group_name, vpc_id, int(self.port), self.tags)
            )["TargetGroups"][0]
        except ClientError as error:
            found = self.hook.find_target_group(self.group_name)
            if code_of(error) != "DuplicateTargetGroupName" or found is None:
                raise
            self.log.info("Target group %s was made by another run in the meantime: adopted", self.group_name)
            return found
        self.log.info("Target group %s made", self.group_name)
        return dict(made)

    def _register(self, group: str) -> None:
        wanted = {"Id": self.instance_id, "Port": int(self.port)}
        there = [target["Target"] for target in self.hook.targets(group)]
        found = [{"Id": target["Id"], "Port": target.get("Port")} for target in there]
        others = [target for target in found if target != wanted]
        if wanted not in found:
            self.hook.conn.register_targets(TargetGroupArn=group, Targets=[wanted])
            self.log.info("Port %s of %s registered with %s", self.port, self.instance_id, self.group_name)
        else:
            self.log.info("Port %s of %s is registered with %s", self.port, self.instance_id, self.group_name)
        if not others:
            return
        named = ", ".join(f"port {target['Port']} of {target['Id']}" for target in others)
        if self._is_ours(group):
            self.hook.conn.deregister_targets(TargetGroupArn=group, Targets=others)
            self.log.info("Taken out of %s: %s", self.group_name, named)
        else:
            self.log.warning("%s was made by others and gets requests, too: %s", self.group_name, named)


class LoadBalancerOperator(LoadBalancerPartOperator):
    """Find or make the internal Network Load Balancer, and wait until it is active. Returns its ARN, or an empty text.

    It is in every zone of the client machine's VPC. Nobody in the VPC can use it: its security group lets nobody in,
    and is not asked about what comes through a VPC link. One that others made is adopted if it is an internal Network
    Load Balancer, and is not changed. One that was made here and does not become active is deleted.

    :param load_balancer_name: its name (templated)
    :param instance_id: the client machine's instance (templated)
    :param security_group: its security group; may be empty, and cannot be added later (templated)
    :param deferrable: wait in the triggerer; AWS takes two to five minutes
    :param waiter_delay: seconds between two checks
    :param waiter_max_attempts: checks before the task fails
    """

    template_fields: Sequence[str] = (
        *LoadBalancerPartOperator.template_fields, "load_balancer_name", "instance_id", "security_group"
    )  # fmt: skip

    def __init__(
        self,
        *,
        load_balancer_name: str,
        instance_id: str,
        security_group: str,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        waiter_delay: int = 5,
        waiter_max_attempts: int = 120,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.load_balancer_name = load_balancer_name
        self.instance_id = instance_id
        self.security_group = security_group
        self.deferrable = deferrable
        self.waiter_delay = waiter_delay
        self.waiter_max_attempts = waiter_max_attempts
        self._made: str | None = None

    def provide(self) -> str:
        found = self.hook.find_load_balancer(self.load_balancer_name) or self._create()
        arn = str(found["LoadBalancerArn"])
        with self._deleted_on_failure(arn):
            if (found.get("Type"), found.get("Scheme")) != ("network", "internal"):
                raise LoadBalancerError(
                    f"Load balancer {self.load_balancer_name} is {found.get('Scheme')} and of type "
                    f"{found.get('Type')}, and a VPC link needs an internal one of type network: delete or rename it"
                )
            if found["State"]["Code"] != "active":
                self._wait_until_active(arn)
                return self._corrected(arn)
            self._correct(found)
        return arn

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> str:
        if event is None:
            raise AirflowException(f"Load balancer {self.load_balancer_name}: the trigger ended without an event")
        arn = str(event["load_balancer"]["arn"])
        self._made = arn if event["load_balancer"]["made"] else None
        with self._deleted_on_failure(arn):
            if event["status"] != "success":
                raise AirflowException(str(event["message"]))
            return self._corrected(arn)

    def on_kill(self) -> None:
        if self._made is not None:
            self.hook.conn.delete_load_balancer(LoadBalancerArn=self._made)

    def _deleted_on_failure(self, arn: str) -> contextlib.AbstractContextManager[None]:
        if self._made is None:
            return contextlib.nullcontext()
        return undone(self, "load balancer", arn, lambda: self.hook.conn.delete_load_balancer(LoadBalancerArn=arn))

    def _create(self) -> Described:
        machine = self._machine(self.instance_id)
        subnets = zone_subnets(self._ec2.subnets(machine["VpcId"]), machine["SubnetId"])
        try:
            made = self.hook.conn.create_load_balancer(
                **load_balancer_request(self.load_balancer_name, subnets, self.security_group, self.tags)
            )["LoadBalancers"][0]
        except ClientError as error:
            found = self.hook.find_load_balancer(self.load_balancer_name)
            if code_of(error) != "DuplicateLoadBalancerName" or found is None:
                raise
            self.log.info("Load balancer %s was made by another run in the meantime: adopted", self.load_balancer_name)
            return found
        self._made = str(made["LoadBalancerArn"])
        self.log.info("Load balancer %s made in %s", self.load_balancer_name, ", ".join(subnets))
        if not self.security_group:
            self.log.warning(
                "Load balancer %s has no security group, so everyone in %s can use it",
                self.load_balancer_name,
                machine["VpcId"],
            )
        return dict(made)

    def _corrected(self, arn: str) -> str:
        self._correct(self.hook.conn.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0])
        return arn

    def _correct(self, found: Described) -> None:
        """Give it what it cannot be given when it is made."""
        arn, name = str(found["LoadBalancerArn"]), self.load_balancer_name
        changes = self._changes(arn, found)
        if not changes:
            self.log.info("Load balancer %s (%s): unchanged", name, found["State"]["Code"])
        elif arn == self._made or self._is_ours(arn):
            for change in changes.values():
                change()
            self.log.info("Load balancer %s: %s", name, "; ".join(changes))
        else:
            self.log.warning("Load balancer %s was made by others. It lacks: %s", name, "; ".join(changes))

    def _changes(self, arn: str, found: Described) -> dict[str, Callable[[], Any]]:
        """Calls to make, by what is so afterwards."""
        changes: dict[str, Callable[[], Any]] = {}
        groups = found.get("SecurityGroups", [])
        wanted = [*groups, *([self.security_group] if self.security_group not in ("", *groups) else [])]
        enforced = found.get("EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic") != UNENFORCED
        if groups and (enforced or wanted != groups):
            changes["only VPC links get in"] = partial(
                self.hook.conn.set_security_groups,
                LoadBalancerArn=arn,
                SecurityGroups=wanted,
                EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic=UNENFORCED,
            )
        if self.hook.attributes(arn).get(CROSS_ZONE) != "true":
            changes["every zone leads to the client machine"] = partial(
                self.hook.conn.modify_load_balancer_attributes,
                LoadBalancerArn=arn,
                Attributes=[{"Key": CROSS_ZONE, "Value": "true"}],
            )
        return changes

    def _wait_until_active(self, arn: str) -> None:
        if self.deferrable:
            self.defer(
                trigger=LoadBalancerActiveTrigger(
                    arn=arn,
                    made=self._made is not None,
                    **how_to_wait(self),
                ),
                method_name="execute_complete",
            )
        wait(
            waiter=self.hook.get_waiter("load_balancer_active"),
            waiter_delay=self.waiter_delay,
            waiter_max_attempts=self.waiter_max_attempts,
            args={"LoadBalancerArns": [arn]},
            failure_message=f"Load balancer {self.load_balancer_name} does not become active",
            status_message=f"Load balancer {self.load_balancer_name}",
            status_args=LOAD_BALANCER_STATUS,
        )


class ListenerOperator(LoadBalancerPartOperator):
    """Have the load balancer's port lead to the target group. Returns the listener's ARN, or an empty text.

    A listener that leads elsewhere is corrected if the load balancer is ours. A rerun changes nothing.

    :param load_balancer: the load balancer's ARN (templated)
    :param target_group: the target group's ARN (templated)
    :param port: the port of both (templated)
    """

    template_fields: Sequence[str] = (
        *LoadBalancerPartOperator.template_fields, "load_balancer", "target_group", "port"
    )  # fmt: skip

    def __init__(self, *, load_balancer: str, target_group: str, port: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.load_balancer = load_balancer
        self.target_group = target_group
        self.port = port

    def provide(self) -> str:
        found = self.hook.find_listener(self.load_balancer, int(self.port)) or self._create()
        arn, leads_to = str(found["ListenerArn"]), [one.get("TargetGroupArn") for one in found["DefaultActions"]]
        if leads_to != [self.target_group]:
            if not self._is_ours(self.load_balancer):
                raise LoadBalancerError(
                    f"Port {self.port} of {self.load_balancer} was made by others and leads to "
                    f"{', '.join(map(str, leads_to))}: have it lead to {self.target_group}"
                )
            self.hook.conn.modify_listener(ListenerArn=arn, DefaultActions=forward(self.target_group))
            self.log.info("Port %s leads to %s, and no longer to %s", self.port, self.target_group, leads_to)
        else:
            self.log.info("Port %s leads to %s", self.port, self.target_group)
        return arn

    def _create(self) -> Described:
        request = listener_request(self.load_balancer, self.target_group, int(self.port), self.tags)
        try:
            return dict(self.hook.conn.create_listener(**request)["Listeners"][0])
        except ClientError as error:
            found = self.hook.find_listener(self.load_balancer, int(self.port))
            if code_of(error) != "DuplicateListener" or found is None:
                raise
            return found
