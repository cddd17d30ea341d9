"""Operator for the MSK cluster itself."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow.providers.amazon.aws.links.base_aws import BASE_AWS_CONSOLE_LINK, BaseAwsLink
from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.amazon.aws.utils.waiter_with_logging import wait
from airflow.providers.common.compat.sdk import AirflowException, Context, conf

from include.aws.msk import READY, broker_subnets, create_request, differences, state_of, zones_for
from include.aws.ownership import is_ours
from pinterest.hooks.ec2 import Ec2AccountHook
from pinterest.hooks.msk import CLUSTER_STATUS, MskHook, MskSettingsError
from pinterest.operators.deferral import how_to_wait
from pinterest.operators.ec2 import undone
from pinterest.triggers.msk import MskClusterTrigger


class MskClusterLink(BaseAwsLink):
    """The cluster in the AWS console."""

    name = "MSK cluster"
    key = "msk_cluster"
    format_str = BASE_AWS_CONSOLE_LINK + "/msk/home?region={region_name}#/cluster/{cluster_arn}/view"


class MskClusterOperator(AwsBaseOperator[MskHook]):
    """Find the MSK cluster, or create it, and wait until it is ACTIVE. Returns its ARN, or None without ``provision``.

    A cluster of that name is used as it is, whoever made it, provisioned or serverless; what one of ours has otherwise
    than the settings say is named in the log. One of ours that FAILED is deleted and created anew. A retry after a lost
    response, and a second run at once, create no second one. A cluster that was created here and does not become ACTIVE
    is deleted; if MSK refuses that, as while it is still CREATING, the next run adopts it.

    :param provision: ``True`` to create the cluster if it is missing; with anything else it is left to others
        (templated)
    :param cluster_name: name of the cluster, unique in the account and region (templated)
    :param kafka_version, instance_type, brokers, storage_gib, authentication: of a new cluster, see
        :func:`~include.aws.msk.create_request` (templated)
    :param vpc_id: VPC of a new cluster (templated)
    :param subnets: its subnets, as JSON; if empty, one of the VPC's in each of two or three zones (templated)
    :param security_group: its security group (templated)
    :param tags: tags of a new cluster; ``user_id`` says whose (templated)
    :param deferrable: wait in the triggerer; creation takes 20 to 40 minutes on AWS
    :param waiter_delay: seconds between two checks
    :param waiter_max_attempts: checks before the task fails
    """

    aws_hook_class = MskHook
    template_fields: Sequence[str] = aws_template_fields(
        "provision", "cluster_name", "kafka_version", "instance_type", "brokers", "storage_gib", "authentication",
        "vpc_id", "subnets", "security_group", "tags",
    )  # fmt: skip
    template_fields_renderers: ClassVar[dict[str, str]] = {"tags": "json", "subnets": "json"}
    operator_extra_links = (MskClusterLink(),)

    def __init__(
        self,
        *,
        provision: str,
        cluster_name: str,
        kafka_version: str,
        instance_type: str,
        brokers: str,
        storage_gib: str,
        authentication: str,
        vpc_id: str,
        subnets: str,
        security_group: str,
        tags: Mapping[str, str],
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        waiter_delay: int = 5,
        waiter_max_attempts: int = 720,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.provision = provision
        self.cluster_name = cluster_name
        self.kafka_version = kafka_version
        self.instance_type = instance_type
        self.brokers = brokers
        self.storage_gib = storage_gib
        self.authentication = authentication
        self.vpc_id = vpc_id
        self.subnets = subnets
        self.security_group = security_group
        self.tags = tags
        self.deferrable = deferrable
        self.waiter_delay = waiter_delay
        self.waiter_max_attempts = waiter_max_attempts
        self._created: str | None = None

    def execute(self, context: Context) -> str | None:
        if str(self.provision) != "True":
            self.log.info("No MSK cluster is created: account.provision is off, or kafka.mode is not msk")
            return None
        found = self.hook.find_cluster(self.cluster_name)
        if found is not None and found["State"] in ("DELETING", "FAILED"):
            self._remove(found)
            found = None
        if found is not None:
            self._adopted(found)
        cluster = found or self._create()
        cluster_arn = str(cluster["ClusterArn"])
        with self._deleted_on_failure(cluster_arn):
            MskClusterLink.persist(
                context=context,
                operator=self,
                region_name=self.hook.conn_region_name,
                aws_partition=self.hook.conn_partition,
                cluster_arn=cluster_arn,
            )
            if cluster["State"] not in READY:
                self._wait("cluster_active", cluster_arn, "execute_complete")
        return cluster_arn

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> str:
        cluster_arn = self._arn_of(event)
        with self._deleted_on_failure(cluster_arn):
            if event is not None and event["status"] != "success":
                raise AirflowException(f"{event['message']}: {self._state(cluster_arn)}")
        return cluster_arn

    def execute_again(self, context: Context, event: dict[str, Any] | None = None) -> str | None:
        """The cluster that was in the way is gone: create another one."""
        self.execute_complete(context, event)
        return self.execute(context)

    def on_kill(self) -> None:
        if self._created is not None:
            self.hook.conn.delete_cluster(ClusterArn=self._created)

    def _arn_of(self, event: dict[str, Any] | None) -> str:
        if event is None:
            raise AirflowException(f"MSK cluster {self.cluster_name}: the trigger ended without an event")
        cluster_arn = str(event["cluster"]["cluster_arn"])
        self._created = cluster_arn if event["cluster"]["created"] else None
        return cluster_arn

    def _deleted_on_failure(self, cluster_arn: str) -> contextlib.AbstractContextManager[None]:
        if self._created is None:
            return contextlib.nullcontext()
        return undone(self, "MSK cluster", cluster_arn, lambda: self.hook.conn.delete_cluster(ClusterArn=cluster_arn))

    def _remove(self, found: Mapping[str, Any]) -> None:
        """Wait until a cluster of that name is gone; one of ours that failed is deleted first."""
        cluster_arn = str(found["ClusterArn"])
        if found["State"] == "FAILED":
            if not is_ours(found.get("Tags"), self.tags["user_id"]):
                raise MskSettingsError(
                    f"MSK cluster {self.cluster_name!r}, which others made, is {state_of(found)}: delete it, or set "
                    "kafka.cluster_name"
                )
            self.log.warning("MSK cluster %s is %s: it is created anew", cluster_arn, state_of(found))
            self.hook.conn.delete_cluster(ClusterArn=cluster_arn)
        self._wait("cluster_deleted", cluster_arn, "execute_again")

    def _create(self) -> Mapping[str, Any]:
        """Create the cluster; or adopt the one that another run creates."""
        request = self._request(self._subnets())
        try:
            answer = self.hook.conn.create_cluster_v2(**request)
        except self.hook.conn.exceptions.ConflictException:
            found = self.hook.find_cluster(self.cluster_name)
            if found is None:
                raise
            self.log.info("MSK cluster %s was created by another run: adopted", self.cluster_name)
            return found
        self._created = str(answer["ClusterArn"])
        self.log.info("MSK cluster %s is being created, which takes 20 to 40 minutes on AWS", self._created)
        return dict(answer)

    def _request(self, subnets: Sequence[str]) -> dict[str, Any]:
        return create_request(
            name=self.cluster_name,
            kafka_version=self.kafka_version,
            instance_type=self.instance_type,
            brokers=int(self.brokers),
            storage_gib=int(self.storage_gib),
            subnets=subnets,
            security_groups=[self.security_group],
            authentication=self.authentication,
            tags=self.tags,
        )

    def _subnets(self) -> list[str]:
        given: list[str] = json.loads(self.subnets)
        if given:
            return given
        ec2 = Ec2AccountHook(aws_conn_id=self.aws_conn_id, region_name=self.region_name)
        found, needed = broker_subnets(ec2.subnets(self.vpc_id), int(self.brokers)), zones_for(int(self.brokers))
        if len(found) < needed:
            raise MskSettingsError(
                f"{self.vpc_id} has subnets in {len(found)} zones that MSK has brokers in, and kafka.brokers "
                f"{self.brokers} takes {needed}: add one, set network.vpc_id, or name them in kafka.subnets"
            )
        return found

    def _adopted(self, found: Mapping[str, Any]) -> None:
        self.log.info("MSK cluster %s exists (%s): adopted", found["ClusterArn"], found["State"])
        if is_ours(found.get("Tags"), self.tags["user_id"]):
            for difference in differences(found, self._request([])):
                self.log.warning("MSK cluster %s has %s: left as it is", self.cluster_name, difference)

    def _state(self, cluster_arn: str) -> str:
        found = self.hook.describe(cluster_arn)
        return state_of(found) if found else "it is gone"

    def _wait(self, waiter: str, cluster_arn: str, method_name: str) -> None:
        created = self._created is not None
        if self.deferrable:
            self.defer(
                trigger=MskClusterTrigger(
                    cluster_arn=cluster_arn,
                    waiter=waiter,
                    created=created,
                    **how_to_wait(self),
                ),
                method_name=method_name,
            )
        try:
            wait(
                waiter=self.hook.get_waiter(waiter),
                waiter_delay=self.waiter_delay,
                waiter_max_attempts=self.waiter_max_attempts,
                args={"ClusterArn": cluster_arn},
                failure_message=f"MSK cluster {self.cluster_name}: {waiter} will not happen",
                status_message=f"MSK cluster {self.cluster_name}",
                status_args=CLUSTER_STATUS,
            )
        except AirflowException as error:
            raise AirflowException(f"{error}: {self._state(cluster_arn)}") from error
