"""Which release a process runs: digests of the code as it lies on disk, which every DAG has as a tag.

A deployment compares the tag with its package. Digests are of what the process that parsed the DAG has found there, so
an upload that is not whole shows, and so do plugins of an earlier release: nobody has to be believed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

IGNORE_FILE = ".airflowignore"
DAGS = "pinterest_"
"""How our names begin in the folder of DAGs, which may hold others."""
PLUGINS = ("pinterest_plugin.py", "pinterest", "include", "spark")
"""Ours in the folder of plugins. Its ``.airflowignore`` is everybody's, so it does not count."""
LENGTH = 8
PREFIX = "code "


@cache
def code_tag(dags: Path, plugins: Path) -> str:
    """The tag of the code in these two folders. ``include`` and ``spark`` may lie elsewhere than in ``plugins``.

    Reads every file, about 2 MB; a process that has asked once gets the same answer again.
    """
    include = Path(__file__).parent
    places = {"include": include, "spark": include.parent / "spark"}
    return tag(
        {name: path.read_bytes() for name, path in files(dags) if is_our_dag(name)},
        {
            name: path.read_bytes()
            for first in PLUGINS
            for name, path in files(places.get(first, plugins / first), f"{first}/")
        },
    )


def tag(dags: Mapping[str, bytes], plugins: Mapping[str, bytes]) -> str:
    """The tag of files, given their content by their name in the folder of DAGs, and in that of plugins."""
    ours = {name: content for name, content in dags.items() if is_our_dag(name)}
    return f"{PREFIX}{digest(ours)}.{digest({name: plugins[name] for name in plugins if is_our_plugin(name)})}"


def digests_of(tag: str) -> tuple[str, str]:
    """The digests in a tag: of the DAGs, and of the plugins. Empty ones for a tag that is none of ours."""
    dags, _, plugins = tag.removeprefix(PREFIX).partition(".") if tag.startswith(PREFIX) else ("", "", "")
    return dags, plugins


def is_our_dag(name: str) -> bool:
    return name.startswith(DAGS) and name.endswith(".py")


def is_our_plugin(name: str) -> bool:
    return name.split("/")[0] in PLUGINS


def files(folder: Path, prefix: str = "") -> Iterator[tuple[str, Path]]:
    """Names relative to the folder, and paths. A file in the folder's place is itself."""
    if folder.is_file():
        yield prefix.rstrip("/"), folder
    for path in folder.rglob("*"):
        if path.is_file() and not is_left_out(path.relative_to(folder)):
            yield prefix + path.relative_to(folder).as_posix(), path


def is_left_out(name: Path) -> bool:
    """Python's caches, and what is hidden: editors' and the Finder's files, ``.env``, and caches of checkers."""
    return any(part == "__pycache__" or (part.startswith(".") and part != IGNORE_FILE) for part in name.parts)


def digest(contents: Mapping[str, bytes]) -> str:
    """Hex digits over names and bytes, in whatever order they come."""
    found = hashlib.sha256()
    for name in sorted(contents):
        for part in (name.encode(), contents[name]):
            found.update(len(part).to_bytes(8, "big"))
            found.update(part)
    return found.hexdigest()[:LENGTH]
