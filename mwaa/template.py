"""The policies of the execution role in ``environment.yaml``: those of ``include/templates/policies``, filled with the
stack's parameters where they are otherwise filled with the settings.

A managed policy holds 6,144 characters, so each becomes as many as it takes. They are those of an account that the
pipeline provisions, with the Variable's defaults; what other settings add, ``bin/policies`` prints.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from include.aws.policies import policy
from include.settings import Account, Kafka, Settings

TEMPLATE = Path(__file__).with_name("environment.yaml")
POLICIES = {"airflow": None, "provision": "Provisions", "vpc_link": "Provisions", "teardown": "TearsDown"}
"""The condition of the template under which the role has the policy."""
SECTION = re.compile(r"(?<=^  # BEGIN policies)(.*?\n)(.*?)(?=^  # END policies$)", re.MULTILINE | re.DOTALL)
LONGEST = 6144
LONGEST_VALUES = {"UserId": 12, "AWS::AccountId": 12, "AWS::Region": 14, "ClusterName": 64}
PARAMETER = re.compile(r"\$\{([\w:]+)\}")

type Statement = dict[str, Any]


def with_policies(template: str) -> str:
    """A template with its section of policies written anew."""
    section = "".join(resources())
    return SECTION.sub(lambda found: f"{found[1]}{section}", template)


def resources() -> Iterator[str]:
    for name, condition in POLICIES.items():
        for number, statements in enumerate(parts(document(name)["Statement"]), 1):
            lines = [
                f"  {logical_name(name)}{number}:",
                "    Type: AWS::IAM::ManagedPolicy",
                *([f"    Condition: {condition}"] if condition else []),
                "    Properties:",
                "      Roles: [!Ref ExecutionRole]",
                "      PolicyDocument:",
                '        Version: "2012-10-17"',
                "        Statement:",
                *(f"          - {json.dumps(substituted(one))}" for one in statements),
            ]
            yield "\n".join([*lines, "", ""])


def logical_name(name: str) -> str:
    """What CloudFormation calls a policy's resources, without their number: letters and digits only."""
    return f"{name.title().replace('_', '')}Policy"


def document(name: str) -> dict[str, Any]:
    """A policy with the stack's parameters in place of values."""
    values: dict[str, Any] = {  # not validated: they are no values yet
        "user_id": "${UserId}",
        "region": "${AWS::Region}",
        "account": Account(provision=True),
        "kafka": Kafka.model_construct(cluster_name="${ClusterName}"),
    }
    return policy(name, Settings.model_construct(**values), "${AWS::AccountId}")


def parts(statements: list[Statement]) -> Iterator[list[Statement]]:
    """Statements in their order, as few lists as fit into policies."""
    part: list[Statement] = []
    for one in statements:
        if part and length([*part, one]) > LONGEST:
            yield part
            part = []
        part.append(one)
    if part:
        yield part


def length(statements: list[Statement]) -> int:
    """Characters that IAM counts, with parameters as long as they can be."""
    text = json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))
    return len(PARAMETER.sub(lambda found: "x" * LONGEST_VALUES[found[1]], text))


def substituted(value: Any) -> Any:
    """A value whose texts CloudFormation fills."""
    if isinstance(value, dict):
        return {name: substituted(one) for name, one in value.items()}
    if isinstance(value, list):
        return [substituted(one) for one in value]
    return {"Fn::Sub": value} if isinstance(value, str) and PARAMETER.search(value) else value
