"""Elastic Load Balancing beyond ministack's: Network Load Balancers, whose target is the client machine.

- A Network Load Balancer has the ARN of one, the VPC of its subnets and their zones, and says whether its security
  groups are asked about traffic of VPC links.
- ``DescribeTargetHealth`` says what is so: whether the target's port takes connections, and why none are tried.
- A load balancer is not deleted while a VPC link leads to it, and its listeners go with it; a target group is not
  deleted while a listener leads to it. A target group that is not there is an error.
- ``changed`` is called after every change, so that the gateway stand-in reads what leads where anew.

Known differences: a load balancer is active at once, and a target healthy as soon as its port takes a connection; every
instance is this machine (``lab.cloud.ssh_host``).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import closing
from types import ModuleType
from typing import Any

type Request = Mapping[str, Any]
type Answer = tuple[int, dict[str, str], bytes]
type Handler = Callable[[Request], Answer]

HOST = "127.0.0.1"
CHANGES = ("Create", "Delete", "Register", "Deregister", "Modify", "Set")
ENFORCE = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"
CONNECT_SECONDS = 1.0


class LoadBalancers:
    """Replaces some of ministack's handlers.

    :param service: ministack's module for load balancers
    :param ec2: its module for EC2
    :param links_to: how many VPC links lead to a load balancer
    :param changed: called after every change
    """

    def __init__(
        self, service: ModuleType, ec2: ModuleType, links_to: Callable[[str], int], changed: Callable[[], None]
    ) -> None:
        self.service = service
        self.ec2 = ec2
        self.links_to = links_to
        self.changed = changed
        self.known: dict[str, Handler] = dict(service._ACTION_MAP)
        self.load_balancer_xml: Callable[[Mapping[str, Any]], str] = service._lb_xml

    def install(self) -> None:
        """ministack looks a handler up on every call."""
        vars(self.service)["_lb_xml"] = self.described
        handlers = {
            "CreateLoadBalancer": self.create,
            "DeleteLoadBalancer": self.delete,
            "SetSecurityGroups": self.set_security_groups,
            "DescribeTargetGroups": self.describe_target_groups,
            "DeleteTargetGroup": self.delete_target_group,
            "DescribeTargetHealth": self.target_health,
        }
        for operation, known in self.known.items():
            handler = handlers.get(operation, known)
            changes = operation.startswith(CHANGES)
            self.service._ACTION_MAP[operation] = self.noted(handler) if changes else handler

    def noted(self, handler: Handler) -> Handler:
        def handle(request: Request) -> Answer:
            answer = handler(request)
            self.changed()
            return answer

        return handle

    def create(self, request: Request) -> Answer:
        before = set(self.service._lbs)
        answer = self.known["CreateLoadBalancer"](request)
        for arn in set(self.service._lbs) - before:
            if self.service._lbs[arn]["Type"] == "network":
                return self.as_network(arn)
        return answer

    def as_network(self, arn: str) -> Answer:
        """ministack makes every load balancer one for applications."""
        mine = arn.replace(":loadbalancer/app/", ":loadbalancer/net/")
        for store in (self.service._lbs, self.service._tags, self.service._lb_attrs):
            store[mine] = store.pop(arn)
        balancer = self.service._lbs[mine]
        zones = [self.ec2._subnets[name] for name in balancer["Subnets"] if name in self.ec2._subnets]
        balancer |= {"LoadBalancerArn": mine, "VpcId": zones[0]["VpcId"] if zones else ""}
        made = self.described({**balancer, "State": "provisioning"})
        return self.answer("CreateLoadBalancer", f"<LoadBalancers>{made}</LoadBalancers>")

    def described(self, balancer: Mapping[str, Any]) -> str:
        enforce = f"<{ENFORCE}>{balancer[ENFORCE]}</{ENFORCE}>" if ENFORCE in balancer else ""
        return self.load_balancer_xml(balancer).removesuffix("</member>") + enforce + "</member>"

    def set_security_groups(self, request: Request) -> Answer:
        answer = self.known["SetSecurityGroups"](request)
        balancer = self.service._lbs.get(self.text(request, "LoadBalancerArn"))
        if balancer is not None and (enforce := self.text(request, ENFORCE)):
            balancer[ENFORCE] = enforce
        return answer

    def delete(self, request: Request) -> Answer:
        arn = self.text(request, "LoadBalancerArn")
        if arn in self.service._lbs and self.links_to(arn):
            why = "cannot be deleted because it is currently associated with another service"
            return self.refused("ResourceInUse", f"Load balancer '{arn}' {why}")
        for listener, found in list(self.service._listeners.items()):
            if found["LoadBalancerArn"] == arn:
                self.known["DeleteListener"]({"ListenerArn": [listener]})
        for group in self.service._tgs.values():
            group["LoadBalancerArns"] = [one for one in group["LoadBalancerArns"] if one != arn]
        return self.known["DeleteLoadBalancer"](request)

    def describe_target_groups(self, request: Request) -> Answer:
        names = self.service._parse_member_list(request, "Names")
        if names and not any(group["TargetGroupName"] in names for group in self.service._tgs.values()):
            return self.refused("TargetGroupNotFound", "One or more target groups not found")
        return self.known["DescribeTargetGroups"](request)

    def delete_target_group(self, request: Request) -> Answer:
        arn = self.text(request, "TargetGroupArn")
        if self.service._tgs.get(arn, {}).get("LoadBalancerArns"):
            return self.refused("ResourceInUse", f"Target group '{arn}' is currently in use by a listener or a rule")
        return self.known["DeleteTargetGroup"](request)

    def target_health(self, request: Request) -> Answer:
        arn = self.text(request, "TargetGroupArn")
        if arn not in self.service._tgs:
            return self.refused("TargetGroupNotFound", f"Target group '{arn}' not found.")
        group = self.service._tgs[arn]
        members = "".join(
            f"<member><Target><Id>{target['Id']}</Id><Port>{port}</Port></Target>"
            f"<TargetHealth>{self.health(group, target['Id'], int(port))}</TargetHealth></member>"
            for target in self.service._targets.get(arn, [])
            for port in [target.get("Port", group["Port"])]
        )
        described = f"<TargetHealthDescriptions>{members}</TargetHealthDescriptions>"
        return self.answer("DescribeTargetHealth", described)

    def health(self, group: Mapping[str, Any], instance_id: str, port: int) -> str:
        state = self.ec2._instances.get(instance_id, {}).get("State", {}).get("Name")
        if state != "running":
            return unhealthy("unused", "Target.InvalidState", "Target is in the stopped or terminated state")
        if not group["LoadBalancerArns"]:
            why = "Target group is not configured to receive traffic from the load balancer"
            return unhealthy("unused", "Target.NotInUse", why)
        if not takes_connections(port):
            return unhealthy("unhealthy", "Target.FailedHealthChecks", "Health checks failed")
        return "<State>healthy</State>"

    def text(self, request: Request, name: str) -> str:
        return str(self.service._p(request, name))

    def answer(self, action: str, inner: str) -> Answer:
        answer: Answer = self.service._xml(200, action, inner)
        return answer

    def refused(self, code: str, message: str) -> Answer:
        answer: Answer = self.service._error(code, message, 400)
        return answer


def unhealthy(state: str, reason: str, description: str) -> str:
    return f"<State>{state}</State><Reason>{reason}</Reason><Description>{description}</Description>"


def takes_connections(port: int) -> bool:
    with closing(socket.socket()) as connection:
        connection.settimeout(CONNECT_SECONDS)
        return connection.connect_ex((HOST, port)) == 0
