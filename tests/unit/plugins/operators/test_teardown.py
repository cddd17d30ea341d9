"""A teardown in an account in memory: what goes, in which order, what stays, and what is said."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
from airflow.providers.amazon.aws.utils.connection_wrapper import AwsConnectionWrapper
from botocore.exceptions import ClientError

from include.aws.inventory import KINDS
from include.aws.removal import REMOVALS, STAGES
from include.teardown import TeardownError
from pinterest.hooks.inventory import InventoryHook
from pinterest.operators import teardown, teardown_lake
from pinterest.operators.teardown import (
    InventoryOperator,
    RemoveBrokersOperator,
    RemoveDataStreamsOperator,
    RemoveOperator,
)
from pinterest.operators.teardown_lake import RemoveBucketOperator, RemoveLifecycleOperator, RemoveObjectsOperator
from tests.builders import BUCKET, USER_ID, settings
from tests.unit.account_in_memory import (
    KINESIS_ROLE,
    MADE,
    OURS,
    PARAMETER,
    ROLE_ARN,
    Account,
    Killed,
    checkpoints_document,
    provisioned,
    with_machine,
)

CHECKPOINTS = f"lake_stream/{USER_ID}.json"
KINDS_OF_STAGES = [kind for kinds in STAGES.values() for kind in kinds]


@pytest.fixture
def account(monkeypatch) -> Account:
    return used(provisioned(), monkeypatch)


def used(account: Account, monkeypatch) -> Account:
    monkeypatch.setattr(AwsGenericHook, "get_client_type", lambda hook, **_: account.client(hook.client_type))
    monkeypatch.setattr(AwsGenericHook, "conn_config", AwsConnectionWrapper(None))
    for module in (teardown, teardown_lake):
        if hasattr(module, "settings"):
            monkeypatch.setattr(module, "settings", settings)
    monkeypatch.setattr("time.sleep", lambda _: None)
    return account


def context(**params):
    given = {"dry_run": False, "keep": [], "delete_data_of": "", "only_expired": False} | params
    ti = type("TI", (), {"dag_id": "pinterest_teardown"})()
    return {"params": given, "ti": ti, "run_id": "r"}


def tasks():
    """The AWS part of the stage, in an order that it allows."""
    only = {"role": [KINESIS_ROLE], "parameter": [PARAMETER]}
    machine = {"role": [settings().role], "parameter": ["/ec2/keypair/", f"/pinterest/{USER_ID}/host-key/"]}
    return [
        RemoveOperator(task_id="rest_api", stage="rest_api", only=only, waiter_delay=0),
        RemoveOperator(task_id="s3_sink", stage="s3_sink", only={"role": [f"{USER_ID}-s3-sink-role"]}, waiter_delay=0),
        RemoveBrokersOperator(task_id="kafka_client", stage="kafka_client", only=machine, waiter_delay=0),
        RemoveBrokersOperator(task_id="kafka", stage="kafka", waiter_delay=0),
        RemoveOperator(task_id="network", stage="network", waiter_delay=0),
        RemoveDataStreamsOperator(task_id="data_streams", stage="data_streams", waiter_delay=0),
        RemoveObjectsOperator(task_id="objects"),
        RemoveLifecycleOperator(task_id="lifecycle", stage="bucket"),
        RemoveBucketOperator(task_id="bucket", stage="bucket"),
    ]


def tear_down(**params) -> list[str]:
    removed = [name for task in tasks() for name in task.execute(context(**params))]
    inventory(**params)
    return removed


def inventory(**params) -> list[str]:
    return InventoryOperator(task_id="left").execute(context(**params))


def left_of_ours(account: Account) -> list[str]:
    return [str(found) for found in InventoryHook(USER_ID, "us-east-1").found() if found.ours]


def test_everything_of_ours_goes_and_everything_of_others_stays(account):
    removed = tear_down()

    assert left_of_ours(account) == []
    assert removed == [
        f"usage plan {USER_ID}-usage-plan",
        f"API key {USER_ID}-api-key",
        f"parameter {PARAMETER}",
        f"REST API {USER_ID}",
        f"role {KINESIS_ROLE}",
        f"connector {USER_ID}-connector",
        f"custom plugin {USER_ID}-plugin-abababababab",
        f"worker configuration {USER_ID}-worker-0123456789ab",
        *(f"data stream streaming-{USER_ID}-{entity}" for entity in ("pin", "geo", "user")),
    ]
    assert account.named("role") == [f"{USER_ID}-ec2-access-role", "somebody-elses"]
    assert account.named("bucket") == [BUCKET]
    assert len(account.listed["instance"]) == len(account.listed["MSK cluster"]) == 1


def test_a_machine_and_a_network_of_ours_go_too(monkeypatch):
    account = used(with_machine(provisioned()), monkeypatch)

    removed = tear_down()

    assert left_of_ours(account) == []
    kinds = ("VPC link of REST APIs", "load balancer", "target group")
    assert [one for one in removed if one.startswith(kinds)] == [f"{kind} {USER_ID}-rest-proxy" for kind in kinds]
    assert removed.index(f"REST API {USER_ID}") < removed.index(f"VPC link of REST APIs {USER_ID}-rest-proxy")
    assert removed[8:].index(f"instance {USER_ID}") < removed[8:].index(f"instance profile {USER_ID}-ec2-access-role")
    account.writes.clear()
    assert tear_down() == []
    assert account.writes == []


@pytest.mark.parametrize("survived", range(16))
def test_killed_while_the_machine_and_the_network_go_a_rerun_ends_as_without(monkeypatch, survived):
    account = used(with_machine(provisioned()), monkeypatch)
    for task in tasks()[:1]:
        task.execute(context())
    account.die_before = len(account.writes) + survived
    with pytest.raises(Killed):
        tear_down()
    account.die_before = None

    tear_down()

    assert left_of_ours(account) == []


def test_a_second_teardown_changes_nothing(account):
    tear_down()
    account.writes.clear()

    assert tear_down() == []
    assert account.writes == []


def test_a_dry_run_changes_nothing_and_says_what_would_go_and_which_data(account, capsys):
    account.rules = [{"ID": "pinterest-pipeline x", "Status": "Enabled", "Filter": {"Prefix": "x"}}]
    account.objects["topics/x"] = b"1"

    removed = tear_down(dry_run=True, delete_data_of=BUCKET)

    assert account.writes == []
    assert all(call.split(":")[1].startswith(("Get", "List", "Describe")) for call in account.calls)
    assert f"connector {USER_ID}-connector" in removed
    assert "lifecycle rule pinterest-pipeline x" in removed
    said = capsys.readouterr().out
    assert "would be removed: data stream streaming-" in said
    assert "and with it the records that it still keeps" in said
    assert "dry_run: 11 resources would be removed: " in said
    assert "bills its shards, by the hour" in said
    assert "not tagged as ours: left" in said


CHANGES = 16
"""Calls of a teardown that change something: one for each resource, and some before and after them."""


def test_every_change_is_one_before_which_a_test_kills(account):
    account.objects[CHECKPOINTS] = checkpoints_document()

    tear_down(delete_data_of=BUCKET)

    assert len(account.writes) == CHANGES


@pytest.mark.parametrize("survived", range(CHANGES))
def test_killed_before_any_change_a_rerun_ends_as_without(monkeypatch, survived):
    account = used(provisioned(), monkeypatch)
    account.objects[CHECKPOINTS] = checkpoints_document()
    account.die_before = survived
    with pytest.raises(Killed):
        tear_down(delete_data_of=BUCKET)
    account.die_before = None

    tear_down(delete_data_of=BUCKET)

    assert left_of_ours(account) == []
    assert account.objects == {}


@pytest.mark.parametrize("kind", [kind for kind in KINDS_OF_STAGES if kind != "bucket"])
def test_what_others_made_under_our_name_is_kept_and_listed(monkeypatch, capsys, kind):
    account = used(Account(), monkeypatch)
    name = {"role": KINESIS_ROLE, "parameter": PARAMETER}.get(kind, f"streaming-{USER_ID}-{kind.replace(' ', '-')}")
    account.add(kind, name, {"project": "pinterest-pipeline", "user_id": "another"})

    assert tear_down() == []
    assert account.writes == []
    assert len(account.listed[kind]) == 1
    said = capsys.readouterr().out
    assert f"{kind} {name}" in said
    assert "is not tagged as ours: left" in said


@pytest.mark.parametrize("kind", KINDS)
def test_a_resource_of_ours_of_any_kind_that_is_left_is_named(monkeypatch, kind):
    account = used(Account(), monkeypatch)
    name = f"/ec2/keypair/{kind}" if kind == "parameter" else f"{USER_ID}-{kind}".replace(" ", "-")
    account.add(kind, name, OURS)

    with pytest.raises(TeardownError, match=f"1 resources of ours are left: {kind} {name}"):
        inventory(delete_data_of=BUCKET)
    assert kind in MADE


@pytest.mark.parametrize("kind", [kind for kind, one in KINDS.items() if isinstance(one.tags, str)])
def test_what_has_our_tags_in_its_list_is_found_whatever_its_name(monkeypatch, kind):
    account = used(Account(), monkeypatch)
    account.add(kind, "another-name", OURS)

    with pytest.raises(TeardownError, match=f"{kind} another-name"):
        inventory()


def test_an_instance_that_is_terminated_is_not_left(monkeypatch):
    used(Account(), monkeypatch).add("instance", USER_ID, OURS, State={"Name": "terminated"})

    assert inventory() == []


@pytest.mark.parametrize(
    ("operation", "permission", "what"),
    [
        ("DeleteUsagePlan", "apigateway:DELETE", f"usage plan {USER_ID}-usage-plan"),
        ("DeleteRolePolicy", "iam:DeleteRolePolicy", f"role {KINESIS_ROLE}"),
        ("DeleteConnector", "kafkaconnect:DeleteConnector", f"connector {USER_ID}-connector"),
        ("DeleteStream", "kinesis:DeleteStream", f"data stream streaming-{USER_ID}-pin"),
        ("ListRoleTags", "iam:ListRoleTags", f"the tags of role {KINESIS_ROLE}"),
        ("ListConnectors", "kafkaconnect:ListConnectors", "the list of every connector"),
        ("DescribeLoadBalancers", "elasticloadbalancing:DescribeLoadBalancers", "the list of every load balancer"),
    ],
)
def test_a_missing_permission_is_named_with_the_role_that_lacks_it(account, operation, permission, what):
    account.denied.add(operation)

    with pytest.raises(TeardownError) as failed:
        tear_down()

    assert str(failed.value).startswith(what)
    assert f"{ROLE_ARN} lacks the permission {permission}, see bin/policies " in str(failed.value)


def test_another_refusal_is_an_error_that_may_pass(account):
    account.policies["x"] = []
    account.listed["custom plugin"][0]["customPluginState"] = "ACTIVE"
    sink = RemoveOperator(task_id="s3_sink", stage="s3_sink", waiter_delay=0)
    account.listed["connector"][0]["connectorName"] = "of-others"  # it uses the plugin, and has another name

    with pytest.raises(ClientError, match="in use"):
        sink.execute(context())


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_kept_stays_and_is_no_failure(account, capsys, stage):
    kinds = STAGES[stage]
    account.tags[BUCKET] = OURS
    with_machine(account)
    before = {kind: len(account.listed[kind]) for kind in set(kinds) - {"role", "parameter"}}

    tear_down(keep=[stage], delete_data_of=BUCKET)

    assert {kind: len(account.listed.get(kind, [])) for kind in before} == before
    said = capsys.readouterr().out
    assert f"kept: {stage}" in said


def at(hours: int) -> dict[str, str]:
    return {"expires_at": (datetime.now(UTC) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")}


def test_the_reaper_removes_what_is_past_its_time_only(monkeypatch, capsys):
    account = used(Account(), monkeypatch)
    account.rules = [{"ID": "pinterest-pipeline x", "Status": "Enabled", "Filter": {"Prefix": "x"}}]
    for name, tags in {"old": at(-1), "young": at(1), "eternal": {}, "odd": {"expires_at": "soon"}}.items():
        account.add("data stream", f"streaming-{USER_ID}-{name}", OURS | tags)
    account.add("bucket", BUCKET)

    assert tear_down(only_expired=True) == [f"data stream streaming-{USER_ID}-old"]
    assert account.named("data stream") == [f"streaming-{USER_ID}-{name}" for name in ("young", "eternal", "odd")]
    said = capsys.readouterr().out
    assert "not expired: kept until" in said
    assert account.writes == ["kinesis:DeleteStream"]


def test_a_resource_of_an_expired_run_that_no_stage_removes_fails_the_reaper(monkeypatch):
    used(Account(), monkeypatch).add("volume", USER_ID, OURS | at(-1))

    with pytest.raises(TeardownError, match=f"left: volume {USER_ID}"):
        tear_down(only_expired=True)


@pytest.mark.parametrize("given", ["yes", BUCKET.upper(), f"{BUCKET} "])
def test_data_goes_only_if_the_buckets_name_is_repeated(account, given):
    account.objects["topics/x"] = b"1"

    with pytest.raises(TeardownError, match="repeat the bucket's name"):
        tear_down(delete_data_of=given)
    assert account.calls == []


def test_without_the_buckets_name_data_stays(account, capsys):
    account.tags[BUCKET] = OURS
    account.objects[f"topics/{USER_ID}.pin/partition=0/x"] = b"1"

    tear_down()

    assert len(account.objects) == 1
    assert account.named("bucket") == [BUCKET]
    said = capsys.readouterr().out
    assert "kept: it holds data, which only delete_data_of deletes" in said


OF_OTHERS = ("topics/another.pin/x", "landing/another.json", "notes.txt", "kafka-connect-s3/another-1.zip")


def test_our_objects_go_and_those_of_others_stay(account, capsys):
    ours = (f"topics/{USER_ID}.pin/x", f"landing/{USER_ID}.json", "ledger/pinterest_batch/r/api.json", "checkpoints/x")
    account.objects |= dict.fromkeys((*ours, *OF_OTHERS, CHECKPOINTS, "posting/seed-100.json"), b"{}")

    tear_down(delete_data_of=BUCKET)

    assert sorted(account.objects) == sorted(OF_OTHERS)
    said = capsys.readouterr().out
    assert "kept: objects of others, such as kafka-connect-s3/another-1.zip" in said


def test_a_bucket_of_ours_goes_with_its_data(account):
    account.tags[BUCKET] = OURS
    account.objects |= {f"landing/{USER_ID}.json": b"{}"}

    assert f"bucket {BUCKET}" in tear_down(delete_data_of=BUCKET)
    assert account.named("bucket") == []
    assert tear_down(delete_data_of=BUCKET) == []


def test_a_bucket_of_ours_with_objects_of_others_is_said_to_be_not_empty(account):
    account.tags[BUCKET] = OURS
    account.objects |= dict.fromkeys(OF_OTHERS, b"")

    with pytest.raises(ClientError, match="not empty"):
        tear_down(delete_data_of=BUCKET)


def test_the_checkpoints_know_that_other_data_streams_come(account):
    account.objects[CHECKPOINTS] = checkpoints_document()

    tear_down()

    assert json.loads(account.objects[CHECKPOINTS])["removed"] == ["pin"]
    writes = account.writes
    assert writes.index("s3:PutObject") < writes.index("kinesis:DeleteStream")


CLUSTER_ARN = "arn:aws:kafka:us-east-1:123456789012:pinterest-msk-cluster"
BOOKMARK = f"landing/{USER_ID}.json"


def bookmark(**more) -> bytes:
    return json.dumps({"cluster": CLUSTER_ARN, "topic_ids": {}, "topics": {}, **more}).encode()


def test_the_bookmark_knows_that_another_cluster_comes(monkeypatch, capsys):
    account = used(with_machine(provisioned()), monkeypatch)
    account.objects[BOOKMARK] = bookmark()

    assert "MSK cluster pinterest-msk-cluster" in tear_down()

    assert json.loads(account.objects[BOOKMARK])["cluster_removed"] is True
    assert account.writes.index("s3:PutObject") < account.writes.index("kafka:DeleteCluster")
    assert "removed: MSK cluster pinterest-msk-cluster" in capsys.readouterr().out


@pytest.mark.parametrize("remembered", [bookmark(cluster="arn:another"), bookmark(cluster_removed=True)])
def test_a_bookmark_that_is_not_of_the_cluster_is_left_alone(monkeypatch, remembered):
    account = used(with_machine(provisioned()), monkeypatch)
    account.objects[BOOKMARK] = remembered

    tear_down()

    assert account.objects[BOOKMARK] == remembered


def test_a_cluster_of_others_stays_and_the_bookmark_with_it(account):
    account.objects[BOOKMARK] = bookmark()

    tear_down()

    assert len(account.listed["MSK cluster"]) == 1
    assert account.objects[BOOKMARK] == bookmark()


def test_a_cluster_that_is_being_created_is_tried_again_later(monkeypatch):
    account = used(with_machine(provisioned()), monkeypatch)
    account.listed["MSK cluster"][0]["State"] = "CREATING"

    with pytest.raises(ClientError, match="CREATING state"):
        tear_down()
    account.listed["MSK cluster"][0]["State"] = "ACTIVE"
    tear_down()

    assert left_of_ours(account) == []


def test_without_the_bucket_the_rest_goes(account):
    account.listed["bucket"].clear()

    assert len(tear_down(delete_data_of=BUCKET)) == 11
    assert left_of_ours(account) == []


def test_rules_of_others_stay(account):
    others = {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}}
    account.rules = [others, {"ID": "pinterest-pipeline x", "Status": "Enabled", "Filter": {"Prefix": "x"}}]

    assert "lifecycle rule pinterest-pipeline x" in tear_down()
    assert account.rules == [others]


def test_every_kind_that_a_stage_removes_is_known():
    assert set(KINDS_OF_STAGES) == set(REMOVALS)
    assert set(REMOVALS) <= set(KINDS)
    assert set(MADE) == set(KINDS)
