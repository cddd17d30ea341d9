"""What the documents tell people to type or to set is there: targets of make, programs, DAGs, settings, files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from pydantic import BaseModel

from include.aws.policies import names
from include.settings import Settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
OTHER_NAMES = re.compile(
    r".*\.(json|jsonl|trust)|kafka\.[a-z0-9]+\.[a-z0-9]+|(rest_api|s3_sink)\.(answers|api|connector|resources|target)"
)
"""What is spelled like a setting: files, policies, types of brokers, tasks."""


def code(document: Path) -> list[str]:
    """What stands in code: blocks, and words between backticks."""
    text = document.read_text()
    blocks = re.findall(r"^ *```.*?\n(.*?)^ *```", text, flags=re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [*blocks, *re.findall(r"`([^`\n]+)`", rest)]


@cache
def settings() -> frozenset[str]:
    return frozenset(keys(Settings))


def keys(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        yield key
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from keys(field.annotation, f"{key}.")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
class TestDocument:
    def test_targets_of_make_are_there(self, document):
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        named = {
            name
            for text in code(document)
            for name in re.findall(r"(?:^|&& |[a-z]=\S* )make ([a-z][a-z-]*)", text, re.M)
        }

        assert named - targets == set()

    def test_programs_are_there(self, document):
        named = {name for text in code(document) for name in re.findall(r"(?<![\w/.])bin/([a-z]+)\b", text)}

        assert {name for name in named if not (ROOT / "bin" / name).exists()} - {"java"} == set()

    def test_policies_are_there(self, document):
        named = {name for text in code(document) for name in re.findall(r"bin/policies ([a-z_.]+)", text)}

        assert named <= set(names())

    def test_dags_are_there(self, document):
        called = r"(?:dags (?:trigger|test)|dag_id\W+) *(pinterest_\w+)"
        named = {name for text in code(document) for name in re.findall(called, text)}

        assert {name for name in named if not (ROOT / "dags" / f"{name}.py").exists()} == set()

    def test_settings_are_there(self, document):
        sections = {key.partition(".")[0] for key in settings() if "." in key}
        words = [text for text in code(document) if re.fullmatch(r"[a-z_0-9]+(\.[a-z_0-9*]+)+(: .*)?", text)]
        named = {word.partition(":")[0] for word in words if word.split(".")[0] in sections}

        assert {name for name in named if not is_a_setting(name) and not OTHER_NAMES.fullmatch(name)} == set()


def is_a_setting(name: str) -> bool:
    """``downloads.*.url`` and ``downloads.name.url`` stand for each archive's; ``maintenance.*`` for a section's."""
    pattern = re.compile(re.escape(name).replace(r"\*", r"[a-z_0-9]+").replace(r"\.name\.", r"\.[a-z_0-9]+\."))
    return any(pattern.fullmatch(key) for key in settings())


def test_there_is_something_to_look_for():
    everything = "\n".join(text for document in DOCUMENTS for text in code(document))

    assert len(settings()) > 60
    assert is_a_setting("kafka.partitions")
    assert not is_a_setting("kafka.partition")
    assert "make doctor TARGET=account" in everything
