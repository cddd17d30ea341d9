"""Roles and their policies. botocore checks every request and answer against IAM's own model."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest
from airflow.sdk.exceptions import AirflowFailException
from botocore.exceptions import ClientError

from include.aws.policies import policy
from pinterest.operators.iam import IamAddTrustOperator, IamCreateInstanceProfileOperator, IamCreateRoleOperator
from pinterest.retry_policy import lasts
from tests.builders import USER_ID, settings
from tests.unit.kinesis_resources import ROLE, ROLE_ARN

TAGS = {"project": "pinterest-pipeline", "user_id": USER_ID}
TRUST = policy("kinesis_api.trust", settings(), "000000000000")
POLICY = policy("kinesis_api", settings(), "000000000000")
POLICY_OF_ROLE = {"RoleName": ROLE, "PolicyName": "kinesis-streams"}


class TestRole:
    def create(self, provision="True"):
        operator = IamCreateRoleOperator(
            task_id="role",
            role_name=ROLE,
            trust=json.dumps(TRUST),
            policy_name="kinesis-streams",
            policy=json.dumps(POLICY),
            tags=TAGS,
            provision=provision,
        )
        return operator.execute({})

    def found(self, iam, tags, **more):
        iam.add_response("get_role", {"Role": self.role(Tags=as_list(tags), **more)}, {"RoleName": ROLE})

    def role(self, **more):
        created = {"Path": "/", "RoleName": ROLE, "RoleId": "A" * 16, "Arn": ROLE_ARN, "CreateDate": "2026-01-01"}
        return {**created, "AssumeRolePolicyDocument": json.dumps(TRUST), **more}

    def policy_is(self, iam, document):
        answer = {**POLICY_OF_ROLE, "PolicyDocument": json.dumps(document)}
        iam.add_response("get_role_policy", answer, POLICY_OF_ROLE)

    def policy_is_put(self, iam):
        iam.add_response("put_role_policy", {}, {**POLICY_OF_ROLE, "PolicyDocument": json.dumps(POLICY)})

    def test_is_made_with_its_policy(self, iam):
        iam.add_client_error("get_role", "NoSuchEntity", http_status_code=404)
        iam.add_response(
            "create_role",
            {"Role": self.role()},
            {"RoleName": ROLE, "AssumeRolePolicyDocument": json.dumps(TRUST), "Tags": as_list(TAGS)},
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

    def test_a_trust_policy_gets_what_it_lacks_and_keeps_what_others_added(self, iam):
        theirs = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:root"}, "Action": "sts:AssumeRole"}
        self.found(iam, TAGS, AssumeRolePolicyDocument=json.dumps({**TRUST, "Statement": [theirs]}))
        whole = json.dumps({**TRUST, "Statement": [theirs, *TRUST["Statement"]]})
        iam.add_response("update_assume_role_policy", {}, {"RoleName": ROLE, "PolicyDocument": whole})
        self.policy_is(iam, POLICY)

        assert self.create() == ROLE_ARN

    def test_a_rerun_changes_nothing(self, iam):
        self.found(iam, TAGS)
        self.policy_is(iam, POLICY)

        assert self.create() == ROLE_ARN

    def test_a_role_that_another_run_made_meanwhile_is_adopted(self, iam):
        iam.add_client_error("get_role", "NoSuchEntity", http_status_code=404)
        iam.add_client_error("create_role", "EntityAlreadyExists", http_status_code=409)
        self.found(iam, TAGS)
        self.policy_is(iam, POLICY)

        assert self.create() == ROLE_ARN

    def test_a_role_is_left_to_others_unless_the_account_is_made(self, iam):
        assert self.create(provision="False") is None

    @pytest.mark.parametrize("code", ["AccessDenied", "LimitExceeded"])
    def test_a_refusal_is_told_as_it_is(self, iam, code):
        iam.add_client_error("get_role", "NoSuchEntity", http_status_code=404)
        iam.add_client_error("create_role", code, "role/airflow is not authorized to perform: iam:CreateRole")

        with pytest.raises(ClientError, match=rf"{code}.*CreateRole.*role/airflow") as error:
            self.create()
        assert lasts(error.value)


class TestInstanceProfile:
    ARN = "arn:aws:iam::000000000000:instance-profile/clients"
    NAME: ClassVar = {"InstanceProfileName": "clients"}

    def ensure(self, provision="True"):
        operator = IamCreateInstanceProfileOperator(
            task_id="profile", profile_name="clients", role_name=ROLE, tags=TAGS, provision=provision
        )
        return operator.execute({})

    def profile(self, *roles):
        many = [{**TestRole().role(), "RoleName": role} for role in roles]
        named = {**self.NAME, "Path": "/", "InstanceProfileId": "A" * 16, "Arn": self.ARN}
        return {"InstanceProfile": {**named, "CreateDate": "2026-01-01", "Roles": many}}

    def found(self, iam, *roles):
        iam.add_response("get_instance_profile", self.profile(*roles), self.NAME)

    def missing(self, iam):
        iam.add_client_error("get_instance_profile", "NoSuchEntity", http_status_code=404, expected_params=self.NAME)

    def role_is_added(self, iam):
        iam.add_response("add_role_to_instance_profile", {}, {**self.NAME, "RoleName": ROLE})

    def test_is_made_with_its_role(self, iam):
        self.missing(iam)
        iam.add_response("create_instance_profile", self.profile(), {**self.NAME, "Tags": as_list(TAGS)})
        self.role_is_added(iam)

        assert self.ensure() == self.ARN

    def test_that_was_begun_gets_its_role(self, iam):
        self.found(iam)
        self.role_is_added(iam)

        assert self.ensure() == self.ARN

    def test_a_rerun_changes_nothing(self, iam):
        self.found(iam, ROLE)

        assert self.ensure() == self.ARN

    def test_that_another_run_made_meanwhile_is_adopted(self, iam):
        self.missing(iam)
        iam.add_client_error("create_instance_profile", "EntityAlreadyExists", http_status_code=409)
        self.found(iam, ROLE)

        assert self.ensure() == self.ARN

    def test_with_another_role_is_not_changed(self, iam):
        self.found(iam, "theirs")

        with pytest.raises(AirflowFailException, match=f"'clients' has the role 'theirs', not '{ROLE}'"):
            self.ensure()

    def test_is_left_to_others_unless_the_account_is_made(self, iam):
        assert self.ensure("False") is None


class TestTrust:
    OWN = "arn:aws:iam::000000000000:role/clients"
    TRUST = policy("kafka_role.trust", settings(), "000000000000")
    EC2: ClassVar = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}

    def add(self, role_arn=OWN):
        return IamAddTrustOperator(task_id="trust", role_arn=role_arn, trust=json.dumps(self.TRUST)).execute({})

    def found(self, iam, *statements):
        trust = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        role = {"Path": "/", "RoleName": "clients", "RoleId": "A" * 16, "Arn": self.OWN, "CreateDate": "2026-01-01"}
        iam.add_response("get_role", {"Role": {**role, "AssumeRolePolicyDocument": trust}}, {"RoleName": "clients"})

    def test_the_clients_are_added_and_others_kept(self, iam):
        self.found(iam, self.EC2)
        whole = {**self.TRUST, "Statement": [self.EC2, *self.TRUST["Statement"]]}
        changed = {"RoleName": "clients", "PolicyDocument": json.dumps(whole)}
        iam.add_response("update_assume_role_policy", {}, changed)

        assert self.add() == "changed: trust policy of clients, 2 statements"

    def test_a_rerun_changes_nothing(self, iam):
        self.found(iam, self.EC2, *self.TRUST["Statement"])

        assert self.add() == "unchanged"

    def test_without_a_role_nothing_is_asked(self, iam):
        assert self.add("").startswith("unchanged")

    def test_a_role_of_another_account_is_refused(self, iam):
        self.found(iam, self.EC2)

        with pytest.raises(AirflowFailException, match="no such role in Airflow's account"):
            self.add("arn:aws:iam::123456789012:role/clients")


def as_list(tags):
    return [{"Key": key, "Value": value} for key, value in tags.items()]
