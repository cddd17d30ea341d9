"""What include and the lake agree on stands once, in ``spark/pinterest_lake/contract.json``.

Where a fact must stand in code, or in docs/data.md, too, it is compared with that file here. ``tests/contract`` holds
one of each document that one side writes and the other reads: here include's half, in ``tests/spark`` the notebooks'.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import re
from pathlib import Path
from typing import get_args

import pytest

from include import bucket_layout
from include import settings as settings_module
from include.bucket_layout import SinkObject
from include.lake import contract
from include.lake.batch_counts import lake_entries
from include.lake.identity import LakeIdentity
from include.lake.stream_counts import BatchOfShard, StreamBatch, batches_query
from include.landing import dead_letters, objects
from include.landing.bookmark import loaded_places
from include.landing.coverage import cover
from include.landing.dead_letters import DeadLetter
from include.landing.document import dump
from include.landing.interval import Interval
from include.landing.manifest import Manifest, landed_manifest
from include.landing.objects import ListedObject, scan
from include.positions.kinesis import ShardRange
from include.posting.source_tables import SOURCE_TABLES
from include.report.charts import ANALYSES, DRAWN, plain
from include.settings import Databricks, LakeStream, Maintenance, Settings
from pinterest.stream_batches import QueriedBatches
from tests.builders import settings

ROOT = Path(__file__).parents[2]
SPARK = ROOT / "spark"
DOCUMENTS = ROOT / "tests" / "contract"
CONTRACT = json.loads((SPARK / "pinterest_lake" / "contract.json").read_text())
DATA = (ROOT / "docs" / "data.md").read_text()
ENTITIES = tuple(CONTRACT["entities"])
USER = "0e36c8cd403d"
RUN = "manual__2026-01-02T03:04:05+00:00"


def parsed(path):
    return ast.parse((SPARK / "pinterest_lake" / path).read_text())


def table_of(heading):
    """The rows of the first table below a heading of docs/data.md, as lists of cells."""
    section = DATA.split(f"\n{heading}", 1)[1]
    lines = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


# entities, their fields, and where Kafka holds them


def test_entities():
    assert get_args(settings_module.Entity) == settings_module.ENTITIES == ENTITIES
    assert set(CONTRACT["fields"]) == set(ENTITIES)


@pytest.mark.parametrize("entity", ENTITIES)
def test_fields_are_the_columns_of_the_source_tables(entity):
    table = SOURCE_TABLES[entity]

    assert [table.key, *table.columns] == [*CONTRACT["fields"][entity]]
    assert {table.key: "key", **table.kinds} == CONTRACT["fields"][entity]


def test_fields_are_documented():
    documented, entity = {}, None
    for first, fields, *_ in table_of("## Source"):
        entity = first.strip("| ") or entity
        documented.setdefault(entity, set()).update(re.findall(r"`(\w+)`", fields))

    assert documented == {entity: set(fields) for entity, fields in CONTRACT["fields"].items()}


def test_the_sink_adds_the_position_to_the_record():
    properties = (ROOT / "include" / "templates" / "s3_sink" / "s3-sink.properties").read_text()
    name = SinkObject("u.pin", 0, 0)
    topic, partition, offset, _ = CONTRACT["position"]

    assert re.findall(r"^transforms\.position\.\w+\.field=(\w+)$", properties, re.MULTILINE) == [*CONTRACT["position"]]
    assert re.findall(r"^transforms\.record\.field=(\w+)$", properties, re.MULTILINE) == [CONTRACT["record"]]
    assert json.loads(objects.VALUE + b'"}') == {CONTRACT["record"]: ""}
    line = json.dumps({CONTRACT["record"]: "eA==", topic: "u.pin", partition: 0, offset: 0}).encode()
    assert scan(ListedObject("key", "etag", 1), name, [line]).faults == ()


# reasons


def test_reasons_of_the_sinks_dead_letters():
    classify = ast.parse(inspect.getsource(dead_letters.classify))
    codes = {
        node.value.elts[0].value
        for node in ast.walk(classify)
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple)
    }

    assert codes == {reason for reason, finders in CONTRACT["reasons"].items() if "sink" in finders}


def test_reasons_of_the_lake():
    codes = {
        code.value
        for rule in ast.walk(parsed("refusals.py"))
        if isinstance(rule, ast.Tuple) and len(rule.elts) == 3
        for code, is_broken, _ in [rule.elts]
        if isinstance(code, ast.Constant) and not isinstance(is_broken, ast.Constant)
    }

    assert codes == {reason for reason, finders in CONTRACT["reasons"].items() if {"load", "clean"} & set(finders)}


def test_reasons_are_documented():
    documented = {reason.strip("`"): found_by.split(", ") for reason, _, found_by in table_of("## Refused records")}

    assert documented == CONTRACT["reasons"]


# rules


def digest_of_rules():
    """Of what the rules' modules do, whatever their comments and docstrings say."""
    said = hashlib.sha256(json.dumps(CONTRACT["fields"]).encode())
    for path in ("cleaning.py", "records.py", "refusals.py"):
        tree = parsed(path)
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list):
                node.body = [
                    one for one in body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
                ] or [ast.Pass()]
        said.update(ast.unparse(tree).encode())
    return said.hexdigest()[:12]


def test_the_rules_have_not_changed_since_they_got_their_version():
    digest = digest_of_rules()

    assert CONTRACT["rules"]["digest"] == digest, (
        f"cleaning.py, records.py or refusals.py has changed: write {digest} as the digest of rules in contract.json. "
        "If a record may pass now that did not, or the other way round, or becomes something else, raise the version, "
        "too: runs then say that silver holds rows of earlier rules"
    )
    assert CONTRACT["rules"]["version"] >= 1


# notebooks


def test_every_notebook_has_its_file():
    names = {CONTRACT["notebooks"]["clean"].format(entity=entity) for entity in ENTITIES}
    names |= {name for name in CONTRACT["notebooks"].values() if "{" not in name}

    assert (
        {path.stem for path in (SPARK / "notebooks").glob("*.py")}
        == names
        == {
            *contract.BATCH_NOTEBOOKS,
            contract.STREAM,
            contract.CHECK,
            contract.MAINTENANCE,
            contract.REPLAY,
        }
    )


def test_defaults_are_those_of_the_settings():
    here, parameters = settings(), {**CONTRACT["parameters"]["lake"], **CONTRACT["parameters"]["stream"]}

    assert {name: parameters[name] for name in ("schema", "storage", "secret_scope", "credentials_table")} == (
        here.databricks.model_dump(
            by_alias=True, include={"schema_name", "storage", "secret_scope", "credentials_table"}
        )
    )
    assert parameters["catalog"] is None  # required, as in the settings
    assert parameters["region"] == here.region
    assert parameters["trigger"] == here.lake_stream.trigger
    assert parameters["interval_seconds"] == str(here.lake_stream.interval_seconds)
    assert CONTRACT["parameters"]["maintenance"]["by"] == here.maintenance.by


def test_choices_are_those_of_the_settings():
    assert list(get_args(Databricks.model_fields["storage"].annotation)) == CONTRACT["storage_modes"]
    assert list(get_args(LakeStream.model_fields["trigger"].annotation)) == CONTRACT["triggers"]
    assert list(get_args(Maintenance.model_fields["by"].annotation)) == CONTRACT["maintained_by"]
    assert Maintenance(version_days=CONTRACT["shortest_version_days"])
    with pytest.raises(ValueError, match="version_days"):
        Maintenance(version_days=CONTRACT["shortest_version_days"] - 1)
    assert Settings.model_fields["lake_stream"].default.trigger == contract.AVAILABLE_NOW
    assert (contract.AVAILABLE_NOW, contract.PROCESSING_TIME) == ("available_now", "processing_time")


# tables


def test_tables_are_documented():
    names = {**CONTRACT["tables"], "stream": "<user_id>_{entity}_table"}

    for name in names.values():
        for entity in ENTITIES if "{" in name else ("",):
            assert f"`{name.format(entity=entity)}`" in DATA


def test_columns_of_stream_batches():
    columns = CONTRACT["stream_batches"]
    documented = [name for names, *_ in table_of("### `stream_batches`") for name in names.split(", ")]
    of_shard = re.findall(r"(\w+): ", columns["shards"])

    assert set(documented) == set(columns)
    assert set(StreamBatch.columns()) <= set(columns)
    assert [*BatchOfShard.model_fields] == of_shard


def test_queries_name_no_other_columns_of_stream_batches():
    asked = []

    class Hook:
        def query(self, statement, **_):
            asked.append(statement)
            return []

    QueriedBatches(Hook(), settings()).committed(["a"])
    asked.append(batches_query("lake.stream_batches", {"a": [ShardRange.of("b", [1])]}, "r"))

    known = {*CONTRACT["stream_batches"], *re.findall(r"(\w+): ", CONTRACT["stream_batches"]["shards"])}
    functions = {"max", "sum", "lpad", "unix_millis", "explode", "exists", "to_json", "shard", "s"}
    for statement in asked:
        names = set(re.findall(r"\b[a-z]\w*\b", re.sub(r"'[^']*'|FROM \S+", "", statement)))
        assert names - known - functions == set()
        assert "stream_batches" in statement


# analyses


def test_every_analysis_is_a_function_and_every_function_an_analysis():
    functions = {
        node.name: node
        for node in parsed("analyses.py").body
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and [argument.arg for argument in node.args.args] == ["posts"]
    }

    assert set(functions) == set(CONTRACT["analyses"])
    for name, columns in CONTRACT["analyses"].items():
        assert ast.get_docstring(functions[name]).startswith(f"{', '.join(columns)}: ")


def test_every_analysis_is_documented():
    documented = {name.strip("`"): columns.split(", ") for name, columns, *_ in table_of("### Gold")}

    assert documented == CONTRACT["analyses"]


def test_every_analysis_is_on_the_page_once():
    assert sorted(analysis.name for analysis in ANALYSES) == sorted(CONTRACT["analyses"])
    assert {analysis.name: list(analysis.columns) for analysis in ANALYSES} == CONTRACT["analyses"]


@pytest.mark.parametrize("analysis", DRAWN, ids=lambda analysis: analysis.name)
def test_a_chart_needs_no_other_columns(analysis):
    row = dict.fromkeys(CONTRACT["analyses"][analysis.name], 1)

    assert analysis.draw([row])


def test_an_analysis_without_a_chart_of_its_own_is_drawn_plainly():
    analysis = plain("popular_category_by_year")
    rows = [{"post_year": 2018 + n, "category": "art", "category_count": n or None} for n in range(12)]

    chart = analysis.draw(rows)

    assert (analysis.title, analysis.caption) == ("Popular category by year", "Category count: the top 10")
    assert [(bar.label, bar.value) for bar in chart.bars[:2]] == [("2029, art", "11"), ("2028, art", "10")]
    assert len(chart.bars) == 10


def test_age_groups():
    groups = [*CONTRACT["age_groups"], CONTRACT["age_group_of_others"]]
    [line] = re.findall(r"^- Age groups: (.*)$", DATA, re.MULTILINE)

    assert re.findall(r"`([^`]+)`", line) == groups
    assert list(contract.AGE_GROUPS) == groups


# documents


def test_the_manifest():
    folder = bucket_layout.manifest("pinterest_batch", RUN).rpartition("/")[0]
    topic = f"{USER}.pin"
    partitions = {"0": {"from": 0, "to": 6, "empty": [[5, 6]]}, "1": {"from": 7, "to": 7}}
    interval = Interval.model_validate(
        {"topics": {"pin": {"topic": topic, "topic_id": "T2", "stored_as": f"{topic}#T2", "partitions": partitions}}}
    )

    def landed(first, etag):
        key = bucket_layout.sink_object(topic, 0, first)
        positions = [{"_topic": topic, "_partition": 0, "_offset": first + n} for n in range(2)]
        lines = [json.dumps({CONTRACT["record"]: "e30=", **position}).encode() for position in positions]
        return scan(ListedObject(key, f'"{etag}"', 100), SinkObject(topic, 0, first), lines)

    manifest = landed_manifest(
        interval,
        [
            cover(topic, 0, (0, 6), [landed(0, "one"), landed(3, "two")], [2], empty=[(5, 6)]),
            cover(topic, 1, (7, 7), [], []),
        ],
        dag_id="pinterest_batch",
        run_id=RUN,
        user_id=USER,
        bucket=f"user-{USER}-bucket",
        dead_letters_key=bucket_layout.dead_letters("pinterest_batch", RUN),
        dead_letters_id="T9",
        letters=["pin"],
        next_letters={0: 1},
        lake=LakeIdentity(catalog="main", schema_name="pinterest", tables={"bronze_pin": "b1"}),
        ignored=[],
    )

    text = (DOCUMENTS / "manifest.json").read_text()
    expected = json.loads(text)
    assert json.loads(dump(manifest)) == {**expected, "created_at": manifest.created_at}
    assert dump(Manifest.model_validate_json(text)) == dump(
        manifest.model_copy(update={"created_at": expected["created_at"]})
    )
    assert re.fullmatch(r"landing/[^/]+/[^/]+", folder), "the notebooks find the bucket's root before /landing/"


def test_a_dead_letter():
    letter = DeadLetter((0, 0), f"{USER}.pin", 0, 2, 1700000000002, b"poison", "Converting byte[] failed")

    [line] = (DOCUMENTS / "dead_letters.jsonl").read_text().splitlines()
    assert letter.document("pin") == json.loads(line)


def test_what_the_notebooks_exit_with():
    exits = json.loads((DOCUMENTS / "exits.json").read_text())

    entries = lake_entries(RUN, exits)
    assert set(exits) == set(contract.BATCH_NOTEBOOKS)
    for hop, records_in, records_out in (("bronze", 41, 41), ("silver", 41, 40), ("gold", 40, 40)):
        for entry in entries[hop]:
            assert (entry.records_in, entry.records_out) == (records_in, records_out)
    assert [entry.quarantined for entry in entries["silver"]] == [1, 1, 1]
    assert [entry.stored for entry in entries["silver"]] == [40, 40, 40]
    assert (entries["bronze"][0].first, entries["bronze"][0].last) == ("p0@0 p1@0", "p0@39 p1@0")
    places = loaded_places(exits[contract.LOAD]["bookmark"])[f"{USER}.pin"]
    assert (places["0"].next_offset, places["1"].next_offset) == (40, 1)
    tables = exits[contract.ANALYZE]["tables"]
    assert {name: table["columns"] for name, table in tables.items()} == CONTRACT["analyses"]
