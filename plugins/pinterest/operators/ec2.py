"""Operators for the client machine on EC2: what they share, and the one for the instance itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from airflow.providers.amazon.aws.links.ec2 import EC2InstanceLink
from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.amazon.aws.utils.waiter_with_logging import wait
from airflow.providers.common.compat.sdk import AirflowException, Context, conf
from airflow.sdk.exceptions import TaskDeferred
from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_fixed

from include.aws.instance import ALIVE, IMAGE_PARAMETER, client_token, launch_request
from include.aws.network import SSH_PORT, launch_subnets, lets_somebody_in
from include.aws.ownership import is_ours
from pinterest.hooks.aws import SsmHook
from pinterest.hooks.ec2 import INSTANCE_STATUS, Described, Ec2AccountError, Ec2AccountHook
from pinterest.operators.deferral import how_to_wait
from pinterest.triggers.ec2 import InstanceOkTrigger

GENERATIONS = 20
ELSEWHERE = {"InsufficientInstanceCapacity", "Unsupported"}
"""Why an instance may not be launched in one zone, and yet in another."""
PROFILE_ATTEMPTS = 24
HELP = "or set account.provision to have it made"


class Ec2AccountOperator(AwsBaseOperator[Ec2AccountHook]):
    """Base of the operators for the client machine.

    :param provision: ``True`` to make what is missing; with anything else that fails the task (templated)
    :param tags: tags of what is made; ``user_id`` says whose (templated)
    """

    aws_hook_class = Ec2AccountHook
    template_fields: Sequence[str] = aws_template_fields("provision", "tags")
    template_fields_renderers: ClassVar[dict[str, str]] = {"tags": "json"}

    def __init__(self, *, provision: str, tags: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.provision = provision
        self.tags = tags

    @property
    def may_make(self) -> bool:
        return str(self.provision) == "True"

    @property
    def user_id(self) -> str:
        return self.tags["user_id"]

    @property
    def parameters(self) -> SsmHook:
        return SsmHook(aws_conn_id=self.aws_conn_id, region_name=self.region_name)

    def find_parameter(self, name: str) -> str | None:
        try:
            return str(self.parameters.get_parameter_value(name))
        except ClientError as error:
            if code_of(error) != "ParameterNotFound":
                raise
            return None


class ClientMachineOperator(Ec2AccountOperator):
    """Find the client machine, or launch it, and wait until it runs and has passed EC2's checks. Returns its id.

    A machine that is stopped is started. What is found is used as it is. A retry after a lost response, and a second
    run at once, launch no second instance. A machine that was launched here and will not run is terminated.

    :param instance_type: type of a new instance; if a zone lacks it, another zone is tried (templated)
    :param vpc_id: VPC of a new instance (templated)
    :param security_group: its security group (templated)
    :param key_name: its key pair (templated)
    :param instance_profile: its instance profile, whose role it acts in (templated)
    :param deferrable: wait in the triggerer
    :param waiter_delay: seconds between two checks
    :param waiter_max_attempts: checks before the task fails
    """

    template_fields: Sequence[str] = (
        *Ec2AccountOperator.template_fields,
        "instance_type", "vpc_id", "security_group", "key_name", "instance_profile",
    )  # fmt: skip
    operator_extra_links = (EC2InstanceLink(),)

    def __init__(
        self,
        *,
        instance_type: str,
        vpc_id: str,
        security_group: str,
        key_name: str,
        instance_profile: str,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        waiter_delay: int = 10,
        waiter_max_attempts: int = 90,
        profile_delay: float = 5,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.instance_type = instance_type
        self.vpc_id = vpc_id
        self.security_group = security_group
        self.key_name = key_name
        self.instance_profile = instance_profile
        self.deferrable = deferrable
        self.waiter_delay = waiter_delay
        self.waiter_max_attempts = waiter_max_attempts
        self.profile_delay = profile_delay
        self._launched: str | None = None

    def execute(self, context: Context) -> str:
        found = self.hook.find_client_machine(self.user_id)
        if found is not None and not self.may_make and found["State"]["Name"] != "running":
            found = None
        instance = found or self._launch()
        instance_id = str(instance["InstanceId"])
        with self._terminated_on_failure(instance_id):
            EC2InstanceLink.persist(
                context=context,
                operator=self,
                region_name=self.hook.conn_region_name,
                aws_partition=self.hook.conn_partition,
                instance_id=instance_id,
            )
            if found is not None:
                self.log.info("Instance %s exists (%s): adopted", instance_id, found["State"]["Name"])
                self._start(found)
            if found is None or is_ours(found.get("Tags"), self.user_id) or found["State"]["Name"] != "running":
                self._wait_until_ok(instance_id)
        return instance_id

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> str:
        if event is None:
            raise AirflowException("The client machine: the trigger ended without an event")
        instance_id = str(event["instance"]["instance_id"])
        self._launched = instance_id if event["instance"]["launched"] else None
        with self._terminated_on_failure(instance_id):
            if event["status"] != "success":
                raise AirflowException(str(event["message"]))
        return instance_id

    def on_kill(self) -> None:
        if self._launched is not None:
            self.hook.conn.terminate_instances(InstanceIds=[self._launched])

    def _terminated_on_failure(self, instance_id: str) -> contextlib.AbstractContextManager[None]:
        if self._launched is None:
            return contextlib.nullcontext()
        return undone(
            self, "instance", instance_id, lambda: self.hook.conn.terminate_instances(InstanceIds=[instance_id])
        )

    def _start(self, found: Described) -> None:
        state, instance_id = found["State"]["Name"], found["InstanceId"]
        if state == "stopping":
            self.hook.conn.get_waiter("instance_stopped").wait(InstanceIds=[instance_id])
        if state in ("stopping", "stopped"):
            self.log.info("Starting instance %s", instance_id)
            self.hook.conn.start_instances(InstanceIds=[instance_id])

    def _launch(self) -> Described:
        """Launch an instance in the first subnet that has room for it; or adopt the one that another run launches."""
        region = self.hook.conn_region_name
        if not self.may_make:
            raise Ec2AccountError(
                f"No EC2 instance is running in {region} with the tag Name={self.user_id}: "
                f"start the Kafka client machine, or give it that tag, {HELP}"
            )
        zones = self.hook.zones_with(self.instance_type)
        if not zones:
            raise Ec2AccountError(f"kafka_client.instance_type {self.instance_type!r}: {region} does not have it")
        subnets = launch_subnets(self.hook.subnets(self.vpc_id), zones)
        if not subnets:
            where = f"{self.vpc_id} has no subnet in {', '.join(sorted(zones))}"
            raise Ec2AccountError(f"{where}, the zones with {self.instance_type}: add one, or set network.vpc_id")
        self._check_entrance()
        image_id = str(self.parameters.get_parameter_value(IMAGE_PARAMETER))
        full: list[str] = []
        for subnet in subnets:
            try:
                return self._launch_in(subnet["SubnetId"], image_id)
            except ClientError as error:
                if code_of(error) not in ELSEWHERE:
                    raise
                full.append(f"{subnet['AvailabilityZone']}: {error}")
                self.log.warning("%s has no room for a %s: %s", subnet["AvailabilityZone"], self.instance_type, error)
        raise AirflowException(f"No zone of {self.vpc_id} has room for a {self.instance_type}: {'; '.join(full)}")

    def _check_entrance(self) -> None:
        """A machine that nobody may enter would be launched for nothing."""
        [group] = self.hook.conn.describe_security_groups(GroupIds=[self.security_group])["SecurityGroups"]
        if not lets_somebody_in(group.get("IpPermissions", []), SSH_PORT):
            raise Ec2AccountError(
                f"Security group {self.security_group} lets nobody reach port {SSH_PORT} of the client machine: set "
                "network.ssh_from to the security group or the addresses that Airflow comes from"
            )

    def _launch_in(self, subnet_id: str, image_id: str) -> Described:
        for generation in range(GENERATIONS):
            token = client_token(self.user_id, subnet_id, generation)
            request = launch_request(
                name=self.user_id,
                image_id=image_id,
                instance_type=self.instance_type,
                subnet_id=subnet_id,
                security_group=self.security_group,
                key_pair=self.key_name,
                instance_profile=self.instance_profile,
                tags=self.tags,
                client_token=token,
            )
            instance = self._run(request)
            if instance is not None:
                return instance
        raise AirflowException(f"{GENERATIONS} client machines were terminated in {subnet_id} lately; wait a day")

    def _run(self, request: dict[str, Any]) -> Described | None:
        """The instance of the request's token: launched now, or by another run. None if it was terminated."""
        known = Retrying(
            retry=retry_if_exception(_is_unknown_profile),
            stop=stop_after_attempt(PROFILE_ATTEMPTS),
            wait=wait_fixed(self.profile_delay),
            reraise=True,
        )
        try:
            instance = known(self.hook.conn.run_instances, **request)["Instances"][0]
        except ClientError as error:
            if code_of(error) == "IdempotentInstanceTerminated":
                return None
            if code_of(error) != "IdempotentParameterMismatch":
                raise
            others = self.hook.launched_with(request["ClientToken"])
            if others:
                self.log.info("Instance %s was launched by another run: adopted", others[0]["InstanceId"])
            return others[0] if others else None
        if instance["State"]["Name"] not in ALIVE:
            return None
        self._launched = str(instance["InstanceId"])
        self.log.info("Instance %s launched in %s", self._launched, request["SubnetId"])
        return dict(instance)

    def _wait_until_ok(self, instance_id: str) -> None:
        asked = {"InstanceIds": [instance_id], "IncludeAllInstances": True}
        if self.deferrable and not self._is_ok(asked):
            self.defer(
                trigger=InstanceOkTrigger(
                    instance_id=instance_id,
                    launched=self._launched is not None,
                    **how_to_wait(self),
                ),
                method_name="execute_complete",
            )
        if not self.deferrable:
            wait(
                waiter=self.hook.get_waiter("instance_ok"),
                waiter_delay=self.waiter_delay,
                waiter_max_attempts=self.waiter_max_attempts,
                args=asked,
                failure_message=f"Instance {instance_id} will not run",
                status_message=f"Instance {instance_id}",
                status_args=INSTANCE_STATUS,
            )

    def _is_ok(self, asked: Mapping[str, Any]) -> bool:
        """Whether there is nothing to wait for, and so no reason to defer."""
        try:
            found = self.hook.conn.describe_instance_status(**asked)["InstanceStatuses"]
        except ClientError as error:
            if code_of(error) != "InvalidInstanceID.NotFound":
                raise
            return False
        return any(one["InstanceStatus"]["Status"] == one["SystemStatus"]["Status"] == "ok" for one in found)


def code_of(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def _is_unknown_profile(error: BaseException) -> bool:
    """Whether EC2 has not heard of the instance profile yet, or not of its role; IAM needs some seconds to say."""
    return (
        isinstance(error, ClientError)
        and code_of(error) == "InvalidParameterValue"
        and "iam instance profile" in str(error).lower()
    )


@contextlib.contextmanager
def undone(operator: AwsBaseOperator[Any], kind: str, name: str, undo: Any) -> Iterator[None]:
    """Delete what was made if it cannot be handed over. Deferring is no failure; the first error is the one told."""
    try:
        yield
    except TaskDeferred:
        raise
    except BaseException:
        operator.log.warning("The %s %s cannot be used: deleting it", kind, name)
        try:
            undo()
        except Exception:
            operator.log.exception("The %s %s was not deleted", kind, name)
        raise
