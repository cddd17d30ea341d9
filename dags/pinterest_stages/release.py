"""The tag by which every DAG says which code it was parsed from: that of its own folder, and that of the plugins."""

from __future__ import annotations

from pathlib import Path

import pinterest
from include.release import code_tag

CODE = code_tag(Path(__file__).parents[1], Path(pinterest.__path__[0]).parent)
