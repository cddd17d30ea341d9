"""Operators for IAM roles."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.common.compat.sdk import Context

from pinterest.hooks.iam import IamHook


class IamCreateRoleOperator(AwsBaseOperator[IamHook]):
    """Create a role with one inline policy. Returns its ARN.

    A role of that name is adopted. Where it has the tags, so was made here, its inline policy is brought up to date;
    another one is left as it is: somebody else answers for what it may do.

    :param role_name: name of the role (templated)
    :param trust: who may take it on, as a policy document (templated)
    :param policy_name: name of the inline policy (templated)
    :param policy: what the role may do, as a policy document (templated)
    :param tags: tags by which a role that was made here is known (templated)
    """

    aws_hook_class = IamHook
    template_fields: Sequence[str] = aws_template_fields("role_name", "trust", "policy_name", "policy", "tags")
    template_fields_renderers: ClassVar[dict[str, str]] = {"trust": "json", "policy": "json", "tags": "json"}

    def __init__(
        self,
        *,
        role_name: str,
        trust: dict[str, Any],
        policy_name: str,
        policy: dict[str, Any],
        tags: Mapping[str, str],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.role_name = role_name
        self.trust = trust
        self.policy_name = policy_name
        self.policy = policy
        self.tags = tags

    def execute(self, context: Context) -> str:
        role = self.hook.find_role(self.role_name)
        if role is None:
            role = self._create()
            self.log.info("Role %s created", self.role_name)
        tags = {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])}
        if not self.tags.items() <= tags.items():
            self.log.info("Role %s exists, made by somebody else: adopted as it is", self.role_name)
        elif self.hook.find_inline_policy(self.role_name, self.policy_name) != self.policy:
            self._put_policy()
            self.log.info("Role %s: its policy %s is put", self.role_name, self.policy_name)
        else:
            self.log.info("Role %s exists: unchanged", self.role_name)
        return str(role["Arn"])

    def _create(self) -> dict[str, Any]:
        tags = [{"Key": key, "Value": value} for key, value in self.tags.items()]
        created = self.hook.conn.create_role(
            RoleName=self.role_name, AssumeRolePolicyDocument=json.dumps(self.trust), Tags=tags
        )
        return {**created["Role"], "Tags": tags}

    def _put_policy(self) -> None:
        self.hook.conn.put_role_policy(
            RoleName=self.role_name, PolicyName=self.policy_name, PolicyDocument=json.dumps(self.policy)
        )
