"""The package for MWAA: what is uploaded to the bucket of an environment, and nothing else.

A package is a function of the checkout's content: built again, elsewhere, by anyone, it has the same bytes. So the
archive is not compressed (zlib's versions differ), and its members are sorted and have neither a time nor an owner.
Caches and hidden files are left out. Anything else that no component reads is refused, and so is what looks like a key,
because whoever may read the bucket could read it.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from include.release import IGNORE_FILE, is_left_out, is_our_dag, tag

PLUGINS = {"plugins": "", "include": "include/", "spark": "spark/"}  # folder: where it lies in plugins.zip
PYTHON = "3.12"
BESIDE = ("requirements.txt", "mwaa/startup.sh")
SUFFIXES = {".html", ".json", ".pem", ".properties", ".py", ".sh", ".vtl"}
SECRET = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[\w+/=]{40}"
    rb"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"  # AWS
    rb"|\bdapi[0-9a-f]{32}\b"  # Databricks
)
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)$", re.MULTILINE)
READABLE_FILE = 0o100644 << 16
EARLIEST = (1980, 1, 1, 0, 0, 0)
UNIX = 3


class PackageError(Exception):
    """A file that does not belong in a package. The message names every one, and says what to do."""


def build(checkout: Path, target: Path) -> dict[str, Any]:
    """Write the package to ``target`` and return its manifest. What ``target`` held before is deleted.

    Raises PackageError, before it deletes anything, if a file does not belong in a package.
    """
    dags = {f"dags/{name}": content for name, content in files(checkout / "dags")}
    plugins = {place + name: content for folder, place in PLUGINS.items() for name, content in files(checkout / folder)}
    beside = {Path(name).name: (checkout / name).read_bytes() for name in BESIDE}
    refuse_secrets({**dags, **plugins, **beside})

    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    write_archive(target / "plugins.zip", plugins)
    for name, content in {**dags, **beside}.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    manifest = {**manifest_of(checkout, target), **code_of(dags, plugins)}
    (target / "manifest.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return manifest


def files(folder: Path) -> list[tuple[str, bytes]]:
    """Names relative to the folder, and contents, sorted by name."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    wanted = {name: path for name, path in sorted(paths.items()) if not is_left_out(path.relative_to(folder))}
    if strays := [path for path in wanted.values() if path.name != IGNORE_FILE and path.suffix not in SUFFIXES]:
        raise PackageError(
            f"no component of MWAA reads {', '.join(map(str, strays))}: move them out of {folder.name}/, "
            "or add their suffix to SUFFIXES in mwaa/package.py"
        )
    return [(name, path.read_bytes()) for name, path in wanted.items()]


def refuse_secrets(contents: dict[str, bytes]) -> None:
    if found := [name for name, content in contents.items() if SECRET.search(content)]:
        raise PackageError(
            f"{', '.join(found)}: a private key or an access key. Whoever may read the bucket could read it; "
            "keep it in an Airflow connection, Secrets Manager or Parameter Store"
        )


def write_archive(path: Path, contents: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(contents.items()):
            member = zipfile.ZipInfo(name, EARLIEST)
            member.create_system = UNIX
            member.external_attr = READABLE_FILE
            archive.writestr(member, content)


def manifest_of(checkout: Path, target: Path) -> dict[str, Any]:
    """``content`` is the digest of the digests of all files: it differs whenever any byte does."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files_of_package(target)}
    essential = dict(PIN.findall((checkout / "mwaa" / "mwaa_essential_constraints.txt").read_text(encoding="utf-8")))
    return {
        "version": tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"],
        "content": hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest(),
        "airflow": essential["apache-airflow"],
        "python": PYTHON,
        "requirements": dict(PIN.findall((target / "requirements.txt").read_text(encoding="utf-8"))),
        "sha256": digests,
    }


def code_of(dags: dict[str, bytes], plugins: dict[str, bytes]) -> dict[str, Any]:
    """The DAGs, and the tag that each of them has where this package runs."""
    inside = {name.removeprefix("dags/"): content for name, content in dags.items()}
    own = [name.removesuffix(".py") for name in inside if is_our_dag(name) and "/" not in name]
    return {"dags": own, "code": tag(inside, plugins)}


def files_of_package(target: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(target.rglob("*")):
        if path.is_file():
            yield path.relative_to(target).as_posix(), path.read_bytes()


def instructions(manifest: dict[str, Any], target: Path) -> str:
    """How to upload the package by hand."""
    return f"""\
{target}: pinterest-pipeline {manifest["version"]} ({manifest["content"][:12]}), for Airflow {manifest["airflow"]}

  {target}/plugins.zip       → s3://BUCKET/plugins.zip
  {target}/requirements.txt  → s3://BUCKET/requirements.txt
  {target}/startup.sh        → s3://BUCKET/startup.sh
  {target}/dags/             → s3://BUCKET/dags/

BUCKET is the environment's bucket; its versioning must be on. In this order:

1. for file in plugins.zip requirements.txt startup.sh; do aws s3 cp {target}/$file s3://BUCKET/$file; done
2. If one of the three has changed since the last upload: MWAA console, Edit, choose the newest version of each, Save;
   wait until the environment is available again (20 to 40 minutes).
3. aws s3 sync {target}/dags s3://BUCKET/dags
4. Trigger pinterest_check in Airflow: it is green, or its error lists what is missing or wrong, each with its fix.

{target}/manifest.json stays here: it lists the digest of every file. More: docs/on-mwaa.md"""
