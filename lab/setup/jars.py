"""The jars in ``jars.lock``: downloaded by Maven if it is installed, else by the Ivy inside Spark, then verified."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from xml.etree.ElementTree import Element, SubElement, tostring

from lab.progress import StepError, Work
from lab.setup.java import trust_store_options
from lab.state import State

LOCK = Path(__file__).with_name("jars.lock")
SETS = ("kafka", "sink", "iam", "spark")


@dataclass(frozen=True)
class Jar:
    sha256: str
    folder: str
    group: str
    artifact: str
    version: str

    @classmethod
    def parse(cls, line: str) -> Self:
        sha256, folder, coordinates = line.split()
        return cls(sha256, folder, *coordinates.split(":"))

    @property
    def file(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def read_lock() -> dict[str, list[Jar]]:
    """Jars by set. A set's name is also its folder's."""
    sets: dict[str, list[Jar]] = defaultdict(list)
    for line in LOCK.read_text().splitlines():
        if line and not line.startswith("#"):
            jar = Jar.parse(line)
            sets[jar.folder].append(jar)
    return dict(sets)


def install(state: State, work: Work) -> None:
    target = state.install / "jars"
    fetch(state, SETS, target, work)


def fetch(state: State, names: tuple[str, ...], target: Path, work: Work) -> None:
    """Download sets into a staging folder, verify every file against the lock, then move them into place at once."""
    locked = read_lock()
    sets = {name: locked[name] for name in names}
    staging = target.with_name(f"{target.name}.new")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        if not shutil.which("mvn"):
            raise StepError("Maven is not installed")
        fetch_with_maven(sets, staging, work)
    except StepError as reason:
        work.write(f"{reason}: using Ivy instead")
        fetch_with_ivy(state, sets, staging, work)
    work.note = "checking SHA-256"
    problems = [problem for name, jars in sets.items() for problem in differences(staging / name, jars)]
    if problems:
        work.write("\n".join(problems))
        raise StepError(
            f"{len(problems)} jars differ from {LOCK.name}: {problems[0]}",
            "Nothing was installed. If a proxy or a mirror alters files on the way, bypass it; then run this again.",
        )
    shutil.rmtree(target, ignore_errors=True)
    staging.rename(target)


def differences(folder: Path, jars: list[Jar]) -> list[str]:
    """Jars that are missing, different, or present without being listed."""
    problems = []
    for jar in jars:
        path = folder / jar.file
        if not path.exists():
            problems.append(f"{folder.name}/{jar.file} is missing")
        elif (found := hashlib.sha256(path.read_bytes()).hexdigest()) != jar.sha256:
            problems.append(f"{folder.name}/{jar.file} has SHA-256 {found}, not the listed {jar.sha256}")
    listed = {jar.file for jar in jars}
    problems += [f"{folder.name}/{path.name} is not listed" for path in folder.glob("*") if path.name not in listed]
    return problems


def fetch_with_maven(sets: dict[str, list[Jar]], target: Path, work: Work) -> None:
    """One reactor build with a module per set, because sets may hold different versions of an artifact."""
    work.note = "downloading with Maven"
    build = target.with_name("jars.maven")
    shutil.rmtree(build, ignore_errors=True)
    parent = project("all", packaging="pom")
    modules = SubElement(parent, "modules")
    for name, jars in sets.items():
        SubElement(modules, "module").text = name
        module = project(name)
        dependencies = SubElement(module, "dependencies")
        for jar in jars:
            dependency = element(dependencies, "dependency", group(jar.group, jar.artifact) | {"version": jar.version})
            element(SubElement(dependency, "exclusions"), "exclusion", group("*", "*"))
        write_xml(build / name / "pom.xml", module)
    write_xml(build / "pom.xml", parent)
    work.command(
        "mvn",
        *shlex.split(os.environ.get("MAVEN_ARGS", "")),  # only Maven 3.9 and later read it themselves
        *("-q", "-B", "-C", "-T4", "-f", build / "pom.xml", "dependency:copy-dependencies"),
        "-DincludeScope=runtime",
        "-DoutputDirectory=jars",
    )
    for name in sets:
        (build / name / "jars").rename(target / name)
    shutil.rmtree(build)


def project(name: str, packaging: str = "jar") -> Element:
    return element(
        None, "project", {"modelVersion": "4.0.0", **group("lab", name), "version": "1", "packaging": packaging}
    )


def group(group_id: str, artifact: str) -> dict[str, str]:
    return {"groupId": group_id, "artifactId": artifact}


def element(parent: Element | None, tag: str, texts: dict[str, str]) -> Element:
    made = Element(tag) if parent is None else SubElement(parent, tag)
    for name, text in texts.items():
        SubElement(made, name).text = text
    return made


def write_xml(path: Path, root: Element) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tostring(root))


def fetch_with_ivy(state: State, sets: dict[str, list[Jar]], target: Path, work: Work) -> None:
    """One Ivy process per set: each resolves its modules one by one and mostly waits for the network."""
    build = target.with_name("jars.ivy")
    shutil.rmtree(build, ignore_errors=True)
    build.mkdir()
    [spark_jars] = state.install.glob("envs/spark/lib/python*/site-packages/pyspark/jars")
    class_path = ":".join(str(path) for name in ("ivy", "commons-logging") for path in spark_jars.glob(f"{name}-*.jar"))
    options = trust_store_options(state.install)

    def fetch(name: str) -> None:
        write_xml(build / f"{name}-settings.xml", ivy_settings(build / "cache" / name))
        write_xml(build / f"{name}.xml", ivy_module(name, sets[name]))
        work.command(
            str(state.install / "java" / "bin" / "java"),
            *("-Xmx256m", *options, "-cp", class_path, "org.apache.ivy.Main"),
            *("-settings", str(build / f"{name}-settings.xml"), "-ivy", str(build / f"{name}.xml")),
            *("-types", "jar", "bundle", "maven-plugin", "orbit", "-confs", "runtime"),
            *("-retrieve", f"{target}/{name}/[artifact]-[revision].[ext]", "-warn"),
        )
        work.note = f"downloading with Ivy, {sum(1 for _ in target.glob('*/*.jar'))} jars in place"

    work.note = "downloading with Ivy, which takes about two minutes"
    with ThreadPoolExecutor(len(sets)) as pool:
        list(pool.map(fetch, sets))
    shutil.rmtree(build)


def ivy_settings(cache: Path) -> Element:
    settings = Element("ivysettings")
    SubElement(settings, "settings", defaultResolver="central")
    SubElement(settings, "caches", defaultCacheDir=str(cache))
    resolvers = SubElement(settings, "resolvers")
    SubElement(resolvers, "ibiblio", name="central", m2compatible="true")
    return settings


def ivy_module(name: str, jars: list[Jar]) -> Element:
    module = Element("ivy-module", version="2.0")
    SubElement(module, "info", organisation="lab", module=name)
    SubElement(SubElement(module, "configurations"), "conf", name="runtime")
    dependencies = SubElement(module, "dependencies")
    for jar in jars:
        SubElement(
            dependencies,
            "dependency",
            org=jar.group,
            name=jar.artifact,
            rev=jar.version,
            transitive="false",
            conf="runtime->master,runtime,compile,default",
        )
    return module
