"""An MWAA environment in memory: its bucket with versions, and an Airflow that has of it what MWAA would install.

What Airflow answers is worked out from the objects: plugins from the version that the environment was told of, DAGs
from the newest. So a fault is one in the objects, not in an answer.
"""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from include.release import tag
from mwaa.environment import Clock
from mwaa.package import PIN
from tests.builders import ROOT

NAME = "pinterest-pipeline"
BUCKET = "airflow-bucket"
REGION = "eu-west-1"


def small_checkout(folder: Path) -> Path:
    """A checkout of few files, and with the real ones of the deployment."""
    for name in (
        "dags/pinterest_batch.py",
        "dags/pinterest_check.py",
        "dags/pinterest_stream.py",
        "dags/pinterest_stages/posting.py",
        "plugins/.airflowignore",
        "plugins/pinterest_plugin.py",
        "plugins/pinterest/__init__.py",
        "plugins/pinterest/settings.py",
        "include/faults.py",
        "spark/notebooks/load.py",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"# {name}\n")
    for name in ("dags/.airflowignore", "mwaa/startup.sh", "mwaa/mwaa_essential_constraints.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    for name in ("pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


def error(code: str, operation: str, message: str = "", **more: Any) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}, **more}, operation)


def quick() -> Clock:
    """Time that passes only while somebody sleeps, and a minute at least."""
    seconds = [0.0]
    return Clock(now=lambda: seconds[0], sleep=lambda some: seconds.__setitem__(0, seconds[0] + max(some, 60)))


class S3:
    """A bucket with versioning; a version whose content is None is a deletion's marker."""

    def __init__(self) -> None:
        self.region = REGION
        self.versioning = "Enabled"
        self.blocked = True
        self.kept: dict[str, list[tuple[str, bytes | None, dict[str, str]]]] = {}
        self.written: list[str] = []

    def head_object(self, *, Bucket: str, Key: str, VersionId: str | None = None) -> dict[str, Any]:
        version, _, metadata = self._find(Key, VersionId, "404", "HeadObject")
        return {"VersionId": version, "Metadata": metadata}

    def get_object(self, *, Bucket: str, Key: str, VersionId: str | None = None) -> dict[str, Any]:
        version, content, _ = self._find(Key, VersionId, "NoSuchKey", "GetObject")
        return {"VersionId": version, "Body": io.BytesIO(content or b"")}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, Metadata: dict[str, str]) -> dict[str, str]:
        assert Bucket == BUCKET
        return {"VersionId": self._add(Key, Body, Metadata)}

    def delete_object(self, *, Bucket: str, Key: str) -> None:
        self._add(Key, None, {})

    def upload(self, key: str, content: bytes) -> str:
        """By other means: without a digest."""
        return self._add(key, content, {})

    def get_bucket_location(self, *, Bucket: str) -> dict[str, Any]:
        return {"LocationConstraint": None if self.region == "us-east-1" else self.region}

    def get_bucket_versioning(self, *, Bucket: str) -> dict[str, str]:
        return {"Status": self.versioning} if self.versioning else {}

    def get_public_access_block(self, *, Bucket: str) -> dict[str, Any]:
        if not self.blocked:
            raise error("NoSuchPublicAccessBlockConfiguration", "GetPublicAccessBlock")
        names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        return {"PublicAccessBlockConfiguration": dict.fromkeys(names, True)}

    def get_paginator(self, operation: str) -> SimpleNamespace:
        def objects(Bucket: str, Prefix: str) -> list[dict[str, Any]]:
            return [{"Contents": [{"Key": key} for key in sorted(self.contents()) if key.startswith(Prefix)]}]

        def versions(Bucket: str, Prefix: str) -> list[dict[str, Any]]:
            found = [
                {"Key": key, "VersionId": version}
                for key, kept in self.kept.items()
                if key.startswith(Prefix)
                for version, content, _ in reversed(kept)
                if content is not None
            ]
            return [{"Versions": found}]

        return SimpleNamespace(paginate={"list_objects_v2": objects, "list_object_versions": versions}[operation])

    def contents(self) -> dict[str, bytes]:
        """What the bucket shows."""
        return {key: content for key, kept in self.kept.items() if (content := kept[-1][1]) is not None}

    def at(self, key: str, version: str) -> bytes:
        return next(content for known, content, _ in self.kept[key] if known == version and content is not None)

    def _add(self, key: str, content: bytes | None, metadata: dict[str, str]) -> str:
        kept = self.kept.setdefault(key, [])
        version = f"{key.rpartition('/')[2]}-{len(kept) + 1}"
        kept.append((version, content, metadata))
        self.written.append(key)
        return version

    def _find(self, key: str, version: str | None, code: str, operation: str) -> tuple[str, bytes, dict[str, str]]:
        kept = self.kept.get(key, [])
        found = kept[-1:] if version is None else [one for one in kept if one[0] == version]
        if not found or found[0][1] is None:
            raise error(code, operation)
        return found[0][0], found[0][1], found[0][2]


class Mwaa:
    """The control plane, and the Airflow behind it."""

    meta = SimpleNamespace(region_name=REGION)

    def __init__(self, s3: S3) -> None:
        self.s3 = s3
        self.described: dict[str, Any] = {
            "Name": NAME,
            "Arn": f"arn:aws:airflow:{REGION}:123456789012:environment/{NAME}",
            "SourceBucketArn": f"arn:aws:s3:::{BUCKET}",
            "DagS3Path": "dags",
            "Status": "AVAILABLE",
            "AirflowVersion": "3.3.1",
            "LastUpdate": {"Status": "SUCCESS", "CreatedAt": 1},
        }
        self.updates: list[dict[str, str]] = []
        self.looks_until_updated = 2
        self.update_fails: dict[str, str] | None = None
        self.installs_requirements = True
        self.variable_is: list[dict[str, str]] = []
        self.paused = False
        self.runs: dict[str, str] = {}
        self.asked: list[str] = []
        self._coming: list[dict[str, Any]] = []

    def get_environment(self, *, Name: str) -> dict[str, Any]:
        if Name != NAME:
            raise error("ResourceNotFoundException", "GetEnvironment")
        if self._coming:
            self.described = self._coming.pop(0)
        return {"Environment": dict(self.described)}

    def update_environment(self, *, Name: str, **request: str) -> None:
        self.updates.append(request)
        now = {**self.described, "LastUpdate": {"Status": "PENDING", "CreatedAt": 1 + len(self.updates)}}
        if self.update_fails:
            failed = {"Status": "FAILED", "CreatedAt": 1 + len(self.updates), "Error": self.update_fails}
            after = {**self.described, "Status": "UPDATE_FAILED", "LastUpdate": failed}
        else:
            done = {"Status": "SUCCESS", "CreatedAt": 1 + len(self.updates)}
            after = {**self.described, **request, "Status": "AVAILABLE", "LastUpdate": done}
        busy = {**now, "Status": "UPDATING"}
        self._coming = [dict(self.described), *[busy] * self.looks_until_updated, after]

    def invoke_rest_api(
        self, *, Name: str, Method: str, Path: str, QueryParameters: Any = None, Body: Any = None
    ) -> dict[str, Any]:
        assert len(Path) <= 64
        self.asked.append(f"{Method} {Path}")
        return {"RestApiStatusCode": 200, "RestApiResponse": self._answer(Method, Path, Body)}

    def _answer(self, method: str, path: str, body: Any) -> dict[str, Any]:
        if method == "POST":
            assert path == "/dags/pinterest_check/dagRuns"
            self.runs[body["dag_run_id"]] = "failed" if self.variable_is else "success"
            return {}
        if path == "/providers":
            there = {name: version for name, version in self.installed().items() if "providers" in name}
            listed = [{"package_name": name, "version": version} for name, version in there.items()]
            return {"providers": listed, "total_entries": len(listed)}
        if path == "/plugins/importErrors":
            return {"import_errors": [], "total_entries": 0}
        if path == "/importErrors":
            found = [
                {"filename": name, "stack_trace": f"Traceback …\n{said}\n"} for name, said in self.errors().items()
            ]
            return {"import_errors": found, "total_entries": len(found)}
        if path == "/dags":
            return {"dags": self.dags(), "total_entries": len(self.dags())}
        if path == "/dags/pinterest_check":
            return {"is_paused": self.paused}
        if path == "/assets/events":
            extra = {"code": self.code(), "versions": self.installed(), "findings": self.variable_is}
            return {"asset_events": [{"extra": extra}]}
        run_id = path.removeprefix("/dags/pinterest_check/dagRuns/")
        return {"state": self.runs[run_id]}

    def plugins(self) -> dict[str, bytes]:
        """What lies in the folder of plugins."""
        version = self.described.get("PluginsS3ObjectVersion")
        if not version:
            return {}
        with zipfile.ZipFile(io.BytesIO(self.s3.at(self.described["PluginsS3Path"], version))) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def installed(self) -> dict[str, str]:
        """What the requirements have added. A failure of them is logged, and that is all."""
        version = self.described.get("RequirementsS3ObjectVersion")
        if not version or not self.installs_requirements:
            return {"apache-airflow": "3.3.1"}
        pins = PIN.findall(self.s3.at(self.described["RequirementsS3Path"], version).decode())
        return {"apache-airflow": "3.3.1", **dict(pins)}

    def dag_files(self) -> dict[str, bytes]:
        return {key.removeprefix("dags/"): one for key, one in self.s3.contents().items() if key.startswith("dags/")}

    def errors(self) -> dict[str, str]:
        """The last line of the import error of each DAG file that has one."""
        found = {}
        for name, content in self.dag_files().items():
            if "/" not in name and name.endswith(".py"):
                if "pinterest/__init__.py" not in self.plugins():
                    found[name] = "ModuleNotFoundError: No module named 'pinterest'"
                elif "apache-airflow-providers-databricks" not in self.installed():
                    found[name] = "ModuleNotFoundError: No module named 'airflow.providers.databricks'"
                elif wrong := re.search(rb"^raise (\w+)", content, re.MULTILINE):
                    found[name] = f"{wrong[1].decode()}: broken"
        return found

    def dags(self) -> list[dict[str, Any]]:
        names = [name for name in self.dag_files() if "/" not in name and name.endswith(".py")]
        return [
            {"dag_id": name.removesuffix(".py"), "tags": [{"name": "setup"}, {"name": self.code()}], "fileloc": name}
            for name in names
            if name not in self.errors()
        ]

    def code(self) -> str:
        return tag(self.dag_files(), self.plugins())
