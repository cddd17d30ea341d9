"""What ``make check`` looks at: style, format, types and shell scripts. ``bin/lab check types shell`` runs two of them.

Types are checked once with Airflow's packages and once with Spark's, because no environment holds both. Shell
scripts are the files with a shell's shebang and the pipeline's ``.sh`` templates. A template's only Jinja is the line
that includes another file; shellcheck reads that line as ``source``, so that its line numbers are the file's own.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from lab.progress import Reporter, StepError
from lab.setup import steps
from lab.state import CHECKOUT, State

PROGRAMS = Path(sys.executable).parent
SHEBANG = re.compile(rb"#!\s*/(?:usr/)?bin/(?:env )?(?:ba)?sh\b")
POLYGLOT = b'"exec" '
FOLDERS_WITH_SCRIPTS = (".ci", "bin", "lab", "mwaa")
TEMPLATES = CHECKOUT / "include" / "templates"
SPARK_CODE = ("spark/pinterest_lake", "lab/spark_worker")
INCLUDE = re.compile(r"^\{% include '(\S+\.sh)' %\}$", re.MULTILINE)

OF_TEMPLATES = ("--shell=bash", "--exclude=SC2153")  # capitals are the task's environment, assigned nowhere in the file

SHELLCHECK_IS_MISSING = "Install the package shellcheck; then run this again."


def run(names: Sequence[str], state: State, reporter: Reporter) -> int:
    """Run the named checks, or all, also after one has failed. Returns 0 only if all passed."""
    if unknown := [name for name in names if name not in CHECKS]:
        raise StepError(f"no check is called {', '.join(unknown)}", f"Choose from {', '.join(CHECKS)}.")
    failed = []
    for name in names or CHECKS:
        reporter.say(f"check: {name}")
        if not CHECKS[name](state, reporter):
            failed.append(name)
    reporter.say(f"failed: {', '.join(failed)}" if failed else "all passed")
    return 1 if failed else 0


def lint(state: State, reporter: Reporter) -> bool:
    return succeeds(PROGRAMS / "ruff", "check", "--quiet")


def layout(state: State, reporter: Reporter) -> bool:
    return succeeds(PROGRAMS / "ruff", "format", "--check", "--quiet", "--diff")


def types(state: State, reporter: Reporter) -> bool:
    """What runs in ``.venv``; pyproject.toml names the files."""
    return succeeds(PROGRAMS / "mypy")


def spark_types(state: State, reporter: Reporter) -> bool:
    """What runs in the Spark environment, which is installed if it is missing."""
    steps.install(state, reporter, only=("Spark environment",))
    python = state.install / "envs" / "spark" / "bin" / "python"
    # Named files: a package would be searched by pyproject.toml's rules, which leave lab/spark_worker out.
    files = [path for folder in SPARK_CODE for path in sorted((CHECKOUT / folder).rglob("*.py"))]
    return succeeds(PROGRAMS / "mypy", "--python-executable", python, "--cache-dir", ".mypy_cache/spark", *files)


def shell(state: State, reporter: Reporter) -> bool:
    program = shellcheck()
    if program is None:
        raise StepError("shellcheck has no package for this machine on PyPI, and is not on PATH", SHELLCHECK_IS_MISSING)
    passed = succeeds(program, "--external-sources", *scripts())
    with tempfile.TemporaryDirectory() as folder:
        for template in sorted(TEMPLATES.rglob("*.sh")):
            copy = Path(folder, template.relative_to(TEMPLATES))
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(INCLUDE.sub(r"source '\1'", template.read_text()))
        found = subprocess.run(
            [
                program,
                *OF_TEMPLATES,
                "--external-sources",
                f"--source-path={folder}",
                "--format=gcc",
                *sorted(map(str, Path(folder).rglob("*.sh"))),
            ],
            capture_output=True,
            text=True,
        )
    print(found.stdout.replace(folder, str(TEMPLATES.relative_to(CHECKOUT))), end="")
    print(found.stderr, end="", file=sys.stderr)
    return passed and found.returncode == 0


def shellcheck() -> str | None:
    """The one in ``.venv``; where PyPI has none for the machine, the one on PATH."""
    return shutil.which("shellcheck", path=PROGRAMS) or shutil.which("shellcheck")


def scripts() -> Iterator[Path]:
    """The checkout's shell scripts, templates aside. ``bin/query`` is Python after its first line."""
    for folder in FOLDERS_WITH_SCRIPTS:
        for path in sorted((CHECKOUT / folder).rglob("*")):
            if path.is_file() and is_shell(path):
                yield path


def is_shell(path: Path) -> bool:
    with path.open("rb") as file:
        return bool(SHEBANG.match(file.readline())) and not file.readline().startswith(POLYGLOT)


def succeeds(*command: str | Path) -> bool:
    return subprocess.run(command, cwd=CHECKOUT).returncode == 0


CHECKS: dict[str, Callable[[State, Reporter], bool]] = {
    "lint": lint,
    "format": layout,
    "types": types,
    "spark-types": spark_types,
    "shell": shell,
}
