"""The AWS account, for a running task."""

from __future__ import annotations

from pinterest.hooks.aws import AwsBaseHook
from pinterest.settings import settings


def account_id() -> str:
    """The id of the account that the AWS connection leads to, 12 digits. Templates can call it as ``account_id()``.

    Everyone may ask for it; no permission is needed.
    """
    hook = AwsBaseHook(aws_conn_id="aws_default", client_type="sts", region_name=settings().region)
    return str(hook.account_id)
