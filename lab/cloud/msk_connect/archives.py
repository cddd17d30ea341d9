"""Custom plugins: an archive in S3 becomes a folder in the worker's plugin path."""

from __future__ import annotations

import hashlib
import io
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lab.state import REGION, State

CONNECTOR_SERVICES = tuple(
    f"META-INF/services/org.apache.kafka.connect.{kind}Connector" for kind in ("sink.Sink", "source.Source")
)
DIGEST = ".sha256"
CLASSES = ".connectors"
LOADED = ".loaded"


class ArchiveError(Exception):
    """The archive is not a valid plugin. ``code`` goes into the state description."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Archive:
    content: bytes
    content_type: str

    @property
    def description(self) -> dict[str, Any]:
        return {"fileMd5": hashlib.md5(self.content).hexdigest(), "fileSize": len(self.content)}

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def jars(self) -> dict[str, bytes]:
        """The archive's jars, by path."""
        if self.content_type == "JAR":
            return {"plugin.jar": self.content}
        try:
            with zipfile.ZipFile(io.BytesIO(self.content)) as archive:
                return {name: archive.read(name) for name in archive.namelist() if safe_jar_name(name)}
        except (zipfile.BadZipFile, NotImplementedError) as error:
            raise ArchiveError("InvalidInput.InvalidArchive", f"The file is not a ZIP archive: {error}") from error


def safe_jar_name(name: str) -> bool:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ArchiveError("InvalidInput.InvalidArchive", f"The archive contains a path that leads outside it: {name}")
    return path.suffix == ".jar"


def connector_classes(jars: dict[str, bytes]) -> set[str]:
    """The classes named in the jars' service files, which a worker with ``plugin.discovery=service_load`` finds."""
    found: set[str] = set()
    for name, content in jars.items():
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as jar:
                for service in set(CONNECTOR_SERVICES) & set(jar.namelist()):
                    lines = (line.partition("#")[0].strip() for line in jar.read(service).decode().splitlines())
                    found.update(line for line in lines if line)
        except zipfile.BadZipFile as error:
            raise ArchiveError("InvalidInput.InvalidArchive", f"{name} is not a jar: {error}") from error
    if not found:
        raise ArchiveError(
            "InvalidInput.NoConnector",
            f"The archive names no connector: none of its {len(jars)} jars has {' or '.join(CONNECTOR_SERVICES)}",
        )
    return found


def fetch(state: State, location: dict[str, Any], content_type: str) -> Archive:
    """Download the archive. Raises ArchiveError if there is no such object, BotoCoreError if S3 does not answer."""
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{state.port('aws')}",
        region_name=REGION,
        aws_access_key_id=state.secret("aws_access_key_id"),
        aws_secret_access_key=state.secret("aws_secret_access_key"),
        config=Config(connect_timeout=2, read_timeout=30, proxies={}),
    )
    bucket = location["bucketArn"].rpartition(":")[2]
    version = {"VersionId": location["objectVersion"]} if "objectVersion" in location else {}
    try:
        content = s3.get_object(Bucket=bucket, Key=location["fileKey"], **version)["Body"].read()
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
            raise BotoCoreError from error
        code = error.response["Error"]["Code"]
        raise ArchiveError(f"InvalidInput.{code}", f"s3://{bucket}/{location['fileKey']}: {error}") from error
    return Archive(content, content_type)


class PluginPath:
    """The folder that the worker scans at start-up for one folder per plugin."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, name: str, archive: Archive) -> set[str]:
        """Unpack the plugin unless it is already there. Returns the connector classes that the worker will find.

        A worker loads a class from one place only: an older plugin with one of these classes is removed.
        """
        target = self.folder / name
        if (target / DIGEST).exists() and (target / DIGEST).read_text() == archive.digest:
            return set((target / CLASSES).read_text().split())
        jars = archive.jars()
        classes = connector_classes(jars)
        staging = self.folder.parent / "unpacking"
        shutil.rmtree(staging, ignore_errors=True)
        for path, content in jars.items():
            (staging / path).parent.mkdir(parents=True, exist_ok=True)
            (staging / path).write_bytes(content)
        (staging / CLASSES).write_text("\n".join(sorted(classes)))
        (staging / DIGEST).write_text(archive.digest)
        self.folder.mkdir(parents=True, exist_ok=True)
        for other in self.folder.glob(f"*/{CLASSES}"):
            if classes & set(other.read_text().split()):
                shutil.rmtree(other.parent)
        shutil.rmtree(target, ignore_errors=True)
        staging.rename(target)
        return classes

    def is_loaded(self, name: str) -> bool:
        """Whether a worker has started since the plugin was unpacked."""
        return (self.folder / name / LOADED).exists()

    def mark_loaded(self, name: str) -> None:
        (self.folder / name / LOADED).touch()

    def remove(self, name: str) -> None:
        shutil.rmtree(self.folder / name, ignore_errors=True)
