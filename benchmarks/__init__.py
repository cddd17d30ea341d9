"""Benchmarks, each a module that prints a table and ends with one line of JSON, its figures by name.

Run them from the checkout: ``make bench``, or one with ``python -m benchmarks.<name> --help``; ``lake``,
``lake_days`` and ``stream`` need the Spark environment's Python (``.lab/install/envs/spark/bin/python``).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INSTALL = Path(os.environ.get("LAB_INSTALL", ROOT / ".lab" / "install"))

sys.path[:0] = [str(ROOT / "spark"), str(ROOT / "plugins")]
