"""Roles and their policies. botocore checks every request and answer against IAM's own model."""

from __future__ import annotations

import json

from include.aws.kinesis_api import role_policy, role_trust
from pinterest.operators.iam import IamCreateRoleOperator
from tests.builders import USER_ID
from tests.unit.kinesis_resources import ROLE, ROLE_ARN

TAGS = {"project": "pinterest-pipeline", "user_id": USER_ID}
POLICY_OF_ROLE = {"RoleName": ROLE, "PolicyName": "kinesis-streams"}


class TestRole:
    def create(self):
        operator = IamCreateRoleOperator(
            task_id="role",
            role_name=ROLE,
            trust=role_trust(),
            policy_name="kinesis-streams",
            policy=role_policy(USER_ID),
            tags=TAGS,
        )
        return operator.execute({})

    def found(self, iam, tags):
        iam.add_response("get_role", {"Role": self.role(Tags=as_list(tags))}, {"RoleName": ROLE})

    def role(self, **more):
        created = {"Path": "/", "RoleName": ROLE, "RoleId": "A" * 16, "Arn": ROLE_ARN, "CreateDate": "2026-01-01"}
        return {**created, **more}

    def policy_is(self, iam, document):
        answer = {**POLICY_OF_ROLE, "PolicyDocument": json.dumps(document)}
        iam.add_response("get_role_policy", answer, POLICY_OF_ROLE)

    def policy_is_put(self, iam):
        iam.add_response("put_role_policy", {}, {**POLICY_OF_ROLE, "PolicyDocument": json.dumps(role_policy(USER_ID))})

    def test_is_made_with_its_policy(self, iam):
        iam.add_client_error("get_role", "NoSuchEntity", http_status_code=404)
        iam.add_response(
            "create_role",
            {"Role": self.role()},
            {"RoleName": ROLE, "AssumeRolePolicyDocument": json.dumps(role_trust()), "Tags": as_list(TAGS)},
        )
        iam.add_client_error("get_role_policy", "NoSuchEntity", http_status_code=404)
        self.policy_is_put(iam)

        assert self.create() == ROLE_ARN

    def test_a_role_of_somebody_else_is_adopted_as_it_is(self, iam):
        self.found(iam, {"made": "by hand"})

        assert self.create() == ROLE_ARN

    def test_a_role_whose_policy_was_never_put_gets_it(self, iam):
        self.found(iam, TAGS)
        iam.add_client_error("get_role_policy", "NoSuchEntity", http_status_code=404)
        self.policy_is_put(iam)

        assert self.create() == ROLE_ARN

    def test_an_older_policy_is_replaced(self, iam):
        self.found(iam, {**TAGS, "more": "tags"})
        self.policy_is(iam, {"Version": "2012-10-17", "Statement": []})
        self.policy_is_put(iam)

        assert self.create() == ROLE_ARN

    def test_a_rerun_changes_nothing(self, iam):
        self.found(iam, TAGS)
        self.policy_is(iam, role_policy(USER_ID))

        assert self.create() == ROLE_ARN


def as_list(tags):
    return [{"Key": key, "Value": value} for key, value in tags.items()]
