"""What a command of the deployment fails with, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass


class DeployError(Exception):
    """A command cannot go on. The message says what is wrong and what to do."""


@dataclass(frozen=True)
class Finding:
    """Something that is missing or wrong, and its fix, each a sentence without its period."""

    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{self.problem}\n   fix: {self.fix}"


def listed(findings: list[Finding]) -> str:
    return "\n".join(f"{number}. {finding}" for number, finding in enumerate(findings, 1))
