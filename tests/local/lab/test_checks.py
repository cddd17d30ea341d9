"""What ``make check`` looks at, and that it finds what is wrong."""

from __future__ import annotations

import re

import pytest

from lab import checks
from lab.progress import Reporter, StepError
from lab.state import CHECKOUT, State

needs_shellcheck = pytest.mark.skipif(checks.shellcheck() is None, reason="PyPI has no shellcheck for this machine")


@pytest.fixture
def state(tmp_path) -> State:
    return State(tmp_path / "state", tmp_path / "install")


def shell(state: State) -> bool:
    return checks.shell(state, Reporter(quiet=True))


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout of its own, with one script and one template that includes another."""
    templates = tmp_path / "include" / "templates"
    for name, text in {
        "bin/tool": '#!/bin/sh\nset -eu\necho "$1"\n',
        "bin/python": "#!/usr/bin/env python3\nprint(`no shell`)\n",
        "bin/both": '#!/bin/sh\n"exec" "python3" "$0"\nprint(`no shell`)\n',
        "include/templates/stage/files.sh": 'keep() {\n  cp "$1" "$HOME"\n}\n',
        "include/templates/stage/run.sh": "set -eu\n# Takes FILE.\n{% include 'stage/files.sh' %}\n\nkeep \"$FILE\"\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(checks, "CHECKOUT", tmp_path)
    monkeypatch.setattr(checks, "TEMPLATES", templates)
    return tmp_path


def test_scripts_are_told_by_their_first_lines(checkout):
    assert [path.name for path in checks.scripts()] == ["tool"]


def test_every_script_of_the_project_is_looked_at():
    found = {str(path.relative_to(CHECKOUT)) for path in checks.scripts()}

    assert {".ci/run", "bin/lab", "bin/airflow", "lab/setup/bootstrap.sh"} <= found
    assert {
        f"lab/mirror_archives/{name}" for name in ("kafka/bin/kafka-topics.sh", "kafka-rest/bin/kafka-rest-start")
    } <= found


@needs_shellcheck
def test_clean_scripts_pass(checkout, state, capfd):
    assert shell(state), capfd.readouterr()


@needs_shellcheck
def test_a_script_is_named_with_its_line(checkout, state, capfd):
    (checkout / "bin" / "tool").write_text("#!/bin/sh\nset -eu\necho $1\n")

    assert not shell(state)
    assert re.search(r"bin/tool line 3:", capfd.readouterr().out)


@needs_shellcheck
def test_a_template_is_named_with_its_own_line(checkout, state, capfd):
    template = checkout / "include/templates/stage/run.sh"
    template.write_text(template.read_text().replace('"$FILE"', "$FILE"))

    assert not shell(state)
    assert "include/templates/stage/run.sh:5:" in capfd.readouterr().out


@needs_shellcheck
def test_a_template_whose_include_is_missing_fails(checkout, state, capfd):
    (checkout / "include/templates/stage/files.sh").unlink()

    assert not shell(state)
    assert "include/templates/stage/run.sh:3:" in capfd.readouterr().out


def test_without_shellcheck_the_check_fails_and_says_what_to_install(checkout, state, monkeypatch, tmp_path):
    monkeypatch.setattr(checks, "PROGRAMS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(StepError, match="shellcheck") as caught:
        shell(state)

    assert caught.value.advice.startswith("Install")


def test_a_check_that_does_not_exist_is_refused(state):
    with pytest.raises(StepError, match="no check is called spelling"):
        checks.run(["spelling"], state, Reporter(quiet=True))


@pytest.mark.parametrize("template", sorted(checks.TEMPLATES.rglob("*.sh")), ids=lambda path: path.name)
def test_the_only_jinja_in_a_script_is_the_include(template):
    lines = [line for line in template.read_text().splitlines() if re.search(r"\{[{%#]", line)]

    assert [line for line in lines if not re.fullmatch(r"\{% include '[a-z0-9_]+/[\w.-]+' %\}", line)] == []
