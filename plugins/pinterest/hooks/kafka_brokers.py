"""Where the brokers are: on MSK, or on the client machine."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from include.aws.msk import broker_subnets
from include.settings import Settings
from pinterest.hooks.ec2 import Ec2AccountHook
from pinterest.hooks.kafka_client import KafkaClientHook, KafkaClientSetupError
from pinterest.hooks.msk import Brokers, MskHook

ZONES = 3
"""In how many zones the S3 sink's workers may be."""


def find_brokers(settings: Settings, aws_conn_id: str | None = "aws_default") -> Brokers:
    """The brokers that the settings name, for clients of ``kafka.authentication``."""
    if settings.kafka.mode == "self_hosted":
        return SelfHostedBroker(settings, aws_conn_id).brokers()
    msk = MskHook(aws_conn_id=aws_conn_id, region_name=settings.region)
    return msk.brokers(settings.kafka.cluster_name, settings.kafka.authentication)


def broker_identity(instance_id: str, port: int) -> str:
    """What stands for a cluster's ARN. With the machine, the broker and what it holds are gone."""
    return f"{instance_id}:{port}"


class SelfHostedBroker:
    """The broker on the client machine, as MSK would tell of it.

    It is reached at the machine's private address, which stays the same for as long as there is the machine.
    """

    def __init__(self, settings: Settings, aws_conn_id: str | None = "aws_default") -> None:
        self.settings = settings
        self.aws_conn_id = aws_conn_id

    @cached_property
    def machine(self) -> dict[str, Any]:
        return KafkaClientHook(self.settings, self.aws_conn_id).find_instance()

    @property
    def host(self) -> str:
        found = self.settings.kafka.host or self.machine.get("PrivateIpAddress")
        if not found:
            raise KafkaClientSetupError(
                f"EC2 instance {self.machine['InstanceId']} has no private address: set kafka.host to the address that "
                "the S3 sink's workers reach it by"
            )
        return str(found)

    def brokers(self) -> Brokers:
        """``subnets`` and ``security_groups`` are those of the S3 sink's workers, since the broker has no own."""
        port = self.settings.kafka.port
        return {
            "cluster_arn": broker_identity(self.machine["InstanceId"], port),
            "bootstrap_servers": f"{self.host}:{port}",
            "zookeeper": None,
            "subnets": self._subnets(),
            "security_groups": self._security_groups(),
            "serverless": False,
        }

    @cached_property
    def _ec2(self) -> Ec2AccountHook:
        return Ec2AccountHook(aws_conn_id=self.aws_conn_id, region_name=self.settings.region)

    def _subnets(self) -> list[str]:
        """One in each of three zones, so that a full zone stops no worker."""
        return broker_subnets(self._ec2.subnets(self.machine["VpcId"]), ZONES)

    def _security_groups(self) -> list[str]:
        """The group from which the broker's port is open; without one, the machine's own."""
        name = self.settings.broker_group
        group = self._ec2.security_groups(self.machine["VpcId"], [name]).get(name)
        own = [one["GroupId"] for one in self.machine.get("SecurityGroups", [])]
        return [group["GroupId"]] if group else own
