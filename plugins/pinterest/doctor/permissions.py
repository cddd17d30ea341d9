"""May the role do what its policies say? Asked of IAM's simulation: nothing is changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from include.aws.policies import policy
from include.doctor.permissions import (
    Question,
    Refusal,
    UnknownCallerError,
    findings,
    questions,
    refusals,
    request,
)
from include.doctor.remark import Finding, Remark, Unchecked
from pinterest.doctor.account import Account

UNKNOWN_ACTION = "InvalidInput"


def permissions(account: Account) -> Iterator[Remark]:
    """The policy ``airflow``, and ``provision`` where runs make the account."""
    try:
        principal = account.principal
    except UnknownCallerError as error:
        yield Finding(
            f"connection {account.aws_conn_id}: {error}, so what it may do cannot be told",
            "let it lead to a role with the policies that bin/policies prints, or name that role: "
            "make doctor TARGET=account ROLE=<name>",
        )
        return
    refused: list[Refusal] = []
    asked: Counter[str] = Counter()
    for question in _all(account):
        asked[question.policy] += len(question.actions)
        for answered in _answers(account, principal, question):
            if isinstance(answered, Unchecked):
                yield answered
            else:
                refused.append(answered)
    yield from findings(principal, refused, asked)


def _all(account: Account) -> Iterator[Question]:
    settings = account.settings
    for name in ("airflow", *(["provision"] if settings.account.provision else [])):
        yield from questions(name, policy(name, settings, account.account_id))


def _answers(account: Account, principal: str, question: Question) -> Iterator[Refusal | Unchecked]:
    """What is refused. Actions that the simulation does not know are asked for one by one, to name them."""
    try:
        yield from refusals(question, _simulated(account, principal, question))
    except ClientError as error:
        if error.response["Error"]["Code"] != UNKNOWN_ACTION:
            raise
        if len(question.actions) == 1:
            yield Unchecked(f"the permission {question.actions[0]} on {question.resource}", str(error))
            return
        for action in question.actions:
            yield from _answers(account, principal, question._replace(actions=(action,)))


def _simulated(account: Account, principal: str, question: Question) -> list[dict[str, Any]]:
    pages = account.client("iam").get_paginator("simulate_principal_policy")
    asked = request(principal, question, account.settings.region)
    return [result for page in pages.paginate(**asked) for result in page["EvaluationResults"]]
