"""Operators for IAM roles."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.common.compat.sdk import AirflowFailException, Context

from include.aws.ownership import as_pairs, is_ours
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
    :param tags: tags of a role that is created here; ``user_id`` says whose (templated)
    :param provision: anything but ``True`` leaves the role to others, and returns nothing (templated)
    """

    aws_hook_class = IamHook
    template_fields: Sequence[str] = aws_template_fields(
        "role_name", "trust", "policy_name", "policy", "tags", "provision"
    )
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
        provision: str = "True",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.role_name = role_name
        self.trust = trust
        self.policy_name = policy_name
        self.policy = policy
        self.tags = tags
        self.provision = provision

    def execute(self, context: Context) -> str | None:
        if str(self.provision) != "True":
            self.log.info("account.provision is off: role %s is left as it is", self.role_name)
            return None
        trust, policy = as_document(self.trust), as_document(self.policy)
        role = self.hook.find_role(self.role_name)
        if role is None:
            role = self._create(trust)
            self.log.info("Role %s created", self.role_name)
        if not is_ours(role.get("Tags"), self.tags["user_id"]):
            self.log.info("Role %s exists and was not created here: adopted unchanged", self.role_name)
        elif not self._correct(role, trust, policy):
            self.log.info("Role %s exists: unchanged", self.role_name)
        return str(role["Arn"])

    def _create(self, trust: Document) -> dict[str, Any]:
        tags = as_pairs(self.tags)
        try:
            created = self.hook.conn.create_role(
                RoleName=self.role_name, AssumeRolePolicyDocument=json.dumps(trust), Tags=tags
            )
        except self.hook.conn.exceptions.EntityAlreadyExistsException:
            found = self.hook.find_role(self.role_name)
            if found is None:  # another run creates it right now: the next try finds it
                raise
            return found
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


class IamCreateInstanceProfileOperator(AwsBaseOperator[IamHook]):
    """Create an instance profile with a role, by which instances act in that role. Returns its ARN, or None.

    A profile of that name is adopted; one without a role, because the task was killed in between, gets it. A profile
    with another role fails the task. A rerun changes nothing.

    :param profile_name: name of the instance profile (templated)
    :param role_name: name of the role (templated)
    :param tags: tags of a profile that is created here (templated)
    :param provision: anything but ``True`` leaves the profile to others (templated)
    """

    aws_hook_class = IamHook
    template_fields: Sequence[str] = aws_template_fields("profile_name", "role_name", "tags", "provision")
    template_fields_renderers: ClassVar[dict[str, str]] = {"tags": "json"}

    def __init__(
        self, *, profile_name: str, role_name: str, tags: Mapping[str, str], provision: str, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.profile_name = profile_name
        self.role_name = role_name
        self.tags = tags
        self.provision = provision

    def execute(self, context: Context) -> str | None:
        if str(self.provision) != "True":
            self.log.info("account.provision is off: instance profile %s is left as it is", self.profile_name)
            return None
        profile = self.hook.find_instance_profile(self.profile_name) or self._create()
        roles = [role["RoleName"] for role in profile.get("Roles", [])]
        if roles and roles != [self.role_name]:
            raise AirflowFailException(
                f"Instance profile {self.profile_name!r} has the role {roles[0]!r}, not {self.role_name!r}: "
                "change its role, or delete it to have it made anew"
            )
        if not roles:
            self.hook.conn.add_role_to_instance_profile(InstanceProfileName=self.profile_name, RoleName=self.role_name)
        self.log.info("Instance profile %s: %s", self.profile_name, "unchanged" if roles else "role added")
        return str(profile["Arn"])

    def _create(self) -> dict[str, Any]:
        try:
            created = self.hook.conn.create_instance_profile(
                InstanceProfileName=self.profile_name, Tags=as_pairs(self.tags)
            )
        except self.hook.conn.exceptions.EntityAlreadyExistsException:
            found = self.hook.find_instance_profile(self.profile_name)
            if found is None:
                raise
            return found
        self.log.info("Instance profile %s created", self.profile_name)
        return dict(created["InstanceProfile"])


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
