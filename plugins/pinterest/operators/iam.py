"""Operators for IAM roles."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.common.compat.sdk import AirflowFailException, Context

from include.aws.policies import Document, as_document, holds_statements, statements, with_statements
from pinterest.hooks.iam import IamHook


class IamCreateRoleOperator(AwsBaseOperator[IamHook]):
    """Create a role with one inline policy. Returns its ARN.

    A role of that name is adopted. If it has the tags, and so was created here, its inline policy is brought up to
    date, and statements that its trust policy lacks are added; those of others stay. Any other role is left unchanged,
    because its owner is responsible for what it may do.

    :param role_name: name of the role (templated)
    :param trust: who may assume it: a policy document, or the name of a ``.json`` template (templated)
    :param policy_name: name of the inline policy (templated)
    :param policy: what the role may do: a policy document, or the name of a ``.json`` template (templated)
    :param tags: tags that mark a role as created here (templated)
    """

    aws_hook_class = IamHook
    template_fields: Sequence[str] = aws_template_fields("role_name", "trust", "policy_name", "policy", "tags")
    template_ext: Sequence[str] = (".json",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"trust": "json", "policy": "json", "tags": "json"}

    def __init__(
        self,
        *,
        role_name: str,
        trust: str | dict[str, Any],
        policy_name: str,
        policy: str | dict[str, Any],
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
        trust, policy = as_document(self.trust), as_document(self.policy)
        role = self.hook.find_role(self.role_name)
        if role is None:
            role = self._create(trust)
            self.log.info("Role %s created", self.role_name)
        tags = {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])}
        if not self.tags.items() <= tags.items():
            self.log.info("Role %s exists and was not created here: adopted unchanged", self.role_name)
        elif not self._correct(role, trust, policy):
            self.log.info("Role %s exists: unchanged", self.role_name)
        return str(role["Arn"])

    def _create(self, trust: Document) -> dict[str, Any]:
        tags = [{"Key": key, "Value": value} for key, value in self.tags.items()]
        created = self.hook.conn.create_role(
            RoleName=self.role_name, AssumeRolePolicyDocument=json.dumps(trust), Tags=tags
        )
        return {**created["Role"], "AssumeRolePolicyDocument": trust, "Tags": tags}

    def _correct(self, role: Mapping[str, Any], trust: Document, policy: Document) -> bool:
        """Write what differs. Returns whether anything did."""
        trusted = holds_statements(role["AssumeRolePolicyDocument"], trust)
        if not trusted:
            whole = with_statements(role["AssumeRolePolicyDocument"], trust)
            self.hook.conn.update_assume_role_policy(RoleName=self.role_name, PolicyDocument=json.dumps(whole))
            self.log.info("Role %s: trust policy updated", self.role_name)
        allowed = self.hook.find_inline_policy(self.role_name, self.policy_name) == policy
        if not allowed:
            self.hook.conn.put_role_policy(
                RoleName=self.role_name, PolicyName=self.policy_name, PolicyDocument=json.dumps(policy)
            )
            self.log.info("Role %s: policy %s updated", self.role_name, self.policy_name)
        return not (trusted and allowed)


class IamAddTrustOperator(AwsBaseOperator[IamHook]):
    """Let others assume a role that exists: add statements to its trust policy. Returns what changed.

    All statements of others are kept. One of ours that has been changed is put right. A rerun changes nothing.

    :param role_arn: the role; nothing is done if it is empty (templated)
    :param trust: the statements: a policy document, or the name of a ``.json`` template (templated)
    """

    aws_hook_class = IamHook
    template_fields: Sequence[str] = aws_template_fields("role_arn", "trust")
    template_ext: Sequence[str] = (".json",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"trust": "json"}

    def __init__(self, *, role_arn: str, trust: str | dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.role_arn = role_arn
        self.trust = trust

    def execute(self, context: Context) -> str:
        if not self.role_arn:
            return "unchanged: nobody has to assume a role"
        name = self.role_arn.rpartition("/")[2]
        role = self.hook.find_role(name)
        if role is None or role["Arn"] != self.role_arn:
            raise AirflowFailException(f"kafka.role_arn {self.role_arn!r}: there is no such role in Airflow's account")
        found, trust = role["AssumeRolePolicyDocument"], as_document(self.trust)
        if holds_statements(found, trust):
            return "unchanged"
        whole = with_statements(found, trust)
        self.hook.conn.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(whole))
        return f"changed: trust policy of {name}, {len(statements(whole))} statements"
