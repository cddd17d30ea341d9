"""The set-up's steps: what each makes, from which inputs, in which order. Only missing or stale parts are made."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import platform
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.progress import Reporter, Step, StepError, Work, run_steps
from lab.setup import environments, jars, java, mariadb
from lab.setup.platforms import why_unsupported
from lab.state import CHECKOUT, State

ARCHIVE_SOURCES = ("lab/setup/archives.py", "lab/s3_sink", "lab/rest_proxy", "lab/mirror_archives")


@dataclass(frozen=True)
class Part:
    """Something installed. It is made again when one of its ``inputs``, or a part listed in ``after``, has changed."""

    name: str
    make: Callable[[State, Work], None]
    inputs: tuple[str, ...]
    product: str
    after: tuple[str, ...] = ()


def parts() -> list[Part]:
    machine = (platform.system(), platform.machine(), str(CHECKOUT))
    return [
        Part(
            "ministack environment",
            lambda state, work: environments.install(state, "ministack", work),
            environments.what_it_depends_on("ministack"),
            "envs/ministack",
        ),
        Part(
            "Spark environment",
            lambda state, work: environments.install(state, "spark", work),
            environments.what_it_depends_on("spark"),
            "envs/spark",
        ),
        Part("Java", java.install, (java.WRAPPER, *machine), "java/bin/java", after=("Spark environment",)),
        Part("jars", jars.install, (jars.LOCK.read_text(), str(jars.SETS)), "jars", after=("Java",)),
        Part("MariaDB", mariadb.install, (*machine, jars.LOCK.read_text()), "mariadb/server.json", after=("Java",)),
        Part("archives", build_archives, (contents(ARCHIVE_SOURCES),), "mirror/digests.json", after=("jars",)),
    ]


def build_archives(state: State, work: Work) -> None:
    from lab.setup import archives

    work.note = "compiling the sink and packing the download mirror"
    archives.build(state)


def contents(sources: Iterable[str]) -> str:
    """A digest of files and folders in the checkout, by path and content."""
    digest = hashlib.sha256()
    for source in sources:
        path = CHECKOUT / source
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(CHECKOUT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def install(state: State, reporter: Reporter, *, only: Collection[str] = ()) -> None:
    """Make missing and stale parts, independent ones in parallel. Two labs that share a folder take turns.

    :param only: names of the parts to make; all if it is empty
    """
    chosen = [part for part in parts() if not only or part.name in only]
    needs_mariadb = any(part.name == "MariaDB" for part in chosen)
    if sentence := (why_unsupported() or (mariadb.INSTALL_IT if needs_mariadb and not mariadb.can_be_had() else None)):
        raise StepError(sentence)
    state.install.mkdir(parents=True, exist_ok=True)
    with turn(state.install / "setup.lock", reporter):
        wanted = stamps()
        stale = [part for part in chosen if not is_current(state, part, wanted)]
        if not stale:
            return
        reporter.say(f"set-up: {', '.join(part.name for part in stale)}")
        names = {part.name for part in stale}
        run_steps(
            [
                Step(
                    part.name,
                    functools.partial(make, state, part, wanted[part.name]),
                    tuple(name for name in part.after if name in names),
                )
                for part in stale
            ],
            functools.partial(log_of, state),
            reporter,
        )


def make(state: State, part: Part, stamp: str, work: Work) -> None:
    stamp_file(state, part).unlink(missing_ok=True)
    work.log.write_text("")
    part.make(state, work)
    stamp_file(state, part).write_text(stamp)


def stamps() -> dict[str, str]:
    """The stamp that each part must have: its inputs, and the stamps of the parts it is made from."""
    found: dict[str, str] = {}
    for part in parts():
        ingredients = [*part.inputs, *(found[name] for name in part.after)]
        found[part.name] = hashlib.sha256("\0".join(ingredients).encode()).hexdigest()
    return found


def is_current(state: State, part: Part, wanted: dict[str, str]) -> bool:
    stamp = stamp_file(state, part)
    return (state.install / part.product).exists() and stamp.exists() and stamp.read_text() == wanted[part.name]


def missing_parts(state: State) -> list[str]:
    wanted = stamps()
    return [part.name for part in parts() if not is_current(state, part, wanted)]


def stamp_file(state: State, part: Part) -> Path:
    folder = state.install / "stamps"
    folder.mkdir(exist_ok=True)
    return folder / part.name.replace(" ", "-")


def log_of(state: State, name: str) -> Path:
    folder = state.install / "logs"
    folder.mkdir(exist_ok=True)
    return folder / f"{name.replace(' ', '-')}.log"


@contextmanager
def turn(lock: Path, reporter: Reporter) -> Iterator[None]:
    """Hold a file lock; report it if another process holds the lock."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            reporter.say(f"waiting for another process that is using {lock.parent}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
