"""A test file lies where its subject lies and carries its name, so that either leads to the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import ROOT

SUBJECTS = {
    "include": "include",
    "plugins": "plugins/pinterest",
    "dags": "dags/pinterest_stages",
    "lab": "lab",
    "mwaa": "mwaa",
}


def strays(root: Path) -> list[str]:
    """Test files without a subject: a module, a folder, or a shell script of their name, or of its beginning."""
    found = []
    for suite in ("unit", "local"):
        for layer, folder in SUBJECTS.items():
            tests = root / "tests" / suite / layer
            for path in sorted(tests.rglob("test_*.py")):
                beside = (root / folder / path.relative_to(tests)).parent
                if not _names_one_of(path, (p for p in beside.glob("*") if p.suffix in ("", ".py", ".sh"))):
                    found.append(path.relative_to(root).as_posix())
    scripts = [*(root / "include" / "templates").rglob("*.sh")]
    for path in sorted((root / "tests" / "local" / "client_scripts").glob("test_*.py")):
        if not _names_one_of(path, scripts):
            found.append(path.relative_to(root).as_posix())
    return found


def _names_one_of(test, subjects) -> bool:
    name = test.stem.removeprefix("test_")
    return any(name == one.stem or name.startswith(f"{one.stem}_") for one in subjects)


def test_every_test_file_has_its_subject():
    assert strays(ROOT) == []


@pytest.mark.parametrize(
    ("test", "subject"),
    [
        ("tests/unit/include/landing/test_coverage.py", "include/landing/coverage.py"),
        ("tests/unit/include/templates/test_s3_sink.py", "include/templates/s3_sink/x.sh"),
        ("tests/unit/plugins/hooks/test_msk.py", "plugins/pinterest/hooks/msk.py"),
        ("tests/unit/dags/test_topics.py", "dags/pinterest_stages/topics.py"),
        ("tests/local/lab/test_state.py", "lab/state.py"),
        ("tests/local/mwaa/test_startup.py", "mwaa/startup.sh"),
        ("tests/local/plugins/operators/test_posting_kafka.py", "plugins/pinterest/operators/posting.py"),
        ("tests/local/client_scripts/test_install_kafka.py", "include/templates/kafka_client/install_kafka.sh"),
    ],
)
def test_a_test_file_whose_subject_is_gone_is_found(tmp_path, test, subject):
    for name in (test, subject):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert strays(tmp_path) == []

    (tmp_path / subject).unlink()
    (tmp_path / subject).parent.rmdir()
    assert strays(tmp_path) == [test]
