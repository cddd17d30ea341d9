"""``make doctor``: one command for the lab and for an account."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.builders import ROOT


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ([], "bin/doctor lab"),
        (["TARGET=account"], "bin/doctor account"),
        (["TARGET=account", "ROLE=airflow"], "bin/doctor account airflow"),
    ],
)
def test_make_says_which(arguments, command):
    no_other_make = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    make = ["make", "-n", "doctor", *arguments]
    said = subprocess.run(make, cwd=ROOT, env=no_other_make, capture_output=True, text=True, check=True)

    assert said.stdout.strip() == command


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (["nowhere"], {}, "nowhere is neither lab nor account"),
        (["account"], {}, "set ENV_FILE to a readable file"),
        (["account"], {"ENV_FILE": "/nowhere/account.env"}, "set ENV_FILE to a readable file"),
    ],
)
def test_wrong_use_is_named(arguments, environment, says):
    kept = {name: value for name, value in os.environ.items() if name != "ENV_FILE"}
    said = subprocess.run([ROOT / "bin/doctor", *arguments], env=kept | environment, capture_output=True, text=True)

    assert said.returncode == 2
    assert says in said.stderr
