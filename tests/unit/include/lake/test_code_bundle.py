"""The folder of code that Databricks runs is named after its content."""

from __future__ import annotations

import pytest

from include.lake.code_bundle import CodeBundle, CodeBundleError


@pytest.fixture
def root(tmp_path):
    for path, text in {
        "notebooks/load.py": "# Databricks notebook source\nload()",
        "notebooks/analyses.py": "# Databricks notebook source\n",
        "pinterest_lake/__init__.py": "",
        "pinterest_lake/contract.json": "{}",
        "pinterest_lake/tables.py": "x = 1",
        "pinterest_lake/deep/more.py": "y = 2",
        "pinterest_lake/__pycache__/tables.cpython-312.pyc": "no",
        "notes.md": "no",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_notebooks_lose_their_suffix_and_lie_beside_the_library(root):
    assert [(file.path, file.notebook) for file in CodeBundle(root).files] == [
        ("analyses", True),
        ("load", True),
        ("pinterest_lake/__init__.py", False),
        ("pinterest_lake/contract.json", False),
        ("pinterest_lake/deep/more.py", False),
        ("pinterest_lake/tables.py", False),
    ]
    assert CodeBundle(root).folders == ("pinterest_lake", "pinterest_lake/deep")


def test_the_hash_is_twelve_hex_digits_and_stays():
    first, second = CodeBundle().content_hash, CodeBundle().content_hash

    assert first == second
    assert len(first) == 12
    assert int(first, 16) >= 0


@pytest.mark.parametrize("path", ["notebooks/load.py", "pinterest_lake/deep/more.py", "pinterest_lake/contract.json"])
def test_one_byte_changes_the_hash(root, path):
    before = CodeBundle(root).content_hash
    (root / path).write_text((root / path).read_text() + " ")

    assert CodeBundle(root).content_hash != before


def test_a_file_that_moves_changes_the_hash(root):
    before = CodeBundle(root).content_hash
    (root / "pinterest_lake/tables.py").rename(root / "pinterest_lake/tablet.py")

    assert CodeBundle(root).content_hash != before


def test_what_is_not_code_does_not_count(root):
    before = CodeBundle(root).content_hash
    (root / "notes.md").write_text("changed")

    assert CodeBundle(root).content_hash == before


def test_a_folder_without_code_is_an_error(tmp_path):
    with pytest.raises(CodeBundleError, match="0 notebooks"):
        _ = CodeBundle(tmp_path).files
