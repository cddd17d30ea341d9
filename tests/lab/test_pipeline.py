"""The DAGs as a user runs them, on the whole lab: every record arrives, once, whatever happens on the way.

The tests build on one another in the order they stand in: each run adds to the lake of the one before.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from confluent_kafka import Producer

from lab.cloud.serving import HOST
from lab.state import CHECKOUT, USER_ID
from mwaa.package import build
from tests.lab import secrets_seen
from tests.lab.pipeline_runs import BUCKET, ENTITIES, FIRST, SECOND, Pipeline, Run, folder_files, seeds_draws
from tests.oracle import GOLD_COLUMNS, SILVER_COLUMNS, expected_gold, expected_silver

REPLAYED = 100
SILVER = {
    "pin": "ind, unique_id, title, description, follower_count, poster_name, tag_list, is_image_or_video, image_src,"
    " save_location, category",
    "geo": "ind, country, to_json(coordinates) as coordinates, timestamp",
    "user": "ind, user_name, age, date_joined",
}


def silver(pipeline: Pipeline, entity: str) -> list[tuple[str, ...]]:
    return [tuple(row.values()) for row in pipeline.query(f"select {SILVER[entity]} from `{entity}` order by ind")]


def test_the_first_run_reconciles(first_run):
    first_run.assert_reconciled()
    for entity in ENTITIES:
        assert first_run.entry("source", entity)["records_out"] == FIRST
        assert first_run.entry("bronze", entity)["records_out"] == FIRST


@pytest.mark.parametrize("entity", ENTITIES)
def test_the_lake_holds_what_the_ledger_says(pipeline, first_run, entity):
    assert pipeline.count(f"`{entity}`") == first_run.entry("silver", entity)["stored"]


def test_the_accounts_doctor_reaches_everything(pipeline, first_run):
    """The lab is no account in IAM and in Service Quotas; it is one in all else."""
    doctor = pipeline.doctor()

    findings = re.findall(r"^\d+\. (.*)", doctor.stdout, re.MULTILINE)
    assert ["neither a role nor a user of IAM" in one for one in findings] == [True], doctor.stdout + doctor.stderr
    assert "Not checked:" not in doctor.stdout
    assert re.search(r"^connector +0e36c8cd403d-connector +ours +0.1100 ", doctor.stdout, re.MULTILINE)
    assert re.search(r"^MSK cluster +pinterest-msk-cluster +ours +0.0912 ", doctor.stdout, re.MULTILINE)
    assert "estimate: " in doctor.stdout


def test_the_accounts_doctor_names_every_fault_at_once(pipeline, first_run):
    source = json.loads(pipeline.environment["AIRFLOW_CONN_PINTEREST_SOURCE"]) | {"password": "wr0ng"}
    workspace = json.loads(pipeline.environment["AIRFLOW_CONN_DATABRICKS_DEFAULT"]) | {"password": "wr0ng"}
    changed = json.loads(pipeline.environment["AIRFLOW_VAR_PINTEREST_PIPELINE"])
    changed["kafka_client"] |= {"login": "nobody"}
    changed |= {"account": {"provision": False}, "kafka": changed["kafka"] | {"cluster_name": "another"}}

    doctor = pipeline.doctor(
        AIRFLOW_CONN_PINTEREST_SOURCE=json.dumps(source),
        AIRFLOW_CONN_DATABRICKS_DEFAULT=json.dumps(workspace),
        AIRFLOW_VAR_PINTEREST_PIPELINE=json.dumps(changed),
    )

    assert doctor.returncode == 1
    for problem in (
        "Access denied",
        "refuses the login (40",
        "refused the login 'nobody'",
        "No MSK cluster 'another'",
    ):
        assert problem in doctor.stdout
    assert "wr0ng" not in doctor.stdout + doctor.stderr


def test_the_second_run_is_incremental(pipeline, first_run, second_run):
    second_run.assert_reconciled()
    distinct = len(set(seeds_draws(100, FIRST + SECOND)))
    for entity in ENTITIES:
        assert second_run.entry("bronze", entity)["records_out"] == SECOND
        assert pipeline.count(f"bronze_{entity}") == FIRST + SECOND
        assert pipeline.count(f"`{entity}`") == distinct


def test_the_second_run_is_of_the_package_for_mwaa(second_run, mwaa_home):
    """With the checkout out of reach; what is imported last, the end of a run has imported."""
    imported = {Path(line) for line in (mwaa_home / "listed" / "imported.txt").read_text().splitlines()}
    environment = CHECKOUT / ".venv"

    assert [file for file in imported if file.is_relative_to(CHECKOUT) and not file.is_relative_to(environment)] == []
    assert mwaa_home / "dags/pinterest_stages/reconcile.py" in imported
    assert mwaa_home / "plugins/pinterest/operators/ledger.py" in imported
    assert mwaa_home / "plugins/include/report/page.py" in imported


def test_the_second_run_changes_nothing_on_the_client(second_run):
    assert "changed: " not in second_run.log
    assert second_run.log.count("unchanged") >= 7
    assert "lifecycle rules, unchanged" in second_run.log


@pytest.mark.parametrize("entity", ENTITIES)
def test_silver_holds_the_rows_that_the_seeds_would_have_posted(pipeline, second_run, entity):
    drawn = set(seeds_draws(100, FIRST + SECOND))

    assert {int(row["ind"]) for row in pipeline.query(f"select ind from `{entity}`")} == drawn


@pytest.fixture(scope="module")
def posted(pipeline, second_run) -> list[list[dict]]:
    """The source rows that both runs posted, by entity."""
    drawn = set(seeds_draws(100, FIRST + SECOND))
    return [pipeline.source_rows(entity, drawn) for entity in ENTITIES]


def as_text(value: object) -> str:
    """A value as ``bin/query`` writes it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return json.dumps(value, separators=(",", ":")) if isinstance(value, list) else str(value)


@pytest.mark.parametrize("entity", ENTITIES)
def test_silver_equals_an_independent_cleaning(pipeline, posted, entity):
    columns = ", ".join(SILVER_COLUMNS[entity])
    expected = [tuple(map(as_text, row)) for row in expected_silver(*posted)[entity].values()]

    found = [tuple(row.values()) for row in pipeline.query(f"select {columns} from `{entity}`")]

    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("table", GOLD_COLUMNS)
def test_gold_equals_an_independent_recount(pipeline, posted, table):
    columns = ", ".join(GOLD_COLUMNS[table])
    expected = [tuple(map(as_text, row)) for row in expected_gold(*posted)[table]]

    found = [tuple(row.values()) for row in pipeline.query(f"select {columns} from {table}")]

    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(
    ("method", "path", "key", "status"),
    [
        ("GET", "/topics", True, 200), ("GET", "/topics", False, 403), ("GET", "/topics/none", True, 404),
        ("POST", "/topics/none", True, 415), ("DELETE", "/streams", True, 403), ("GET", "/streams", True, 200),
        ("PUT", f"/streams/streaming-{USER_ID}-pin/record", True, 400), ("OPTIONS", "/topics", False, 200),
    ],
)  # fmt: skip
def test_other_origins_may_read_every_answer(pipeline, second_run, method, path, key, status):
    answer = pipeline.call_api(method, path, key=key)

    assert answer.status_code == status
    assert answer.headers.get("Access-Control-Allow-Origin") in ("*", "https://example.org")


def test_a_replay_changes_nothing_in_silver(pipeline, second_run):
    before = {entity: silver(pipeline, entity) for entity in ENTITIES}
    files = folder_files(pipeline.lab.path("lake"))

    run = pipeline.run("pinterest_batch", posts=REPLAYED, start="0")

    run.assert_reconciled()
    for entity in ENTITIES:
        assert run.entry("silver", entity)["duplicates"] == REPLAYED
        assert silver(pipeline, entity) == before[entity]
        new = folder_files(pipeline.lab.path("lake")) - files
        assert [name for name in new if f"/{entity}/" in f"/{name}"] == []


PIN = {"index": 1, "unique_id": "u", "title": "t", "description": "d", "poster_name": "p", "follower_count": "1k"}
PIN |= {"tag_list": "a,b", "is_image_or_video": "image", "image_src": "s", "downloaded": 1}
PIN |= {"save_location": "Local save in /data/art", "category": "art"}
GEO = {"ind": 1, "timestamp": "2020-01-01 00:00:00", "latitude": 1.5, "longitude": 2.5, "country": "Albania"}
USER = {"ind": 1, "first_name": "A", "last_name": "B", "age": 30, "date_joined": "2016-01-01 00:00:00"}

POISON = {
    "two rows as one record": ("pin", json.dumps(PIN).encode() * 2, "not_json_object"),
    "array of rows": ("pin", json.dumps([PIN, PIN]).encode(), "array_of_rows"),
    "a text": ("geo", b'"text"', "not_json_object"),
    "nested once more": ("pin", json.dumps({"value": PIN}).encode(), "nested_value"),
    "a pin row on the user topic": ("user", json.dumps(PIN).encode(), "wrong_stream"),
    "no ind": ("user", json.dumps({k: v for k, v in USER.items() if k != "ind"}).encode(), "no_ind"),
    "ind not a number": ("geo", json.dumps({**GEO, "ind": "seven"}).encode(), "ind_not_an_integer"),
    "ind beyond 64 bits": ("geo", json.dumps({**GEO, "ind": 2**64 + 2863}).encode(), "ind_out_of_range"),
}


GOOD = {
    "unknown extra field": ("user", {**USER, "ind": 2_000_000, "first_name": "Good", "last_name": "Row", "new": 1}),
    "a text of 900 kB": ("pin", {**PIN, "index": 2_000_001, "description": "x" * 900_000}),
}


def produce(pipeline: Pipeline, rows: dict[str, tuple[str, bytes]]) -> dict[str, tuple[str, int, int]]:
    """Put records (entity, value) on the topics; where they are: topic, partition, offset, by name."""
    producer = Producer({"bootstrap.servers": f"127.0.0.1:{pipeline.lab.port('kafka')}", "acks": "all"})
    positions = {}
    for name, (entity, value) in rows.items():
        producer.produce(
            f"{USER_ID}.{entity}",
            value,
            key=name.encode(),
            on_delivery=lambda error, message, name=name: positions.update(
                {name: (message.topic(), message.partition(), message.offset()) if error is None else error}
            ),
        )
    assert producer.flush(30) == 0
    return positions


class Recovery(NamedTuple):
    """A run that follows two killed ones, and the poison that lies among their records."""

    run: Run
    drawn: int
    stopped_at: int
    poison: dict[str, tuple[str, int, int]]


@pytest.fixture(scope="module")
def recovery(pipeline, second_run) -> Recovery:
    """A run is killed in mid-posting, poison is produced, a run is killed in mid-load, and a third one goes on.

    Before that one, the REST proxy has moved onto the Internet, and the client machine's shell has learned to print
    things. Later runs have it behind the VPC link again.
    """

    def posted_some() -> bool:
        return any(
            pipeline.document(key)["entities"]["pin"]["acknowledged"] > 0
            for key in set(pipeline.keys("posting/pinterest_batch/")) - before
            if key.endswith(".json")
        )

    def load_runs() -> bool:
        return "starting task_id=batch.lake_batch.job.load" in pipeline.lab.log("test-pinterest_batch").read_text()

    before = set(pipeline.keys("posting/pinterest_batch/"))
    drawn = pipeline.document("posting/seed-100.json")["next_draw"]

    with pipeline.slow_api(seconds=0.5):
        pipeline.run_and_kill("pinterest_batch", posted_some, "a batch is acknowledged", posts=4000, batch_size=20)
    stopped_at = pipeline.document("posting/seed-100.json")["next_draw"]
    rows = {name: (entity, value) for name, (entity, value, _) in POISON.items()}
    rows |= {name: (entity, json.dumps(row).encode()) for name, (entity, row) in GOOD.items()}
    poison = produce(pipeline, rows)
    pipeline.run_and_kill("pinterest_batch", load_runs, "the load runs", posts=300)
    pipeline.lose_rest_proxy()
    port = pipeline.lab.port("rest_proxy")
    changed = {
        "ledger": {"max_quarantined_share": 0.05},
        "rest_proxy": {"exposure": "internet", "listen_host": HOST, "port": port, "url": f"http://{HOST}:{port}"},
    }
    with pipeline.noisy_login(), pipeline.changed_settings(**changed):
        run = pipeline.run("pinterest_batch", posts=60)
    return Recovery(run, drawn, stopped_at, poison)


def test_a_run_after_poison_and_kills_reconciles(recovery):
    recovery.run.assert_reconciled()
    assert recovery.run.entry("topic", "pin")["extra"] > 300
    assert "batch: pin at hop topic: " in recovery.run.log


def test_the_daily_run_finds_a_rest_proxy_that_has_moved(pipeline, recovery):
    proxy = pipeline.lab.port("rest_proxy")

    assert f"backend: 127.0.0.1:9 → 127.0.0.1:{proxy}" in recovery.run.log
    assert "ANY /topics/{proxy+}: " in recovery.run.log
    assert f"API Gateway needs port {proxy} open to everybody" in recovery.run.log
    assert "Welcome. " not in recovery.run.log


@pytest.fixture(scope="module")
def quarantined(pipeline, recovery) -> list[dict[str, str]]:
    return pipeline.query("select stream, reason, topic, partition, offset from quarantine where topic is not null")


@pytest.mark.parametrize("name", POISON)
def test_poison_is_quarantined_with_its_reason(quarantined, recovery, name):
    topic, partition, offset = recovery.poison[name]
    entity, _, reason = POISON[name]
    place = {"topic": topic, "partition": str(partition), "offset": str(offset)}

    found = [(row["stream"], row["reason"]) for row in quarantined if row.items() >= place.items()]

    assert found == [(entity, reason)]


def test_the_rows_around_poison_pass(pipeline, recovery):
    assert pipeline.query("select user_name from user where ind = 2000000") == [{"user_name": "Good Row"}]
    assert pipeline.query("select length(description) as n from pin where ind = 2000001") == [{"n": "900000"}]


@pytest.mark.parametrize("entity", ENTITIES)
def test_kills_in_mid_posting_and_in_mid_load_lose_nothing(pipeline, recovery, entity):
    drawn, stopped_at = recovery.drawn, recovery.stopped_at
    assert drawn <= stopped_at < drawn + 4000
    found = [int(row["ind"]) for row in pipeline.query(f"select ind from `{entity}` where ind <= 11000")]
    assert len(found) == len(set(found))
    assert set(seeds_draws(100, stopped_at + 360)) <= set(found) <= set(seeds_draws(100, drawn + 4000))
    positions = pipeline.query(
        f"select count(*) as n, count(distinct topic, partition, offset) as d from bronze_{entity}"
    )[0]
    assert positions["n"] == positions["d"]


def test_a_corrected_record_gets_one_second_chance(pipeline, recovery):
    position = ":".join(map(str, recovery.poison["no ind"]))
    corrections = json.dumps({position: {**USER, "ind": 2_000_002, "first_name": "Second", "last_name": "Chance"}})
    pipeline.s3.put_object(Bucket=BUCKET, Key="corrections/no-ind.json", Body=corrections)
    asked = {"reasons": ["no_ind"], "corrections": "corrections/no-ind.json"}
    chance = "select ind, _run_id from user where user_name = 'Second Chance'"

    planned = pipeline.run("pinterest_replay", **asked)
    assert (planned.exit_code, planned.ledger) == (0, {})
    assert f"{position} (no_ind) would be replayed, with its correction" in planned.log
    assert pipeline.query(chance) == []

    run = pipeline.run("pinterest_replay", **asked, dry_run=False)
    run.assert_reconciled()
    assert run.entry("replayed", "user", "replay")["records_out"] == 1
    assert pipeline.query(chance) == [{"ind": "2000002", "_run_id": run.run_id}]


@pytest.fixture(scope="module")
def connector_of_others(pipeline, recovery, quarantined) -> Run:
    """A run that finds a connector of its name that others made."""
    pipeline.connector_of_others()
    return pipeline.run("pinterest_pipeline", posts=40)


def test_a_connector_of_others_stops_the_run_before_it_posts(connector_of_others):
    assert connector_of_others.exit_code != 0
    assert "this pipeline did not make it. It differs in topics.dir" in connector_of_others.log
    assert "starting task_id=batch.posting" not in connector_of_others.log


@pytest.fixture(scope="module")
def side_by_side(pipeline, connector_of_others) -> tuple[Run, Run]:
    """A run that replaces that connector, and a daily run that starts while it posts."""
    posting = "starting task_id=batch.posting.post"
    return pipeline.run_beside("pinterest_pipeline", "pinterest_batch", once=posting, posts=40, replace_connector=True)


@pytest.mark.parametrize("number", [0, 1], ids=["pipeline", "daily run"])
def test_two_runs_at_once_reconcile(side_by_side, number):
    side_by_side[number].assert_reconciled()


@pytest.mark.parametrize("entity", ENTITIES)
def test_after_it_silver_still_has_one_row_a_post(pipeline, side_by_side, recovery, entity):
    drawn, stopped_at = recovery.drawn, recovery.stopped_at
    found = [int(row["ind"]) for row in pipeline.query(f"select ind from `{entity}` where ind <= 11000")]
    assert len(found) == len(set(found))
    assert set(seeds_draws(100, stopped_at + 400)) <= set(found) <= set(seeds_draws(100, drawn + 4080))


@pytest.fixture(scope="module")
def secrets(pipeline, first_run) -> dict[str, bytes]:
    """Those of every connection, of the Variable (a token of the mirror) and of Parameter Store."""
    return secrets_seen.secrets_of(pipeline.lab, pipeline.parameters)


def test_there_are_secrets_to_look_for(pipeline, secrets):
    assert {"aws_secret_access_key", "databricks_token", "mariadb_reader", "mirror_token"} <= set(secrets)
    assert f"/pinterest/{USER_ID}/api-key" in secrets
    assert [name for name in secrets if name.startswith("/ec2/keypair/")] != []
    for name in ("aws_secret_access_key", "databricks_token", "mariadb_reader", "mirror_token"):
        assert secrets[name].decode() in " ".join(pipeline.environment.values())


def test_no_secret_is_in_a_log_a_table_or_a_file_of_the_client_machine(pipeline, secrets):
    assert secrets_seen.seen(secrets, secrets_seen.files(pipeline.lab)) == []


def test_no_secret_is_in_airflows_database(pipeline, secrets):
    """Rendered fields, XCom, serialized DAGs and the others, row by row: a page of the file may end in the middle."""
    rows = list(secrets_seen.rows(pipeline.lab.path("airflow", "airflow.db")))

    assert {"xcom", "rendered_task_instance_fields", "serialized_dag"} <= {table for table, _ in rows}
    assert secrets_seen.seen(secrets, iter(rows)) == []


def test_no_secret_is_in_a_job_or_its_output_on_databricks(pipeline, secrets):
    """Parameters, what the cluster's Spark is configured with, and what notebooks exit with."""
    found = list(secrets_seen.jobs(pipeline.databricks))

    assert any("spark_conf" in content.decode() for _, content in found)
    assert any('"result": ' in content.decode() for _, content in found)
    assert secrets_seen.seen(secrets, iter(found)) == []


def test_no_secret_is_in_the_bucket(pipeline, secrets):
    """Records, documents, reports, uploaded code."""
    assert secrets_seen.seen(secrets, secrets_seen.objects(pipeline.s3, BUCKET)) == []


def test_no_secret_is_in_the_connectors_description_or_status(pipeline, secrets):
    """As MSK Connect and the worker itself have it."""
    found = [*secrets_seen.connectors(pipeline.msk_connect), secrets_seen.connect_worker(pipeline.lab)]

    assert b'"state": "RUNNING"' in found[-1][1]
    assert secrets_seen.seen(secrets, iter(found)) == []


def test_no_secret_is_in_a_list_of_processes(pipeline, secrets):
    assert any("dags test pinterest_pipeline" in one for one in pipeline.arguments)

    assert secrets_seen.seen(secrets, ((one, one.encode()) for one in pipeline.arguments)) == []


def test_no_secret_is_in_the_package_for_mwaa(secrets, tmp_path):
    build(CHECKOUT, tmp_path / "mwaa")

    assert secrets_seen.seen(secrets, secrets_seen.folder(tmp_path / "mwaa")) == []
