from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from include.release import code_tag
from mwaa import package
from tests.builders import ROOT

NOT_OURS = (
    "dags/__pycache__/pinterest_batch.cpython-312.pyc",
    "dags/.env",
    "plugins/.DS_Store",
    "plugins/pinterest/.ipynb_checkpoints/settings.py",
    "plugins/pinterest/hooks/__pycache__/msk.cpython-312.pyc",
    "include/landing/.entries.py.swp",
    "spark/notebooks/.mypy_cache/check.json",
    "tests/unit/test_layers.py",
    ".lab/state/secrets.json",
    ".git/config",
)


@pytest.fixture
def checkout(tmp_path):
    """What a package is made of, in another folder, among caches, hidden files, tests and a lab."""
    copy = tmp_path / "elsewhere"
    for folder in ("dags", "plugins", "include", "spark", "mwaa"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, copy)
    for name in NOT_OURS:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text("secret")
    return copy


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def members(target: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(target / "plugins.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.slow
def test_a_package_has_the_same_bytes_wherever_and_whenever_it_is_built(checkout, tmp_path):
    package.build(ROOT, tmp_path / "here")
    for number, path in enumerate(sorted(checkout.rglob("*"), reverse=True)):
        os.utime(path, (10**9 + number, 10**9 + number))
        path.chmod(0o700)

    subprocess.run(
        [sys.executable, "-m", "mwaa", "package"],
        cwd=checkout,
        env={"LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7", "PYTHONUTF8": "1"},
        umask=0o077,
        check=True,
        capture_output=True,
    )

    assert contents(checkout / "build" / "mwaa") == contents(tmp_path / "here")


def test_a_package_is_four_things_and_a_manifest(checkout, tmp_path):
    target = tmp_path / "built"
    (target / "dags").mkdir(parents=True)
    (target / "dags" / "of_an_earlier_package.py").touch()

    package.build(checkout, target)

    assert {path.name for path in target.iterdir()} == {
        "dags",
        "manifest.json",
        "plugins.zip",
        "requirements.txt",
        "startup.sh",
    }
    assert {name for name in contents(target) if name.startswith("dags/")} == {
        "dags/.airflowignore",
        *(path.relative_to(ROOT).as_posix() for path in (ROOT / "dags").rglob("*.py")),
    }


def test_the_archive_holds_what_lies_in_the_plugins_folder_and_no_more(checkout, tmp_path):
    package.build(checkout, tmp_path / "built")

    expected = {".airflowignore": (ROOT / "plugins/.airflowignore").read_bytes()}
    for folder, place in (("plugins", ""), ("include", "include/"), ("spark", "spark/")):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and path.name != ".airflowignore":
                expected[place + path.relative_to(ROOT / folder).as_posix()] = path.read_bytes()
    assert members(tmp_path / "built") == expected
    assert {name.split("/")[0] for name in expected} == {
        ".airflowignore",
        "include",
        "pinterest",
        "pinterest_plugin.py",
        "spark",
    }


@pytest.mark.parametrize("syntax", ["glob", "regexp"])  # the two of core.dag_ignore_file_syntax
def test_airflow_executes_only_the_plugin_file_of_the_archive(tmp_path, syntax):
    from airflow._shared.module_loading import find_path_from_directory

    package.build(ROOT, tmp_path)
    with zipfile.ZipFile(tmp_path / "plugins.zip") as archive:
        archive.extractall(tmp_path / "unzipped")

    def executed():
        found = find_path_from_directory(tmp_path / "unzipped", ".airflowignore", syntax)
        return {Path(path).relative_to(tmp_path / "unzipped").as_posix() for path in found}

    assert executed() == {"pinterest_plugin.py"}

    (tmp_path / "unzipped" / ".airflowignore").write_text("pinterest/\n")
    assert {"include/settings.py", "spark/notebooks/load.py"} <= executed()


def test_every_member_can_be_read_by_the_user_that_airflow_runs_as(tmp_path):
    package.build(ROOT, tmp_path)

    with zipfile.ZipFile(tmp_path / "plugins.zip") as archive:
        assert {oct(member.external_attr >> 16) for member in archive.infolist()} == {"0o100644"}


def test_the_manifest_tells_packages_apart(checkout, tmp_path):
    first = package.build(checkout, tmp_path / "built")
    (checkout / "include" / "faults.py").write_text("# changed")
    second = package.build(checkout, tmp_path / "built")

    changed = {name for name in first["sha256"] if first["sha256"][name] != second["sha256"][name]}
    assert changed == {"plugins.zip"}
    assert first["content"] != second["content"]
    assert json.loads((tmp_path / "built" / "manifest.json").read_text()) == second
    assert set(second["sha256"]) == set(contents(tmp_path / "built")) - {"manifest.json"}


def test_the_manifest_names_the_versions(tmp_path):
    manifest = package.build(ROOT, tmp_path)

    constraints = dict(package.PIN.findall((ROOT / "mwaa/airflow_constraints.txt").read_text().lower()))
    assert (manifest["version"], manifest["airflow"], manifest["python"]) == ("0.1.0", "3.3.1", "3.12")
    assert manifest["requirements"] == {name: constraints[name] for name in manifest["requirements"]}
    assert set(manifest["requirements"]) == {
        "apache-airflow-providers-databricks",
        "apache-airflow-providers-ssh",
        "pymysql",
    }


def test_the_manifest_names_the_dags_and_the_code_that_each_of_them_has_as_a_tag(checkout, tmp_path):
    manifest = package.build(checkout, tmp_path / "built")

    assert manifest["code"] == code_tag(ROOT / "dags", ROOT / "plugins")
    assert manifest["dags"] == sorted(path.stem for path in (ROOT / "dags").glob("*.py"))


def test_the_requirements_are_constrained_by_the_images_own_file(tmp_path):
    """MWAA's search for a constraint, and the line that needs no network."""
    package.build(ROOT, tmp_path)

    lines = (tmp_path / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if re.search(r"-c |--constraint ", line)] == [
        "--constraint ${AIRFLOW_CONSTRAINTS_FILE}"
    ]


@pytest.mark.parametrize(
    "stray",
    ["dags/dump.sql", "plugins/pinterest/id_ed25519", "include/notes.txt~", "spark/pinterest_lake/posts.parquet"],
)
def test_a_file_that_no_component_reads_is_refused(checkout, tmp_path, stray):
    (tmp_path / "built").mkdir()
    (tmp_path / "built" / "plugins.zip").write_text("of an earlier package")
    (checkout / stray).write_text("x")

    with pytest.raises(package.PackageError, match=re.escape(f"reads {checkout / stray}: move them out of")):
        package.build(checkout, tmp_path / "built")

    assert contents(tmp_path / "built") == {"plugins.zip": b"of an earlier package"}


@pytest.mark.parametrize(
    "secret",
    [
        "-----BEGIN OPENSSH PRIVATE " + "KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAA",
        "-----BEGIN PRIVATE " + "KEY-----\r\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEA",
        'login = "AKIA' + 'IOSFODNN7EXAMPLE"',
        'token = "dapi' + '0123456789abcdef0123456789abcdef"',
    ],
)
@pytest.mark.parametrize("name", ["dags/rds.pem", "include/report/key.json", "mwaa/startup.sh"])
def test_a_secret_is_refused(checkout, tmp_path, name, secret):
    (checkout / name).write_text(secret)

    with pytest.raises(package.PackageError, match=f"^{name.removeprefix('mwaa/')}: a private key or an access key"):
        package.build(checkout, tmp_path / "built")


def test_a_database_authority_may_lie_beside_the_dags(checkout, tmp_path):
    certificate = "-----BEGIN CERTIFICATE-----\nMIIEBjCCAu6gAwIBAgIJAMc0ZzaSUK51MA0GCSqGSIb3DQEBCwUAMIGP\n"
    (checkout / "dags" / "rds.pem").write_text(certificate)

    package.build(checkout, tmp_path / "built")

    assert (tmp_path / "built" / "dags" / "rds.pem").read_text() == certificate


@pytest.mark.slow
def test_the_command_says_what_goes_where(checkout):
    command = [sys.executable, "-m", "mwaa", "package"]
    printed = subprocess.run(command, cwd=checkout, check=True, capture_output=True, text=True).stdout

    for name in ("plugins.zip", "requirements.txt", "startup.sh", "dags/"):
        assert re.search(rf"build/mwaa/{name} +→ s3://BUCKET/{name}\n", printed)
    assert "aws s3 sync build/mwaa/dags s3://BUCKET/dags" in printed
    assert "Trigger pinterest_check" in printed

    (checkout / "dags" / "dump.sql").touch()
    refused = subprocess.run(command, cwd=checkout, capture_output=True, text=True)
    assert refused.returncode == 1
    assert refused.stderr.startswith("no component of MWAA reads ")
