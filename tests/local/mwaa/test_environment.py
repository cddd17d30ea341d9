"""``environment.yaml`` by CloudFormation's own schema of each resource, which cfn-lint has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import ROOT

pytestmark = pytest.mark.slow

UV = Path(sys.executable).parent / "uv"
LOCK = ROOT / "requirements" / "cfn_lint.lock"
REGION = "us-east-1"
MISTAKES = {
    "EnvironmentClass: !Ref": "EnvironmentKlass: !Ref",
    "GatewayId: !Ref InternetGateway": "GatewayId: !Ref NoGateway",
    "Domain: vpc": "Domain: moon",
}


@pytest.fixture(scope="module")
def cfn_lint(pytestconfig) -> Path:
    """The linter in an environment of its own, which outlives the tests and is made anew only if the lock changes."""
    environment = pytestconfig.cache.mkdir("cfn-lint") / "env"
    if not (environment / "bin" / "python").exists():
        uv("venv", "--python", sys.executable, str(environment))
    arguments = ["pip", "sync", "--quiet", "--require-hashes", "--python", str(environment), str(LOCK)]
    if uv(*arguments, "--offline").returncode != 0:
        run = uv(*arguments)
        if "error sending request" in run.stderr:
            pytest.skip("PyPI cannot be reached, and uv's cache lacks a package of cfn-lint")
        assert run.returncode == 0, run.stderr
    return environment / "bin" / "cfn-lint"


def uv(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([UV, *arguments], env=os.environ, capture_output=True, text=True)


def test_cloudformation_has_nothing_against_the_template_and_would_find_mistakes(cfn_lint, tmp_path):
    """One call, as most of the time is the linter's start."""
    right = ROOT / "mwaa" / "environment.yaml"
    wrong = tmp_path / "wrong.yaml"
    text = right.read_text()
    for old, new in MISTAKES.items():
        assert old in text
        text = text.replace(old, new, 1)
    wrong.write_text(text)

    command = [cfn_lint, "--format", "parseable", "--regions", REGION, "--", str(right), str(wrong)]
    run = subprocess.run(command, capture_output=True, text=True)

    found = [line for line in (run.stdout + run.stderr).splitlines() if line]
    assert [line for line in found if not line.startswith(str(wrong))] == []
    for mistake in ("EnvironmentKlass", "NoGateway", "moon"):
        assert any(mistake in line for line in found), found
