"""What the roles may do and who may assume them: the files in ``templates/policies``, filled from the settings.

``<name>.json`` is what a role may do, ``<name>.trust.json`` who may assume it. A stage gives an operator the file's
name, and Airflow fills it; :func:`policy` fills it without Airflow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from include.settings import Settings

type Document = dict[str, Any]

TEMPLATES = Path(__file__).parents[1] / "templates"
FOLDER = "policies"


def names() -> list[str]:
    """Names that :func:`policy` takes."""
    return sorted(path.name.removesuffix(".json") for path in (TEMPLATES / FOLDER).glob("*.json"))


def policy(name: str, settings: Settings, account_id: str) -> Document:
    """A policy document. Raises LookupError for an unknown name.

    :param name: such as ``airflow`` or ``s3_sink.trust``
    :param account_id: the AWS account that the roles are in, 12 digits
    """
    if name not in names():
        raise LookupError(f"there is no policy {name!r}; there are {', '.join(names())}")
    templates = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined)  # noqa: S701
    template = templates.get_template(f"{FOLDER}/{name}.json")
    return as_document(template.render(settings=lambda: settings, account_id=lambda: account_id))


def as_document(policy: str | Mapping[str, Any]) -> Document:
    """A policy document that may be given as its JSON text."""
    return dict(json.loads(policy) if isinstance(policy, str) else policy)


def statements(document: Mapping[str, Any]) -> list[Document]:
    """A document's statements; a single one may stand without a list."""
    found = document.get("Statement", [])
    return [dict(found)] if isinstance(found, Mapping) else list(found)


def with_statements(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Document:
    """``found`` with all statements of ``wanted``. One of the same ``Sid`` is replaced, and all others are kept."""
    ours = {statement["Sid"] for statement in statements(wanted) if "Sid" in statement}
    kept = [statement for statement in statements(found) if statement.get("Sid") not in ours]
    said = [_without_sid(statement) for statement in kept]
    added = [statement for statement in statements(wanted) if _without_sid(statement) not in said]
    return {"Version": wanted["Version"], "Statement": [*kept, *added]}


def holds_statements(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether every statement of ``wanted`` is in ``found``, whatever its ``Sid``."""
    said = [_without_sid(statement) for statement in statements(found)]
    return all(_without_sid(statement) in said for statement in statements(wanted))


def _without_sid(statement: Mapping[str, Any]) -> Document:
    return {name: value for name, value in statement.items() if name != "Sid"}
