"""IAM roles."""

from __future__ import annotations

from typing import Any

from pinterest.hooks.aws import AwsBaseHook


class IamHook(AwsBaseHook):
    """Thin wrapper around ``boto3.client("iam")``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "iam"
        super().__init__(*args, **kwargs)

    def find_role(self, name: str) -> dict[str, Any] | None:
        try:
            return dict(self.conn.get_role(RoleName=name)["Role"])
        except self.conn.exceptions.NoSuchEntityException:
            return None

    def find_instance_profile(self, name: str) -> dict[str, Any] | None:
        try:
            return dict(self.conn.get_instance_profile(InstanceProfileName=name)["InstanceProfile"])
        except self.conn.exceptions.NoSuchEntityException:
            return None

    def find_inline_policy(self, role: str, name: str) -> dict[str, Any] | None:
        """The policy's document, or None."""
        try:
            return dict(self.conn.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])
        except self.conn.exceptions.NoSuchEntityException:
            return None
