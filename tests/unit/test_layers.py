"""Who may import whom: dags → plugins → include ← mwaa; spark and lab know nobody, and nobody knows them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PACKAGES = {  # import name: the layer it is
    "include": "include",
    "pinterest": "plugins",
    "pinterest_plugin": "plugins",
    "pinterest_stages": "dags",
    "pinterest_lake": "spark",
    "lab": "lab",
    "mwaa": "mwaa",
}
MAY_IMPORT = {
    "dags": {"dags", "plugins", "include"},
    "plugins": {"plugins", "include"},
    "include": {"include"},
    "spark": {"spark"},
    "lab": {"lab"},
    "mwaa": {"mwaa", "include"},
}
FOREIGN = {
    "include": {"airflow", "pyspark", "delta"},
    "spark": {"airflow"},
    "dags": {"pyspark"},
    "plugins": {"pyspark"},
    "mwaa": {"airflow", "pyspark"},
}


def imported_names(source: str) -> Iterator[str]:
    """First parts of all absolute imports, those inside functions included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]


def violations(root: Path) -> list[str]:
    found = []
    for layer, allowed in MAY_IMPORT.items():
        for path in sorted((root / layer).rglob("*.py")):
            for name in imported_names(path.read_text()):
                target = PACKAGES.get(name)
                if (target and target not in allowed) or name in FOREIGN.get(layer, set()):
                    found.append(f"{path.relative_to(root)} imports {name}")
    return found


def test_the_project_keeps_its_layers():
    assert violations(ROOT) == []


def test_every_layer_is_looked_at():
    assert [layer for layer in MAY_IMPORT if not list((ROOT / layer).rglob("*.py"))] == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("include/settings.py", "from pinterest.hooks.msk import MskHook"),
        ("include/settings.py", "import airflow"),
        ("plugins/pinterest/operators/landing.py", "from pinterest_stages.landing import landing"),
        ("plugins/pinterest/hooks/msk.py", "import lab.state"),
        ("dags/pinterest_batch.py", "from lab.state import State"),
        ("dags/pinterest_batch.py", "import pinterest_lake.cleaning"),
        ("spark/pinterest_lake/cleaning.py", "from include.settings import STREAMS"),
        ("lab/account.py", "from include.settings import Settings"),
        ("mwaa/package.py", "from lab.state import CHECKOUT"),
        ("mwaa/verify.py", "from pinterest.settings import settings"),
        ("lab/cloud/gateway/app.py", "def handler():\n    import pinterest.dag_defaults"),
    ],
)
def test_a_violation_is_found(tmp_path, file, line):
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(line + "\n")

    [found] = violations(tmp_path)

    assert found.startswith(f"{file} imports ")


@pytest.mark.parametrize(
    ("file", "line"),
    [
        (
            "dags/pinterest_batch.py",
            "from pinterest.dag_defaults import DAG_DEFAULTS\nfrom include.settings import Settings",
        ),
        ("plugins/pinterest/hooks/msk.py", "from include.settings import Settings"),
        ("spark/notebooks/load.py", "from pinterest_lake.tables import merge"),
        ("lab/account.py", "from lab.state import State"),
    ],
)
def test_what_is_allowed_passes(tmp_path, file, line):
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(line + "\n")

    assert violations(tmp_path) == []
