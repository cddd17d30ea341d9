"""The amazon provider's hooks, by their own names, that wait while AWS throttles.

No other module makes one of the provider's own, so that no call gives up within seconds.
"""

from __future__ import annotations

from functools import cached_property

from airflow.providers.amazon.aws.hooks import base_aws, ec2, kinesis, logs, s3, ssm
from airflow.providers.amazon.aws.utils.connection_wrapper import AwsConnectionWrapper
from botocore.config import Config

from include.aws.retries import RETRIES

PATIENT = Config(connect_timeout=10, retries=RETRIES)


class AwsBaseHook(base_aws.AwsBaseHook):
    """Waits out a minute of throttling. What the hook or the connection (``config_kwargs``) says otherwise counts."""

    @cached_property
    def conn_config(self) -> AwsConnectionWrapper:
        found = super().conn_config
        found.botocore_config = PATIENT.merge(found.botocore_config) if found.botocore_config else PATIENT
        return found


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
