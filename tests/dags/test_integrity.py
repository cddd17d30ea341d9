"""Every DAG parses, is accounted for, documented and bounded."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk.definitions.deadline import DeadlineReference
from airflow.serialization.serialized_objects import DagSerialization

from include import bucket_layout
from include.ledger.entry import HOPS
from include.release import code_tag
from include.report.health import JUDGED, RUN_BY
from pinterest.retry_policy import RetryWhatMayPass

ROOT = Path(__file__).parents[2]

DAG_FILES = {
    "pinterest_pipeline.py": "pinterest_pipeline",
    "pinterest_batch.py": "pinterest_batch",
    "pinterest_stream.py": "pinterest_stream",
    "pinterest_maintenance.py": "pinterest_maintenance",
    "pinterest_replay.py": "pinterest_replay",
    "pinterest_teardown.py": "pinterest_teardown",
    "pinterest_provision.py": "pinterest_provision",
    "pinterest_check.py": "pinterest_check",
}
WITHOUT_PARAMS = ("pinterest_check", "pinterest_maintenance")
SETTING_UP = ("pinterest_pipeline", "pinterest_provision")
POSTING = ("pinterest_pipeline", "pinterest_batch", "pinterest_stream")
RUNBOOK_HEADINGS = ["Does", "Params", "Reruns", "Fails when", "Undo"]
STAGES = (
    "network",
    "bucket",
    "kafka",
    "kafka_client",
    "vpc_link",
    "topics",
    "s3_sink",
    "rest_proxy",
    "rest_api",
    "data_streams",
    "lake_check",
    "posting",
    "landing",
    "lake_batch",
    "posting_stream",
    "lake_stream",
    "reconcile",
)
STAGES_OF_OTHERS = {
    "lake_maintenance": "pinterest_maintenance",
    "lake_replay": "pinterest_replay",
    "landing_again": "pinterest_replay",
    "teardown": "pinterest_teardown",
}


def test_no_import_errors(dag_bag):
    assert dag_bag.import_errors == {}


@pytest.mark.parametrize("dag_id", DAG_FILES.values())
def test_a_dag_is_written_to_airflows_database(dag_bag, dag_id):
    assert DagSerialization.to_dict(dag_bag.dags[dag_id])["dag"]["dag_id"] == dag_id


def test_every_dag_file_is_accounted_for(dag_bag):
    assert {path.name for path in (ROOT / "dags").glob("*.py")} == set(DAG_FILES)
    assert set(dag_bag.dags) == set(DAG_FILES.values())


def test_every_stage_is_used(dag_bag):
    groups = dag_bag.dags["pinterest_pipeline"].task_group.get_task_group_dict()
    groups = {group.split(".")[-1] for group in groups if group}

    assert set(STAGES) <= groups
    for stage, dag_id in STAGES_OF_OTHERS.items():
        assert stage in dag_bag.dags[dag_id].task_group.get_task_group_dict()
    assert {path.stem for path in (ROOT / "dags/pinterest_stages").glob("*.py")} == {
        *STAGES,
        *STAGES_OF_OTHERS,
        "flows",
        "lake_job",
        "posting_arguments",
        "release",
        "tags",
        "__init__",
    }


def test_the_documents_of_every_dags_runs_expire(dag_bag):
    assert [dag_id for dag_id in dag_bag.dags if not dag_id.startswith(bucket_layout.DAGS)] == []


@pytest.mark.parametrize("dag_id", DAG_FILES.values())
def test_docs_are_a_runbook(dag_bag, dag_id):
    first, *sections = re.split(r"^\*\*([A-Z][a-z ]+)\*\*: ", dag_bag.dags[dag_id].doc_md, flags=re.MULTILINE)

    assert first.strip().endswith(".")
    assert sections[::2] == RUNBOOK_HEADINGS
    assert [heading for heading, text in zip(sections[::2], sections[1::2], strict=True) if len(text) < 20] == []
    named = re.findall(r"`(\w+)`", sections[2 * RUNBOOK_HEADINGS.index("Params") + 1])
    assert set(dag_bag.dags[dag_id].params) <= set(named)


@pytest.mark.parametrize("dag_id", DAG_FILES.values())
def test_the_form_of_every_dag_says_what_may_be_entered(dag_bag, dag_id):
    """A number has bounds, a text a pattern or a choice, and a default is what the form may send."""
    params = dag_bag.dags[dag_id].params
    for name in params:
        param = params.get_param(name)
        schema = {"description": param.description, **param.schema}
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        needed = {"title", "description"}
        if {"integer", "number"} & {*types}:
            needed |= {"minimum", "maximum"}
        if "string" in types and "enum" not in schema:
            needed |= {"pattern"}
        if "array" in types:
            needed |= {"items"}
        assert {key for key in needed if not schema.get(key) and schema.get(key) != 0} == set(), name
        assert set(types) <= {"integer", "number", "string", "boolean", "array", "null"}, name
        param.resolve()


@pytest.mark.parametrize(
    ("dag_id", "task_id", "name"),
    [
        ("pinterest_pipeline", "provision.kafka.cluster", "MSK cluster"),
        ("pinterest_pipeline", "provision.s3_sink.connector", "MSK Connect connector"),
        ("pinterest_pipeline", "provision.rest_api.api", "REST API"),
        ("pinterest_pipeline", "provision.vpc_link.link", "VPC link"),
        ("pinterest_pipeline", "provision.data_streams.pin", "Kinesis stream"),
        ("pinterest_batch", "batch.landing.objects", "Objects in the bucket"),
        ("pinterest_batch", "batch.lake_batch.job.launch", "See Databricks Job Run"),
        ("pinterest_stream", "stream.lake_stream.job", "See Databricks Job Run"),
        *((dag_id, f"reconcile.{task}", "Report of the run") for dag_id in POSTING for task in ("report", "verdict")),
    ],
)
def test_a_task_leads_to_what_it_made(dag_bag, dag_id, task_id, name):
    assert [link.name for link in dag_bag.dags[dag_id].get_task(task_id).operator_extra_links] == [name]


@pytest.mark.parametrize("dag_id", POSTING)
def test_whoever_the_settings_name_is_told_whatever_has_failed(dag_bag, dag_id):
    report = dag_bag.dags[dag_id].get_task("reconcile.report")

    assert [type(one).__name__ for one in report.on_success_callback] == ["VerdictNotifier"]
    assert report.trigger_rule == "all_done"


def test_runs_that_end_with_a_verdict_have_a_deadline_for_it_before_they_are_stopped(dag_bag):
    deadlines = {dag_id: dag.deadline for dag_id, dag in dag_bag.dags.items() if dag.deadline}

    assert set(deadlines) == set(POSTING)
    for dag_id, (deadline,) in deadlines.items():
        assert isinstance(deadline.reference, type(DeadlineReference.DAGRUN_QUEUED_AT))
        assert deadline.interval < dag_bag.dags[dag_id].dagrun_timeout
        assert deadline.callback.path == "pinterest.notifier.DeadlineNotifier"


@pytest.mark.parametrize("route", JUDGED)
def test_what_moves_a_hops_records_is_a_part_of_the_pipeline(dag_bag, route):
    """The page judges a route's health by whether these have failed."""
    tasks = [f".{task.task_id}." for task in dag_bag.dags["pinterest_pipeline"].tasks]

    for hop in HOPS[route]:
        assert [name for name in RUN_BY[hop] if not any(f".{name}." in task for task in tasks)] == []


@pytest.mark.parametrize("dag_id", DAG_FILES.values())
def test_runs_are_bounded(dag_bag, dag_id):
    dag = dag_bag.dags[dag_id]

    assert dag.dagrun_timeout <= timedelta(hours=6)
    assert dag.max_active_runs == 1
    assert dag.catchup is False
    assert dag.tags
    for task in dag.tasks:
        assert task.execution_timeout, f"{task.task_id} has no execution_timeout"
        assert task.owner != "airflow", f"{task.task_id} has no owner"


@pytest.mark.parametrize("dag_id", [*POSTING, "pinterest_provision"])
def test_every_task_asks_the_region_of_the_settings(dag_bag, dag_id):
    with_region = [task for task in dag_bag.dags[dag_id].tasks if hasattr(task, "region_name")]

    assert with_region
    for task in with_region:
        assert task.region_name == "{{ settings().region }}", task.task_id
        assert "region_name" in task.template_fields, task.task_id


@pytest.mark.parametrize("dag_id", POSTING)
def test_params_of_posting(dag_bag, dag_id):
    to_kinesis = {"mode"} if dag_id != "pinterest_batch" else set()
    makes_sink = {"replace_connector"} if dag_id == "pinterest_pipeline" else set()
    posting = {"posts", "seed", "start", "pace", "batch_size"}
    assert set(dag_bag.dags[dag_id].params) == {*posting, "on_new_identity", *to_kinesis, *makes_sink}


@pytest.mark.parametrize("dag_id", DAG_FILES.values())
def test_params_are_typed_and_described(dag_bag, dag_id):
    params = dag_bag.dags[dag_id].params

    assert params or dag_id in WITHOUT_PARAMS
    for name in params:
        param = params.get_param(name)
        assert param.schema.get("type"), f"{name} has no type"
        assert param.description or param.schema.get("description"), f"{name} has no description"


def test_a_teardown_changes_nothing_unless_it_is_told_to(dag_bag):
    params = dag_bag.dags["pinterest_teardown"].params

    assert dict(params) == {"dry_run": True, "keep": [], "delete_data_of": "", "only_expired": False}
    for name in params:
        param = params.get_param(name)
        assert param.schema["type"]
        assert param.description
        param.resolve()


def test_a_teardown_removes_users_before_what_they_use_and_lists_at_the_end(dag_bag):
    dag = dag_bag.dags["pinterest_teardown"]
    before = {
        task.task_id.removeprefix("teardown."): {
            name.removeprefix("teardown.") for name in task.get_flat_relative_ids(upstream=True)
        }
        for task in dag.tasks
    }

    assert {"rest_api", "jobs"} <= before["data_streams"]
    assert "rest_api" in before["kafka_client"]
    assert "s3_sink" in before["topics"]
    assert "topics" in before["files"]
    assert "files" in before["kafka_client"]
    assert {"topics", "s3_sink"} <= before["kafka"]
    assert {"kafka_client", "kafka", "s3_sink"} <= before["network"]
    assert {"tables", "topics", "data_streams"} <= before["objects"]
    assert before["left"] == set(before) - {"left", "complete"}
    assert before["complete"] == set(before) - {"complete"}


def test_provision_makes_nothing_unless_it_is_told_to(dag_bag):
    dag = dag_bag.dags["pinterest_provision"]

    assert set(dag.params) == {"dry_run", "on_new_identity", "replace_connector"}
    assert dag.params["dry_run"] is True
    for task in dag.tasks:
        if task.task_id != "plan":
            assert {"plan", "proceed"} <= {task.task_id, *task.get_flat_relative_ids(upstream=True)}, task.task_id


def test_provision_does_what_the_pipeline_does_before_it_posts(dag_bag):
    made = [
        {task.task_id for task in dag_bag.dags[dag_id].tasks if task.task_id.startswith("provision.")}
        for dag_id in SETTING_UP
    ]

    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("post", "needed"),
    [
        (
            "batch.posting.post",
            ("bucket", "kafka_client", "vpc_link", "topics", "s3_sink", "rest_proxy", "rest_api", "lake_check"),
        ),
        ("stream.posting_stream.post", ("data_streams", "rest_api", "lake_check")),
    ],
)
def test_nothing_is_posted_before_the_api_stands(dag_bag, post, needed):
    upstream = dag_bag.dags["pinterest_pipeline"].get_task(post).get_flat_relative_ids(upstream=True)

    for stage in needed:
        assert any(f".{stage}." in task_id for task_id in upstream), f"posting does not wait for {stage}"


@pytest.mark.parametrize(
    ("dag_id", "stages"),
    [
        ("pinterest_batch", ("posting", "landing", "lake_batch")),
        ("pinterest_stream", ("posting_stream", "lake_stream")),
        ("pinterest_pipeline", ("posting", "landing", "lake_batch", "posting_stream", "lake_stream")),
    ],
)
def test_the_verdict_waits_for_every_hop(dag_bag, dag_id, stages):
    upstream = dag_bag.dags[dag_id].get_task("reconcile.verdict").get_flat_relative_ids(upstream=True)

    for stage in stages:
        assert any(stage in task_id.split(".") for task_id in upstream), f"the verdict does not wait for {stage}"


@pytest.mark.parametrize("dag_id", DAG_FILES.values())
def test_no_task_retries_a_fault_that_lasts(dag_bag, dag_id):
    for task in dag_bag.dags[dag_id].tasks:
        assert isinstance(task.retry_policy, RetryWhatMayPass), f"{task.task_id} has another retry policy"


PULLED = re.compile(r"xcom_pull\(task_ids='([^']+)'")


@pytest.mark.parametrize("dag_id", DAG_FILES.values())
def test_every_task_waits_for_what_its_templates_pull(dag_bag, dag_id):
    for task in dag_bag.dags[dag_id].tasks:
        pulled = {name for field in task.template_fields for name in PULLED.findall(str(getattr(task, field, "")))}

        assert pulled <= task.get_flat_relative_ids(upstream=True), task.task_id


def test_a_replay_writes_nothing_unless_it_is_told_to(dag_bag):
    assert dag_bag.dags["pinterest_replay"].params["dry_run"] is True


def test_a_backfill_is_refused(dag_bag):
    """It would post new posts for days that are gone; ``pinterest_replay`` loads again."""
    for dag_id in ("pinterest_batch", "pinterest_stream"):
        assert dag_bag.dags[dag_id].allowed_run_types == {
            "scheduled",
            "manual",
            "operator_triggered",
            "asset_triggered",
        }


def test_every_dag_says_which_code_it_is(dag_bag):
    expected = code_tag(ROOT / "dags", ROOT / "plugins")

    for dag in dag_bag.dags.values():
        assert expected in dag.tags, dag.dag_id


def test_what_a_check_finds_is_where_the_rest_api_shows_it(dag_bag):
    dag = dag_bag.dags["pinterest_check"]

    assert [asset.name for asset in dag.get_task("environment").outlets] == ["pinterest_check"]
    assert dag.get_task("verdict").upstream_task_ids == {"environment"}
    assert dag.is_paused_upon_creation is False
