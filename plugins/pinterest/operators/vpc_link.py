"""The operator for the VPC link by which a REST API reaches a load balancer."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow.providers.amazon.aws.links.base_aws import BASE_AWS_CONSOLE_LINK, BaseAwsLink
from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.amazon.aws.utils.waiter_with_logging import wait
from airflow.providers.common.compat.sdk import AirflowException, Context, conf
from botocore.exceptions import ClientError

from include.aws.ownership import given, is_ours
from include.faults import LastingError
from pinterest.hooks.api_gateway import VPC_LINK_STATUS, ApiGatewayHook
from pinterest.operators.deferral import how_to_wait
from pinterest.operators.ec2 import code_of, undone
from pinterest.operators.load_balancer import VPC_LINK
from pinterest.triggers.vpc_link import VpcLinkAvailableTrigger

USABLE = ("AVAILABLE", "PENDING")
QUOTA = (
    "Ask for a higher quota of VPC links (Service Quotas, API Gateway, 20 per region by default) or delete one that "
    "nobody uses"
)


class VpcLinkError(LastingError, RuntimeError):
    """A VPC link can be neither used nor made until somebody changes something."""


class VpcLinkConsoleLink(BaseAwsLink):
    """VPC links in the AWS console."""

    name = "VPC link"
    key = "vpc_link"
    format_str = BASE_AWS_CONSOLE_LINK + "/apigateway/main/vpc-links/list?region={region_name}&vpcLink={link_id}"


class VpcLinkOperator(AwsBaseOperator[ApiGatewayHook]):
    """Find or make the VPC link to a load balancer, and wait until it is AVAILABLE. Returns its id, or an empty text.

    A link of that name to this load balancer is adopted, so a rerun, or a retry after a lost response, makes no second
    one. A link of ours that failed, or leads to a load balancer that is gone, is deleted first: AWS lets a link neither
    recover nor change its target. One that was made here and does not become AVAILABLE is deleted, and the error says
    what AWS says.

    :param exposure: nothing is done unless it is ``vpc_link`` (templated)
    :param link_name: the link's name (templated)
    :param load_balancer: ARN of the load balancer (templated)
    :param tags: tags of what is made; ``user_id`` says whose (templated)
    :param deferrable: wait in the triggerer; AWS takes two to four minutes
    :param waiter_delay: seconds between two checks
    :param waiter_max_attempts: checks before the task fails
    """

    aws_hook_class = ApiGatewayHook
    template_fields: Sequence[str] = aws_template_fields("exposure", "link_name", "load_balancer", "tags")
    template_fields_renderers: ClassVar[dict[str, str]] = {"tags": "json"}
    operator_extra_links = (VpcLinkConsoleLink(),)

    def __init__(
        self,
        *,
        exposure: str,
        link_name: str,
        load_balancer: str,
        tags: Mapping[str, str],
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        waiter_delay: int = 5,
        waiter_max_attempts: int = 180,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.exposure = exposure
        self.link_name = link_name
        self.load_balancer = load_balancer
        self.tags = tags
        self.deferrable = deferrable
        self.waiter_delay = waiter_delay
        self.waiter_max_attempts = waiter_max_attempts
        self._made: str | None = None

    def execute(self, context: Context) -> str:
        if self.exposure != VPC_LINK:
            self.log.info("rest_proxy.exposure is %s: no VPC link is needed", self.exposure)
            return ""
        link = self._usable() or self._create()
        link_id = str(link["id"])
        with self._deleted_on_failure(link_id):
            VpcLinkConsoleLink.persist(
                context=context,
                operator=self,
                region_name=self.hook.conn_region_name,
                aws_partition=self.hook.conn_partition,
                link_id=link_id,
            )
            if link["status"] != "AVAILABLE":
                self._wait_until_available(link_id)
        return link_id

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> str:
        if event is None:
            raise AirflowException(f"VPC link {self.link_name}: the trigger ended without an event")
        link_id = str(event["vpc_link"]["link_id"])
        self._made = link_id if event["vpc_link"]["made"] else None
        with self._deleted_on_failure(link_id):
            if event["status"] != "success":
                raise AirflowException(f"{event['message']}: {self._said(link_id)}")
        return link_id

    def on_kill(self) -> None:
        if self._made is not None:
            self.hook.conn.delete_vpc_link(vpcLinkId=self._made)

    def _deleted_on_failure(self, link_id: str) -> contextlib.AbstractContextManager[None]:
        if self._made is None:
            return contextlib.nullcontext()
        return undone(self, "VPC link", link_id, lambda: self.hook.conn.delete_vpc_link(vpcLinkId=link_id))

    def _usable(self) -> dict[str, Any] | None:
        """The link to adopt. Those of ours that cannot be used are gone afterwards: they hold on to load balancers."""
        links = self.hook.find_vpc_links(self.link_name)
        found = next((link for link in links if link["status"] in USABLE and self._leads_there(link)), None)
        for link in links:
            if link["status"] == "DELETING" and found is None:
                self._wait_until_gone(link)
            elif link["status"] not in (*USABLE, "DELETING") or not self._leads_there(link):
                self._delete(link)
        if found is not None:
            self.log.info("VPC link %s (%s) exists, %s: adopted", self.link_name, found["id"], found["status"])
        return found

    def _leads_there(self, link: Mapping[str, Any]) -> bool:
        return list(link.get("targetArns", [])) == [self.load_balancer]

    def _delete(self, link: Mapping[str, Any]) -> None:
        what = f"VPC link {self.link_name} ({link['id']})"
        why = f"{link['status']} {link.get('statusMessage', '')}".strip()
        if not is_ours(link.get("tags"), self.tags["user_id"]):
            self.log.warning("%s was made by others and is left: %s, to %s", what, why, link.get("targetArns"))
            return
        try:
            self.hook.conn.delete_vpc_link(vpcLinkId=link["id"])
        except ClientError as error:
            if code_of(error) != "BadRequestException":
                raise
            self.log.warning("%s cannot be used (%s) and is left, because AWS says: %s", what, why, error)
            return
        self.log.info("%s cannot be used (%s, to %s): deleted", what, why, link.get("targetArns"))
        self._wait_until_gone(link)

    def _create(self) -> dict[str, Any]:
        try:
            made = self.hook.conn.create_vpc_link(
                name=self.link_name, targetArns=[self.load_balancer], tags=given(self.tags)
            )
        except ClientError as error:
            if code_of(error) != "LimitExceededException":
                raise
            raise VpcLinkError(f"VPC link {self.link_name} cannot be made: {error}. {QUOTA}") from error
        self._made = str(made["id"])
        self.log.info("VPC link %s made: %s", self.link_name, self._made)
        return dict(made)

    def _wait_until_available(self, link_id: str) -> None:
        if self.deferrable:
            self.defer(
                trigger=VpcLinkAvailableTrigger(
                    link_id=link_id,
                    made=self._made is not None,
                    **how_to_wait(self),
                ),
                method_name="execute_complete",
            )
        try:
            self._wait("vpc_link_available", link_id, "does not become available")
        except AirflowException as error:
            raise AirflowException(f"{error}: {self._said(link_id)}") from error

    def _wait_until_gone(self, link: Mapping[str, Any]) -> None:
        self._wait("vpc_link_deleted", str(link["id"]), "is not deleted")

    def _wait(self, waiter: str, link_id: str, failure: str) -> None:
        wait(
            waiter=self.hook.get_waiter(waiter),
            waiter_delay=self.waiter_delay,
            waiter_max_attempts=self.waiter_max_attempts,
            args={"vpcLinkId": link_id},
            failure_message=f"VPC link {self.link_name} ({link_id}) {failure}",
            status_message=f"VPC link {self.link_name} ({link_id})",
            status_args=VPC_LINK_STATUS,
        )

    def _said(self, link_id: str) -> str:
        """What AWS says of a link that is of no use."""
        try:
            link = self.hook.conn.get_vpc_link(vpcLinkId=link_id)
        except ClientError as error:
            return str(error)
        return f"{link.get('status')}, {link.get('statusMessage') or 'AWS gave no reason'}"
