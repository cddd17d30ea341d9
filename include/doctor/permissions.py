"""Whether a role may do what its policy says: what IAM's simulation is asked, and what its answers mean.

A policy's own patterns (``…/ec2/keypair/*``) are asked as they are: a role passes if what it is given covers them. The
simulation takes the conditions as met, and sees the organization's policies, but no policy of a bucket or key.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from include.aws.policies import Document, statements
from include.doctor.remark import Finding

ALLOWED = "allowed"


class Question(NamedTuple):
    """Some actions on one resource. ``context`` are the conditions' keys, with values that meet them."""

    policy: str
    actions: tuple[str, ...]
    resource: str
    context: tuple[tuple[str, str], ...] = ()


class Refusal(NamedTuple):
    """An action that a role may not do on a resource, and what IAM says about it."""

    policy: str
    action: str
    resource: str
    why: str


class UnknownCallerError(ValueError):
    """Whose permissions these are cannot be told from the caller's ARN."""


def role_or_user(caller: str) -> tuple[str, str]:
    """``("role", name)`` or ``("user", ARN)`` of the caller that STS names. An assumed role's ARN has lost its path.

    Raises UnknownCallerError for the account's root user and for federated users.
    """
    assumed = re.fullmatch(r"arn:[\w-]+:sts::\d+:assumed-role/([^/]+)/.+", caller)
    if assumed:
        return "role", assumed[1]
    if re.fullmatch(r"arn:[\w-]+:iam::\d+:user/.+", caller):
        return "user", caller
    raise UnknownCallerError(f"{caller} is neither a role nor a user of IAM")


def questions(policy: str, document: Document) -> Iterator[Question]:
    """What a policy allows, one resource at a time: IAM's simulation takes no mixed kinds of resources."""
    for statement in statements(document):
        context = tuple(sorted(_met(statement.get("Condition", {})).items()))
        for resource in _as_list(statement["Resource"]):
            yield Question(policy, tuple(_as_list(statement["Action"])), resource, context)


def request(principal: str, question: Question, region: str) -> dict[str, Any]:
    """The arguments of ``SimulatePrincipalPolicy``."""
    context = {"aws:RequestedRegion": region, "aws:SecureTransport": "true"} | dict(question.context)
    return {
        "PolicySourceArn": principal,
        "ActionNames": [*question.actions],
        "ResourceArns": [question.resource],
        "ContextEntries": [
            {
                "ContextKeyName": name,
                "ContextKeyType": "boolean" if value == "true" else "string",
                "ContextKeyValues": [value],
            }
            for name, value in context.items()
        ],
    }


def refusals(question: Question, results: Iterable[Mapping[str, Any]]) -> Iterator[Refusal]:
    """Actions that are not allowed, by the simulation's ``EvaluationResults``."""
    for result in results:
        if result["EvalDecision"] != ALLOWED:
            yield Refusal(question.policy, result["EvalActionName"], question.resource, _why(result))


def findings(principal: str, refused: Sequence[Refusal], asked: Mapping[str, int]) -> Iterator[Finding]:
    """One finding for each policy that is missing altogether, and else for each resource.

    :param asked: how many actions on resources were asked for, by policy
    """
    by_policy: dict[str, list[Refusal]] = defaultdict(list)
    for refusal in refused:
        by_policy[refusal.policy].append(refusal)
    for policy, of_policy in by_policy.items():
        fix = f"give it the policy that `bin/policies {policy} <account> <pinterest_pipeline.json` prints"
        if len(of_policy) == asked[policy]:
            yield Finding(f"{principal} may do nothing of the policy {policy!r}: {of_policy[0].why}", fix)
            continue
        by_place: dict[tuple[str, str], list[str]] = defaultdict(list)
        for refusal in of_policy:
            by_place[refusal.resource, refusal.why].append(refusal.action)
        for (resource, why), actions in by_place.items():
            yield Finding(f"{principal} may not {', '.join(actions)} on {resource}: {why}", fix)


def _why(result: Mapping[str, Any]) -> str:
    if not result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True):
        return "a policy of the organization does not allow it"
    if not result.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary", True):
        return "its permissions boundary does not allow it"
    if result["EvalDecision"] == "explicitDeny":
        return "a policy denies it"
    missing = ", ".join(result.get("MissingContextValues", []))
    return "no policy allows it" + (f" (for any {missing})" if missing else "")


def _met(conditions: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Keys of the conditions, with a value that meets each: all of ours name what they want to see."""
    return {key: _as_list(value)[0] for keys in conditions.values() for key, value in keys.items()}


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
