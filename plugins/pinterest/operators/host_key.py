"""The operator that learns the client machine's SSH host key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.providers.amazon.aws.utils.waiter_with_logging import wait
from airflow.providers.common.compat.sdk import AirflowException, Context, conf
from botocore.exceptions import ClientError

from include.aws.instance import host_key
from include.aws.ownership import as_pairs
from pinterest.hooks.ec2 import console_request
from pinterest.operators.deferral import how_to_wait
from pinterest.operators.ec2 import Ec2AccountOperator, code_of
from pinterest.triggers.ec2 import HostKeysPrintedTrigger


class HostKeyOperator(Ec2AccountOperator):
    """Learn the client machine's SSH host key from what it printed to its console, and keep it in Parameter Store.

    Nothing is done if the settings have the key, or it is kept already. The key is never taken from the network.
    Returns where the key is: ``settings``, or the parameter's name.

    :param instance_id: the instance (templated)
    :param known: the settings' key; may be empty (templated)
    :param parameter: name of the parameter for the key (templated)
    :param deferrable: wait in the triggerer
    :param waiter_delay: seconds between two looks at the console
    :param waiter_max_attempts: looks before the task fails
    """

    template_fields: Sequence[str] = (*Ec2AccountOperator.template_fields, "instance_id", "known", "parameter")

    def __init__(
        self,
        *,
        instance_id: str,
        known: str,
        parameter: str,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        waiter_delay: int = 15,
        waiter_max_attempts: int = 60,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.instance_id = instance_id
        self.known = known
        self.parameter = parameter
        self.deferrable = deferrable
        self.waiter_delay = waiter_delay
        self.waiter_max_attempts = waiter_max_attempts

    def execute(self, context: Context) -> str:
        if self.known:
            return "settings"
        if self.find_parameter(self.parameter) is not None:
            self.log.info("The host key of %s is in %s", self.instance_id, self.parameter)
            return self.parameter
        latest, console = self._look()
        if host_key(console) is None:
            self._wait(latest)
            console = self.hook.console(self.instance_id, latest=latest)
        return self._keep(console)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> str:
        if event is None or event["status"] != "success":
            raise self._not_printed(event["message"] if event else "the trigger ended without an event")
        return self._keep(self._look()[1])

    def _look(self) -> tuple[bool, str]:
        """The console's output, and whether the instance shows the latest of it."""
        try:
            return True, self.hook.console(self.instance_id, latest=True)
        except ClientError as error:
            if code_of(error) != "UnsupportedOperation":
                raise
            return False, self.hook.console(self.instance_id, latest=False)

    def _wait(self, latest: bool) -> None:
        if self.deferrable:
            self.defer(
                trigger=HostKeysPrintedTrigger(
                    instance_id=self.instance_id,
                    latest=latest,
                    **how_to_wait(self),
                ),
                method_name="execute_complete",
            )
        try:
            wait(
                waiter=self.hook.get_waiter("host_keys_printed"),
                waiter_delay=self.waiter_delay,
                waiter_max_attempts=self.waiter_max_attempts,
                args=console_request(self.instance_id, latest),
                failure_message=f"The console of instance {self.instance_id} cannot be read",
                status_message=f"Console of instance {self.instance_id}, as of",
                status_args=["Timestamp"],
            )
        except AirflowException as error:
            raise self._not_printed(str(error)) from error

    def _keep(self, console: str) -> str:
        key = host_key(console)
        if key is None:
            raise self._not_printed("it prints other things")
        self.parameters.conn.put_parameter(
            Name=self.parameter, Value=key, Type="String", Tags=as_pairs({**self.tags, "instance_id": self.instance_id})
        )
        self.log.info("The host key of %s is kept in %s: %s", self.instance_id, self.parameter, key)
        return self.parameter

    def _not_printed(self, why: str) -> AirflowException:
        return AirflowException(
            f"Instance {self.instance_id} shows no SSH host key on its console ({why}). An instance prints it on its "
            "first boot, and the console forgets: set kafka_client.host_key as docs/settings.md says"
        )
