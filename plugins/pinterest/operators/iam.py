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

    A role of that name is adopted. If it has the tags, and so was created here, its inline policy is brought up to
    date. Any other role is left unchanged, because its owner is responsible for what it may do.

    :param role_name: name of the role (templated)
    :param trust: who may assume it, as a policy document (templated)
    :param policy_name: name of the inline policy (templated)
    :param policy: what the role may do, as a policy document (templated)
    :param tags: tags that mark a role as created here (templated)
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
            self.log.info("Role %s exists and was not created here: adopted unchanged", self.role_name)
        elif self.hook.find_inline_policy(self.role_name, self.policy_name) != self.policy:
            self._put_policy()
            self.log.info("Role %s: policy %s updated", self.role_name, self.policy_name)
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
