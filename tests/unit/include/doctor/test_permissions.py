"""What IAM's simulation is asked for a policy, and what its answers mean."""

from __future__ import annotations

import botocore.session
import pytest
from botocore.validate import ParamValidator

from include.aws.policies import policy
from include.doctor.permissions import (
    Question,
    Refusal,
    UnknownCallerError,
    findings,
    questions,
    refusals,
    request,
    role_or_user,
)
from tests.builders import settings
from tests.iam import grants

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/airflow"
QUESTION = Question("airflow", ("ssm:GetParameter", "ssm:PutParameter"), "arn:aws:ssm:us-east-1:1:parameter/a")


@pytest.mark.parametrize("name", ["airflow", "provision", "teardown"])
def test_everything_that_a_policy_allows_is_asked_for(name):
    document = policy(name, settings(kafka_client={}), ACCOUNT)
    model = botocore.session.get_session().get_service_model("iam").operation_model("SimulatePrincipalPolicy")

    asked = list(questions(name, document))

    assert {(action, one.resource) for one in asked for action in one.actions} == set(grants(document))
    for one in asked:
        problems = ParamValidator().validate(request(ROLE, one, "us-east-1"), model.input_shape)
        assert not problems.has_errors(), problems.generate_report()


def test_conditions_are_met():
    condition = {"StringEquals": {"aws:ResourceTag/Name": "0e36c8cd403d", "ec2:CreateAction": ["RunInstances", "x"]}}
    statement = {"Action": "ec2:CreateTags", "Resource": "*", "Condition": condition}

    [question] = questions("provision", {"Statement": [statement]})
    context = request(ROLE, question, "eu-west-1")["ContextEntries"]

    assert {one["ContextKeyName"]: one["ContextKeyValues"] for one in context} == {
        "aws:RequestedRegion": ["eu-west-1"],
        "aws:SecureTransport": ["true"],
        "aws:ResourceTag/Name": ["0e36c8cd403d"],
        "ec2:CreateAction": ["RunInstances"],
    }


@pytest.mark.parametrize(
    ("caller", "found"),
    [
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/airflow/worker", ("role", "airflow")),
        (f"arn:aws-cn:sts::{ACCOUNT}:assumed-role/a.b@c/i-0/x", ("role", "a.b@c")),
        (f"arn:aws:iam::{ACCOUNT}:user/people/ann", ("user", f"arn:aws:iam::{ACCOUNT}:user/people/ann")),
    ],
)
def test_who_asks(caller, found):
    assert role_or_user(caller) == found


@pytest.mark.parametrize("caller", [f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:sts::{ACCOUNT}:federated-user/ann"])
def test_a_caller_without_policies_of_its_own_is_refused(caller):
    with pytest.raises(UnknownCallerError, match="neither a role nor a user"):
        role_or_user(caller)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, "no policy allows it"),
        ({"EvalDecision": "explicitDeny"}, "a policy denies it"),
        (
            {"MissingContextValues": ["aws:MultiFactorAuthPresent"]},
            "no policy allows it (for any aws:MultiFactorAuthPresent)",
        ),
        (
            {"OrganizationsDecisionDetail": {"AllowedByOrganizations": False}},
            "a policy of the organization does not allow it",
        ),
        (
            {"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": False}},
            "its permissions boundary does not allow it",
        ),
    ],
)
def test_a_refusal_says_who_refuses(more, why):
    denied = {"EvalActionName": "ssm:PutParameter", "EvalDecision": "implicitDeny", **more}
    allowed = {"EvalActionName": "ssm:GetParameter", "EvalDecision": "allowed"}

    assert list(refusals(QUESTION, [allowed, denied])) == [
        Refusal("airflow", "ssm:PutParameter", QUESTION.resource, why)
    ]


def test_a_finding_names_the_actions_on_a_resource_together():
    refused = [
        Refusal("airflow", action, "arn:b", "no policy allows it") for action in ("s3:GetObject", "s3:PutObject")
    ]

    [found] = findings(ROLE, refused, {"airflow": 9})

    assert found.problem == f"{ROLE} may not s3:GetObject, s3:PutObject on arn:b: no policy allows it"
    assert "`bin/policies airflow " in found.fix


def test_a_policy_that_is_missing_altogether_is_one_finding():
    refused = [Refusal("provision", f"ec2:{n}", f"arn:{n}", "no policy allows it") for n in range(30)]

    [found] = findings(ROLE, refused, {"provision": 30})

    assert found.problem == f"{ROLE} may do nothing of the policy 'provision': no policy allows it"
    assert "`bin/policies provision " in found.fix
