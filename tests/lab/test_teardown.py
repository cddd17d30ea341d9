"""The way back, on the whole lab: listed, gone, gone still, made again, and gone with all data.

Comes after all other whole runs, which need what it removes.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest
from confluent_kafka.admin import AdminClient

from include.aws.policies import policy
from include.settings import parse_settings
from lab.calls import Call, calls
from lab.state import ACCOUNT, USER_ID
from tests.iam import NEEDS_NO_PERMISSION, allows
from tests.lab.lab_parts import client
from tests.lab.pipeline_runs import BUCKET, ENTITIES, Pipeline, Run

READS = ("Get", "List", "Describe", "GET")
POSTS = 20
DATA = {"dry_run": False, "delete_data_of": BUCKET}


class Torn(NamedTuple):
    """A dry run with what it asked of AWS, a teardown, another one, what the bucket held then, and a new beginning."""

    listed: Run
    asked: set[Call]
    gone: Run
    ours: list[str]
    again: Run
    revisions: tuple[int, int]
    anew: Run


def changes_of_apis(pipeline: Pipeline) -> int:
    return pipeline.lab.path("ministack", "apigateway.revision").stat().st_size


def of_ours(pipeline: Pipeline) -> list[str]:
    """What the pipeline makes in AWS, by the services' own lists."""
    lab = pipeline.lab
    apis, streams, iam, ssm = (client(lab, service) for service in ("apigateway", "kinesis", "iam", "ssm"))
    found = [api["name"] for api in apis.get_rest_apis()["items"]]
    found += [plan["name"] for plan in apis.get_usage_plans()["items"]]
    found += [key["name"] for key in apis.get_api_keys()["items"]]
    found += [link["name"] for link in apis.get_vpc_links()["items"]]
    balancing = client(lab, "elbv2")
    found += [one["LoadBalancerName"] for one in balancing.describe_load_balancers()["LoadBalancers"]]
    found += [one["TargetGroupName"] for one in balancing.describe_target_groups()["TargetGroups"]]
    found += streams.list_streams()["StreamNames"]
    found += [role["RoleName"] for role in iam.list_roles()["Roles"] if "kinesis" in role["RoleName"]]
    found += [one["Name"] for one in ssm.describe_parameters()["Parameters"] if "keypair" not in one["Name"]]
    found += [one["ClusterName"] for one in client(lab, "kafka").list_clusters_v2()["ClusterInfoList"]]
    found += [one["logGroupName"] for one in client(lab, "logs").describe_log_groups()["logGroups"]]
    for name in ("connectors", "custom_plugins", "worker_configurations"):
        kept = lab.path("cloud", "msk_connect", f"{name}.json")
        found += [name] if kept.exists() and kept.read_text().strip() != "{}" else []
    return found


@pytest.fixture(scope="module")
def torn(pipeline, second_run) -> Torn:
    before = calls(pipeline.lab)
    listed = pipeline.run("pinterest_teardown")
    asked = {call for call in calls(pipeline.lab) - before if call.caller == "airflow"}
    gone = pipeline.run("pinterest_teardown", dry_run=False)
    ours, changes = of_ours(pipeline), changes_of_apis(pipeline)
    again = pipeline.run("pinterest_teardown", dry_run=False)
    revisions = (changes, changes_of_apis(pipeline))
    anew = pipeline.run("pinterest_pipeline", posts=POSTS)
    return Torn(listed, asked, gone, ours, again, revisions, anew)


def test_a_dry_run_lists_and_changes_nothing(torn):
    assert torn.listed.exit_code == 0, torn.listed.log[-4000:]
    assert [call for call in torn.asked if not call.action.split(":")[1].startswith(READS)] == []
    assert "resources would be removed: " in torn.listed.log
    for kind in ("REST API", "usage plan", "API key", "connector", "custom plugin", "worker configuration", "role"):
        assert f"would be removed: {kind} " in torn.listed.log
    assert f"would be removed: data stream streaming-{USER_ID}-pin" in torn.listed.log
    assert re.search(
        r"would be removed: MSK cluster pinterest-msk-cluster \(arn:.*\), and with it all topics", torn.listed.log
    )
    assert "and with it the records that it still keeps" in torn.listed.log
    assert "would be removed: the REST proxy" in torn.listed.log


def test_after_a_teardown_nothing_of_ours_is_there(torn):
    assert torn.gone.exit_code == 0, torn.gone.log[-4000:]
    assert torn.ours == []
    assert "Nothing of ours is left" in torn.gone.log


def test_a_second_teardown_changes_nothing(torn):
    assert torn.again.exit_code == 0, torn.again.log[-4000:]
    assert torn.revisions[0] == torn.revisions[1]
    assert "removed: connector" not in torn.again.log
    assert torn.again.log.count("unchanged: nothing of ours is there") == 6


def test_the_pipeline_makes_everything_again(torn):
    torn.anew.assert_reconciled()
    for entity in ENTITIES:
        assert torn.anew.entry("bronze", entity)["records_out"] == POSTS
        assert torn.anew.entry("table", entity, "stream")["records_in"] == POSTS


def test_a_role_may_do_all_that_a_teardown_does(pipeline, torn):
    settings = parse_settings(pipeline.environment["AIRFLOW_VAR_PINTEREST_PIPELINE"])
    names = ("airflow", "provision", "vpc_link", "teardown")
    policies = [policy(name, settings, ACCOUNT) for name in names]
    made = {
        (call.action, call.resource)
        for call in calls(pipeline.lab)
        if call.caller == "airflow" and call.action not in NEEDS_NO_PERMISSION
    }

    assert sorted(call for call in made if not any(allows(one, *call) for one in policies)) == []


def test_with_the_buckets_name_all_data_goes(pipeline, torn):
    admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{pipeline.lab.port('kafka')}"})

    run = pipeline.run("pinterest_teardown", **DATA)

    assert run.exit_code == 0, run.log[-4000:]
    assert [topic for topic in admin.list_topics(timeout=10).topics if topic.startswith(USER_ID)] == []
    assert [key for key in pipeline.keys("") if not key.startswith(("lake_stream/", "corrections/"))] == []
    assert pipeline.query("show tables in pinterest") == []
    second = pipeline.run("pinterest_teardown", **DATA)
    assert second.exit_code == 0
    assert "removed: topic" not in second.log
