"""``startup.sh`` as MWAA runs it: sourced, in a shell whose environment is kept afterwards."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tests.builders import ROOT

BASH = shutil.which("bash") or "bash"
SCRIPT = ROOT / "mwaa" / "startup.sh"


def source(home, *options: str, **environment: str) -> str:
    run = subprocess.run(
        [BASH, "--norc", *options, "-c", f"source {SCRIPT}; echo exit code $?; export -p; set -o"],
        env={"PATH": "/usr/bin:/bin", "AIRFLOW_HOME": str(home), **environment},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


def names_exported(printed: str) -> set[str]:
    return set(re.findall(r"^declare -x (\w+)", printed.split("exit code 0\n")[1], re.MULTILINE))


@pytest.fixture
def home(tmp_path):
    for name in ("pinterest", "include", "spark"):
        (tmp_path / "plugins" / name).mkdir(parents=True)
    for name in (".airflowignore", "pinterest_plugin.py"):
        (tmp_path / "plugins" / name).touch()
    return tmp_path


@pytest.mark.parametrize("options", [(), ("-e",), ("-u",), ("-eu", "-o", "pipefail")])
def test_it_succeeds_and_leaves_the_environment_alone(home, options):
    printed = source(home, *options, MWAA_AIRFLOW_COMPONENT="worker")

    assert printed.startswith("pinterest-pipeline: worker, Python 3.")
    assert printed.count("pinterest-pipeline:") == 1
    exported = {
        "AIRFLOW_HOME",
        "MWAA_AIRFLOW_COMPONENT",
        "OLDPWD",
        "PATH",
        "PWD",
        "SHLVL",
    }  # bash adds three of its own
    assert names_exported(printed) <= exported
    assert bool(re.search(r"errexit\s+on", printed)) == any("e" in option for option in options if option != "pipefail")


def test_it_says_that_the_plugins_lie_in_the_wrong_folder(home):
    plugins = home / "plugins"
    (plugins / "plugins").mkdir()
    (plugins / "pinterest_plugin.py").rename(plugins / "plugins" / "pinterest_plugin.py")
    (plugins / "include").rename(plugins / "plugins" / "include")

    assert f"{plugins} lacks pinterest_plugin.py include. Upload plugins.zip" in source(home, "-eu")


@pytest.mark.parametrize(
    "environment", [{"PATH": "/nowhere"}, {"AIRFLOW_HOME": "/no where"}, {"BASH_ENV": "/dev/null"}]
)
def test_it_cannot_break_the_container(home, environment):
    source(home, "-eu", **environment)
