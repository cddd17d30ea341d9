from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from include import release
from tests.builders import ROOT


@pytest.fixture
def installed(tmp_path) -> Path:
    """Both folders as MWAA has them."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "dags", tmp_path / "dags", ignore=ignore)
    shutil.copytree(ROOT / "plugins", tmp_path / "plugins", ignore=ignore)
    return tmp_path


def code(folder: Path) -> str:
    release.code_tag.cache_clear()
    return release.code_tag(folder / "dags", folder / "plugins")


def test_the_same_code_has_the_same_tag_wherever_it_lies(installed):
    assert code(installed) == code(ROOT)
    assert len(code(ROOT)) == len("code 12345678.12345678")


@pytest.mark.parametrize(
    "name",
    ["plugins/.airflowignore", "plugins/of_others.py", "dags/of_others.py", "dags/__pycache__/x.pyc", "dags/rds.pem"],
)
def test_what_is_not_ours_does_not_count(installed, name):
    before = code(installed)
    (installed / name).parent.mkdir(exist_ok=True)
    (installed / name).write_text("x")

    assert code(installed) == before


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("dags/pinterest_batch.py", (True, False)),
        ("dags/pinterest_stages/posting.py", (True, False)),
        ("dags/pinterest_of_an_earlier_release.py", (True, False)),
        ("plugins/pinterest/settings.py", (False, True)),
        ("plugins/pinterest/waiters/kafkaconnect.json", (False, True)),
        ("plugins/pinterest_plugin.py", (False, True)),
    ],
)
def test_a_byte_of_ours_changes_the_digest_of_its_folder(installed, name, changed):
    before = release.digests_of(code(installed))
    with (installed / name).open("a") as file:
        file.write("\n")

    after = release.digests_of(code(installed))

    assert tuple(one != other for one, other in zip(before, after, strict=True)) == changed


def test_include_and_spark_count_among_the_plugins():
    files = {"include/a.py": b"1", "spark/b.py": b"2", "pinterest/c.py": b"3", "others/d.py": b"4"}
    tag = release.tag({}, files)

    assert release.tag({}, {**files, "others/d.py": b"5"}) == tag
    for name in ("include/a.py", "spark/b.py", "pinterest/c.py"):
        assert release.tag({}, {**files, name: b"5"}) != tag


def test_other_tags_have_no_digests():
    assert release.digests_of("setup") == ("", "")
    assert release.digests_of("code 12345678.9abcdef0") == ("12345678", "9abcdef0")
