"""The MSK cluster: found or created, once, and ACTIVE. botocore checks each request by MSK's model."""

from __future__ import annotations

from unittest import mock

import pytest
from airflow.providers.common.compat.sdk import AirflowException
from airflow.sdk.exceptions import TaskDeferred
from botocore.exceptions import ClientError

from include.aws.msk import create_request
from pinterest.hooks.msk import MskSettingsError
from pinterest.operators.msk_cluster import MskClusterLink, MskClusterOperator
from pinterest.retry_policy import lasts
from pinterest.triggers.msk import MskClusterTrigger
from tests.builders import USER_ID
from tests.unit.client_machine_parts import TAGS
from tests.unit.plugins.msk_connect_parts import cluster, serverless_cluster

NAME = "pinterest-msk-cluster"
ARN = f"arn:{NAME}"
OURS = {"project": "pinterest-pipeline", "user_id": USER_ID}
REASON = {"Code": "InsufficientCapacity", "Message": "no brokers left"}


@pytest.fixture(autouse=True)
def link(monkeypatch):
    monkeypatch.setattr(MskClusterLink, "persist", mock.Mock())


def operator(**more) -> MskClusterOperator:
    given = {
        "provision": "True",
        "cluster_name": NAME,
        "kafka_version": "3.9.x",
        "instance_type": "kafka.t3.small",
        "brokers": "2",
        "storage_gib": "20",
        "authentication": "iam",
        "vpc_id": "vpc-1",
        "subnets": "[]",
        "security_group": "sg-b",
        "tags": TAGS,
        "waiter_delay": 0,
        "waiter_max_attempts": 3,
    }
    return MskClusterOperator(task_id="cluster", **{**given, **more})


def clusters(msk, *found):
    msk.add_response("list_clusters_v2", {"ClusterInfoList": [*found]}, {"ClusterNameFilter": NAME})


def zones(ec2, **by_subnet):
    found = [{"SubnetId": name, "AvailabilityZone": zone} for name, zone in by_subnet.items()]
    ec2.add_response("describe_subnets", {"Subnets": found}, {"Filters": [{"Name": "vpc-id", "Values": ["vpc-1"]}]})


def request(**more):
    asked = {
        "name": NAME,
        "kafka_version": "3.9.x",
        "instance_type": "kafka.t3.small",
        "brokers": 2,
        "storage_gib": 20,
        "subnets": ["s1", "s2"],
        "security_groups": ["sg-b"],
        "authentication": "iam",
        "tags": TAGS,
    }
    return create_request(**{**asked, **more})


def created(msk, **more):
    msk.add_response("create_cluster_v2", {"ClusterArn": ARN, "State": "CREATING"}, request(**more))


def nothing_is_there(msk, ec2):
    clusters(msk)
    zones(ec2, s1="a", s2="b", s3="c")
    created(msk)


def states(msk, *found):
    for state in found:
        if state is None:
            msk.add_client_error("describe_cluster_v2", "NotFoundException", expected_params={"ClusterArn": ARN})
            continue
        reason = {"StateInfo": REASON} if state == "FAILED" else {}
        described = {"ClusterInfo": cluster(State=state, **reason)}
        msk.add_response("describe_cluster_v2", described, {"ClusterArn": ARN})


def deleted(msk):
    msk.add_response("delete_cluster", {"ClusterArn": ARN, "State": "DELETING"}, {"ClusterArn": ARN})


class TestCreation:
    def test_a_cluster_is_created_in_two_zones_and_awaited(self, msk, ec2):
        nothing_is_there(msk, ec2)
        states(msk, "CREATING", "ACTIVE")

        assert operator().execute({}) == ARN
        assert MskClusterLink.persist.call_args.kwargs["cluster_arn"] == ARN

    def test_subnets_that_the_settings_name_are_used(self, msk):
        clusters(msk)
        created(msk, subnets=["mine", "too"])
        states(msk, "ACTIVE")

        assert operator(subnets='["mine", "too"]').execute({}) == ARN

    def test_too_few_zones_are_named_before_anything_is_created(self, msk, ec2):
        clusters(msk)
        zones(ec2, s1="a", s2="a")

        with pytest.raises(MskSettingsError, match=r"subnets in 1 zones .* takes 2: .*kafka\.subnets") as error:
            operator().execute({})
        assert lasts(error.value)

    def test_without_provision_nothing_is_asked(self, msk):
        assert operator(provision="False").execute({}) is None

    def test_a_second_run_at_once_creates_no_second_one(self, msk, ec2):
        clusters(msk)
        zones(ec2, s1="a", s2="b")
        msk.add_client_error("create_cluster_v2", "ConflictException")
        clusters(msk, cluster(State="CREATING", Tags=OURS))
        states(msk, "ACTIVE")

        assert operator().execute({}) == ARN

    @pytest.mark.parametrize(
        ("code", "once"),
        [("ForbiddenException", True), ("BadRequestException", False), ("TooManyRequestsException", False)],
    )
    def test_a_refusal_is_aws_s_own(self, msk, ec2, code, once):
        clusters(msk)
        zones(ec2, s1="a", s2="b")
        msk.add_client_error("create_cluster_v2", code, "said by AWS")

        with pytest.raises(ClientError, match="said by AWS") as error:
            operator().execute({})
        assert lasts(error.value) is once


class TestAdoption:
    @pytest.mark.parametrize("found", [cluster(), serverless_cluster(), cluster(State="HEALING")])
    def test_what_is_there_is_used(self, msk, found):
        clusters(msk, cluster(f"{NAME}-2"), found)

        assert operator().execute({}) == ARN

    def test_one_that_an_earlier_try_created_is_awaited(self, msk):
        """Its response was lost, or the task was killed."""
        clusters(msk, cluster(State="CREATING", Tags=OURS))
        states(msk, "CREATING", "ACTIVE")

        assert operator().execute({}) == ARN

    def test_what_one_of_ours_has_otherwise_is_said(self, msk, capsys):
        clusters(msk, cluster(Tags=OURS))

        operator().execute({})
        assert "has instance_type kafka.m5.large, not kafka.t3.small: left as it is" in capsys.readouterr().out

    def test_one_of_ours_that_failed_is_created_anew(self, msk, ec2):
        clusters(msk, cluster(State="FAILED", Tags=OURS, StateInfo=REASON))
        deleted(msk)
        states(msk, "DELETING", None)
        zones(ec2, s1="a", s2="b")
        created(msk)
        states(msk, "ACTIVE")

        assert operator().execute({}) == ARN

    def test_one_of_others_that_failed_is_left_alone(self, msk):
        clusters(msk, cluster(State="FAILED", StateInfo=REASON))

        with pytest.raises(MskSettingsError, match="which others made, is FAILED InsufficientCapacity no brokers left"):
            operator().execute({})

    def test_one_that_is_being_deleted_is_waited_out(self, msk, ec2):
        clusters(msk, cluster(State="DELETING", Tags=OURS))
        states(msk, "DELETING", None)
        zones(ec2, s1="a", s2="b")
        created(msk)
        states(msk, "ACTIVE")

        assert operator().execute({}) == ARN

    def test_one_of_others_that_does_not_become_active_is_not_deleted(self, msk):
        clusters(msk, cluster(State="CREATING"))
        states(msk, "FAILED", "FAILED")

        with pytest.raises(AirflowException, match="FAILED InsufficientCapacity no brokers left"):
            operator().execute({})


class TestUndo:
    def test_a_creation_that_fails_says_why_and_is_taken_back(self, msk, ec2):
        nothing_is_there(msk, ec2)
        states(msk, "CREATING", "FAILED", "FAILED")
        deleted(msk)

        with pytest.raises(AirflowException, match="FAILED InsufficientCapacity no brokers left"):
            operator().execute({})

    def test_a_creation_that_never_ends_is_taken_back(self, msk, ec2):
        nothing_is_there(msk, ec2)
        states(msk, "CREATING", "CREATING", "CREATING", "CREATING")
        deleted(msk)

        with pytest.raises(AirflowException, match="max attempts reached: CREATING"):
            operator().execute({})

    def test_a_deletion_that_is_refused_hides_no_error(self, msk, ec2):
        nothing_is_there(msk, ec2)
        states(msk, "CREATING", "CREATING", "CREATING", "CREATING")
        msk.add_client_error("delete_cluster", "BadRequestException", "You can't delete cluster in CREATING state.")

        with pytest.raises(AirflowException, match="max attempts reached: CREATING"):
            operator().execute({})

    def test_a_kill_takes_back_what_this_task_created(self, msk, ec2):
        nothing_is_there(msk, ec2)
        states(msk, "ACTIVE")
        deleted(msk)
        task = operator()
        task.execute({})

        task.on_kill()

    def test_a_kill_leaves_what_was_there(self, msk):
        clusters(msk, cluster())
        task = operator()
        task.execute({})

        task.on_kill()


def ends(status: str, *, of_ours: bool = True, message: str = "cluster_active will not happen"):
    said = {} if status == "success" else {"message": message}
    return {"status": status, "cluster": {"cluster_arn": ARN, "created": of_ours}, **said}


class TestDeferredWait:
    def test_no_worker_waits(self, msk, ec2):
        nothing_is_there(msk, ec2)

        with pytest.raises(TaskDeferred) as deferred:
            operator(deferrable=True).execute({})

        trigger = deferred.value.trigger
        assert isinstance(trigger, MskClusterTrigger)
        assert (trigger.waiter_name, trigger.return_value["created"]) == ("cluster_active", True)
        assert deferred.value.method_name == "execute_complete"

    def test_a_cluster_that_is_active_defers_nothing(self, msk):
        clusters(msk, cluster())

        assert operator(deferrable=True).execute({}) == ARN

    def test_it_ends_well(self, msk):
        assert operator().execute_complete({}, ends("success")) == ARN

    def test_it_ends_badly_and_what_was_created_is_deleted(self, msk):
        states(msk, "FAILED")
        deleted(msk)

        with pytest.raises(AirflowException, match="will not happen: FAILED InsufficientCapacity no brokers left"):
            operator().execute_complete({}, ends("error"))

    def test_it_ends_badly_and_what_others_created_stays(self, msk):
        states(msk, "DELETING")

        with pytest.raises(AirflowException, match="will not happen: DELETING"):
            operator().execute_complete({}, ends("error", of_ours=False))

    def test_after_a_deletion_another_one_is_created(self, msk, ec2):
        clusters(msk, cluster(State="DELETING", Tags=OURS))
        with pytest.raises(TaskDeferred) as deferred:
            operator(deferrable=True).execute({})
        assert (deferred.value.method_name, deferred.value.trigger.waiter_name) == ("execute_again", "cluster_deleted")

        nothing_is_there(msk, ec2)
        with pytest.raises(TaskDeferred) as deferred:
            operator(deferrable=True).execute_again({}, ends("success", of_ours=False))
        assert deferred.value.method_name == "execute_complete"
