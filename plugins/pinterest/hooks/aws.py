"""The amazon provider's hooks, by their own names, that wait while AWS throttles.

No other module makes one of the provider's own, so that no call gives up within seconds.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.providers.amazon.aws.hooks import base_aws, ec2, kinesis, logs, s3, ssm
from airflow.providers.amazon.aws.utils.connection_wrapper import AwsConnectionWrapper
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.model import OperationModel

from include.aws.permissions import DENIED, permission, policies_with
from include.aws.retries import RETRIES

PATIENT = Config(connect_timeout=10, retries=RETRIES)
SOON = Config(connect_timeout=5, read_timeout=5, retries={"total_max_attempts": 2})


class AwsBaseHook(base_aws.AwsBaseHook):
    """Waits out a minute of throttling. What the hook or the connection (``config_kwargs``) says otherwise counts.

    The error of a call that is denied says who lacks which permission, and which policy of ours has it.
    """

    @cached_property
    def conn_config(self) -> AwsConnectionWrapper:
        found = super().conn_config
        found.botocore_config = PATIENT.merge(found.botocore_config) if found.botocore_config else PATIENT
        return found

    def get_client_type(
        self, region_name: str | None = None, config: Config | None = None, deferrable: bool = False
    ) -> Any:
        client = super().get_client_type(region_name=region_name, config=config, deferrable=deferrable)
        if not deferrable:
            client.meta.events.register("after-call", self._explain, unique_id="explain")
        return client

    def _explain(self, parsed: dict[str, Any], model: OperationModel, **_: Any) -> None:
        """The error's message is what boto3 raises."""
        error = parsed.get("Error", {})
        if error.get("Code") not in DENIED or self.client_type == "sts":
            return
        lacking = permission(model.service_model.service_name, model.name, model.http["method"])
        policies = " or ".join(f"bin/policies {name}" for name in policies_with(lacking))
        see = f", see {policies}" if policies else ""
        said = error.get("Message") or "AWS gave no reason"
        error["Message"] = f"{said}. {self._caller} lacks the permission {lacking}{see}"

    @cached_property
    def _caller(self) -> str:
        """The ARN that STS names. Everyone may ask for it."""
        sts = AwsBaseHook(self.aws_conn_id, self._verify, self._region_name, client_type="sts", config=SOON)
        try:
            return str(sts.conn.get_caller_identity()["Arn"])
        except (BotoCoreError, ClientError):
            return f"The caller of the connection {self.aws_conn_id}"


class AwsLogsHook(AwsBaseHook, logs.AwsLogsHook):
    """The provider's."""


class EC2Hook(AwsBaseHook, ec2.EC2Hook):
    """The provider's."""


class KinesisHook(AwsBaseHook, kinesis.KinesisHook):
    """The provider's."""


class S3Hook(AwsBaseHook, s3.S3Hook):
    """The provider's."""


class SsmHook(AwsBaseHook, ssm.SsmHook):
    """The provider's."""
