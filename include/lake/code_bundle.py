"""The code that runs on Databricks, as one folder named after its content.

The folder's name changes with any byte of it, so an upload never changes code that a job is running, and a folder
that is complete needs no upload.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from include.faults import LastingError

NOTEBOOKS = "notebooks"
LIBRARY = "pinterest_lake"
SPARK = Path(__file__).parents[2] / "spark"
CONTRACT = SPARK / LIBRARY / "contract.json"


class CodeBundleError(LastingError, RuntimeError):
    """The folder ``spark/`` is not where it should be, or not whole."""


@dataclass(frozen=True)
class BundleFile:
    """``path`` is relative to the upload folder. A notebook has no suffix there."""

    path: str
    source: Path
    notebook: bool


@dataclass(frozen=True)
class CodeBundle:
    """Notebooks and, beside them, the library: a notebook's own folder is on its ``sys.path``."""

    root: Path = SPARK

    @cached_property
    def files(self) -> tuple[BundleFile, ...]:
        notebooks = sorted((self.root / NOTEBOOKS).glob("*.py"))
        library = sorted(path for path in (self.root / LIBRARY).rglob("*") if path.suffix in (".py", ".json"))
        if not notebooks or not library:
            raise CodeBundleError(
                f"{self.root} has {len(notebooks)} notebooks in {NOTEBOOKS}/ and {len(library)} files in {LIBRARY}/; "
                "the folder spark/ must lie beside include/"
            )
        return (
            *(BundleFile(path.stem, path, notebook=True) for path in notebooks),
            *(BundleFile(str(path.relative_to(self.root).as_posix()), path, notebook=False) for path in library),
        )

    @cached_property
    def content_hash(self) -> str:
        """12 hex digits over paths and bytes."""
        digest = hashlib.sha256()
        for file in sorted(self.files, key=lambda file: file.path):
            for part in (file.path.encode(), file.source.read_bytes()):
                digest.update(len(part).to_bytes(8, "big"))
                digest.update(part)
        return digest.hexdigest()[:12]

    @property
    def folders(self) -> tuple[str, ...]:
        """Folders below the upload folder, parents first."""
        return tuple(sorted({str(Path(file.path).parent.as_posix()) for file in self.files} - {"."}))
