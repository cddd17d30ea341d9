"""Mapping templates, one for each action of Kinesis."""

from __future__ import annotations

import re

import pytest

from pinterest.dag_defaults import TEMPLATES
from tests.unit.kinesis_resources import METHODS


class TestTemplates:
    NAMES = sorted(path.name for path in (TEMPLATES / "rest_api").glob("*.vtl"))

    def test_each_action_has_its_file(self):
        actions = {method["integration"]["uri"].rpartition("/")[2] for _, _, method in METHODS}

        assert {f"{action}.vtl" for action in actions} == set(self.NAMES)

    @pytest.mark.parametrize("name", NAMES)
    def test_airflow_passes_a_template_on_as_it_is(self, name):
        text = (TEMPLATES / "rest_api" / name).read_text()

        assert not re.search(r"\{\{|\{%|\{#", text), f"{name} holds what Airflow would render"

    @pytest.mark.parametrize("name", ["PutRecord.vtl", "PutRecords.vtl"])
    def test_data_is_taken_as_json_and_never_as_java_prints_it(self, name):
        [encoded] = re.findall(r"base64Encode\((.*)\)\"", (TEMPLATES / "rest_api" / name).read_text())

        assert encoded.startswith("$input.json(")
