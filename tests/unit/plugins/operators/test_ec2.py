"""The client machine: found or launched, once, and usable. botocore checks each request by EC2's model."""

from __future__ import annotations

from unittest import mock

import pytest
from airflow.providers.amazon.aws.links.ec2 import EC2InstanceLink
from airflow.providers.common.compat.sdk import AirflowException
from airflow.sdk.exceptions import TaskDeferred
from botocore.exceptions import ClientError

from include.aws.instance import IMAGE_PARAMETER, client_token, launch_request
from include.faults import LastingError
from pinterest.operators.ec2 import PROFILE_ATTEMPTS, ClientMachineOperator
from pinterest.retry_policy import lasts
from tests.builders import USER_ID
from tests.unit.client_machine_parts import TAGS, machine, machine_is

TYPE = "t3.small"
KEY_PAIR = f"{USER_ID}-key-pair"
ROLE = f"{USER_ID}-ec2-access-role"
UNKNOWN_PROFILE = f"Value ({ROLE}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
NO_ROLE = f"IAM Instance Profile 'arn:aws:iam::000000000000:instance-profile/{ROLE}' has no associated IAM Roles"


@pytest.fixture(autouse=True)
def no_link(monkeypatch):
    monkeypatch.setattr(EC2InstanceLink, "persist", mock.Mock())


def operator(**more) -> ClientMachineOperator:
    return ClientMachineOperator(
        task_id="instance",
        tags=TAGS,
        instance_type=TYPE,
        vpc_id="vpc-1",
        security_group="sg-c",
        key_name=KEY_PAIR,
        instance_profile=ROLE,
        **{"provision": "True", "waiter_delay": 0, "profile_delay": 0, "waiter_max_attempts": 3, **more},
    )


def offered(ec2, *zones):
    request = {"LocationType": "availability-zone", "Filters": [{"Name": "instance-type", "Values": [TYPE]}]}
    found = [{"InstanceType": TYPE, "Location": zone} for zone in zones]
    ec2.add_response("describe_instance_type_offerings", {"InstanceTypeOfferings": found}, request)


def subnets(ec2, **zones):
    found = [{"SubnetId": name, "AvailabilityZone": zone, "MapPublicIpOnLaunch": True} for name, zone in zones.items()]
    ec2.add_response("describe_subnets", {"Subnets": found}, {"Filters": [{"Name": "vpc-id", "Values": ["vpc-1"]}]})


def nothing_is_there(ec2, parameters, **zones):
    machine_is(ec2, None)
    offered(ec2, "a", "b")
    subnets(ec2, **(zones or {"s1": "a"}))
    group_opens(ec2, 22)
    image = {"Parameter": {"Value": "ami-1", "Type": "String"}}
    parameters.add_response("get_parameter", image, {"Name": IMAGE_PARAMETER, "WithDecryption": True})


def group_opens(ec2, *ports):
    allowed = [
        {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
        for port in ports
    ]
    group = {"GroupId": "sg-c", "IpPermissions": allowed}
    ec2.add_response("describe_security_groups", {"SecurityGroups": [group]}, {"GroupIds": ["sg-c"]})


def request(subnet="s1", generation=0):
    return launch_request(
        name=USER_ID,
        image_id="ami-1",
        instance_type=TYPE,
        subnet_id=subnet,
        security_group="sg-c",
        key_pair=KEY_PAIR,
        instance_profile=ROLE,
        tags=TAGS,
        client_token=client_token(USER_ID, subnet, generation),
    )


def launched(ec2, state="pending", **where):
    ec2.add_response("run_instances", {"Instances": [machine(state)]}, request(**where))


def refused(ec2, code, message="", **where):
    ec2.add_client_error("run_instances", code, message, expected_params=request(**where))


def status_is(ec2, *found):
    asked = {"InstanceIds": ["i-1"], "IncludeAllInstances": True}
    for one in found:
        if one is None:
            ec2.add_client_error("describe_instance_status", "InvalidInstanceID.NotFound", expected_params=asked)
            continue
        state, checks = one
        status = {
            "InstanceId": "i-1",
            "InstanceState": {"Name": state},
            "InstanceStatus": {"Status": checks},
            "SystemStatus": {"Status": checks},
        }
        ec2.add_response("describe_instance_status", {"InstanceStatuses": [status]}, asked)


def terminated(ec2):
    ec2.add_response("terminate_instances", {"TerminatingInstances": []}, {"InstanceIds": ["i-1"]})


OK = ("running", "ok")
NOT_YET = (None, ("pending", "not-applicable"), ("running", "initializing"))


class TestLaunch:
    def test_an_instance_is_launched_and_awaited(self, ec2, parameters):
        nothing_is_there(ec2, parameters)
        launched(ec2)
        status_is(ec2, ("pending", "not-applicable"), ("running", "initializing"), OK)

        assert operator().execute({}) == "i-1"

    def test_an_instance_that_is_not_known_everywhere_yet_is_awaited(self, ec2, parameters):
        nothing_is_there(ec2, parameters)
        launched(ec2)
        status_is(ec2, None, OK)

        assert operator().execute({}) == "i-1"

    @pytest.mark.parametrize("message", [UNKNOWN_PROFILE, NO_ROLE])
    def test_a_profile_that_ec2_has_not_heard_of_yet_is_awaited(self, ec2, parameters, message):
        nothing_is_there(ec2, parameters)
        refused(ec2, "InvalidParameterValue", message)
        refused(ec2, "InvalidParameterValue", message)
        launched(ec2)
        status_is(ec2, OK)

        assert operator().execute({}) == "i-1"

    def test_a_profile_that_ec2_never_hears_of_fails_the_task(self, ec2, parameters):
        nothing_is_there(ec2, parameters)
        for _ in range(PROFILE_ATTEMPTS):
            refused(ec2, "InvalidParameterValue", UNKNOWN_PROFILE)

        with pytest.raises(ClientError, match="Invalid IAM Instance Profile name"):
            operator().execute({})

    def test_another_invalid_value_is_told_at_once(self, ec2, parameters):
        nothing_is_there(ec2, parameters)
        refused(ec2, "InvalidParameterValue", "Invalid availability zone")

        with pytest.raises(ClientError, match="Invalid availability zone"):
            operator().execute({})

    @pytest.mark.parametrize("code", ["InsufficientInstanceCapacity", "Unsupported"])
    def test_a_zone_without_room_is_passed_over(self, ec2, parameters, code):
        nothing_is_there(ec2, parameters, s1="a", s2="b")
        refused(ec2, code, "no t3.small here")
        launched(ec2, subnet="s2")
        status_is(ec2, OK)

        assert operator().execute({}) == "i-1"

    def test_without_room_anywhere_each_zone_is_named(self, ec2, parameters):
        nothing_is_there(ec2, parameters, s1="a", s2="b")
        refused(ec2, "InsufficientInstanceCapacity", "full")
        refused(ec2, "InsufficientInstanceCapacity", "full too", subnet="s2")

        with pytest.raises(
            AirflowException, match=r"No zone of vpc-1 has room for a t3.small: a: .*full; b: .*full too"
        ):
            operator().execute({})

    def test_a_region_without_the_type_is_named(self, ec2, parameters):
        machine_is(ec2, None)
        offered(ec2)

        with pytest.raises(LastingError, match=r"kafka_client\.instance_type 't3\.small': us-east-1 does not have it"):
            operator().execute({})

    def test_a_network_without_a_subnet_in_a_zone_with_the_type_is_named(self, ec2, parameters):
        machine_is(ec2, None)
        offered(ec2, "b", "a")
        subnets(ec2, s5="e")

        with pytest.raises(LastingError, match=r"vpc-1 has no subnet in a, b, the zones with t3\.small"):
            operator().execute({})

    def test_a_machine_that_nobody_could_enter_is_not_launched(self, ec2, parameters):
        machine_is(ec2, None)
        offered(ec2, "a")
        subnets(ec2, s1="a")
        group_opens(ec2, 8082)

        with pytest.raises(LastingError, match=r"sg-c lets nobody reach port 22.*set network\.ssh_from"):
            operator().execute({})

    @pytest.mark.parametrize("code", ["UnauthorizedOperation", "VcpuLimitExceeded"])
    def test_a_refusal_lasts_and_is_told_as_it_is(self, ec2, parameters, code):
        nothing_is_there(ec2, parameters)
        refused(ec2, code, "arn:aws:iam::1:role/airflow is not authorized to perform: ec2:RunInstances")

        with pytest.raises(ClientError, match=f"{code}.*RunInstances.*role/airflow") as error:
            operator().execute({})
        assert lasts(error.value)

    def test_nothing_is_launched_where_nothing_is_made(self, ec2):
        machine_is(ec2, None)

        with pytest.raises(LastingError, match=r"No EC2 instance is running .* or set account\.provision"):
            operator(provision="False").execute({})


class TestOneInstance:
    def test_a_rerun_changes_nothing(self, ec2):
        machine_is(ec2, machine())
        status_is(ec2, OK)

        assert operator().execute({}) == "i-1"

    def test_an_instance_of_others_is_adopted_as_it_is(self, ec2):
        machine_is(ec2, machine(Tags=[{"Key": "Name", "Value": USER_ID}]))

        assert operator(provision="False").execute({}) == "i-1"

    def test_a_retry_after_a_lost_answer_is_given_the_same_instance(self, ec2, parameters):
        """EC2 does not list it yet, but knows the token."""
        nothing_is_there(ec2, parameters)
        launched(ec2, state="running")
        status_is(ec2, OK)

        assert operator().execute({}) == "i-1"

    def test_a_second_run_at_once_adopts_the_instance_of_the_first(self, ec2, parameters):
        nothing_is_there(ec2, parameters)
        refused(ec2, "IdempotentParameterMismatch")
        self.launched_with(ec2, machine("pending"))
        status_is(ec2, OK)

        assert operator().execute({}) == "i-1"

    def test_a_second_run_does_not_terminate_the_instance_of_the_first(self, ec2, parameters):
        nothing_is_there(ec2, parameters)
        refused(ec2, "IdempotentParameterMismatch")
        self.launched_with(ec2, machine("pending"))
        status_is(ec2, *[("pending", "not-applicable")] * 3)

        with pytest.raises(AirflowException):
            operator().execute({})

    def test_after_a_teardown_another_instance_is_launched(self, ec2, parameters):
        nothing_is_there(ec2, parameters)
        refused(ec2, "IdempotentInstanceTerminated")
        refused(ec2, "IdempotentParameterMismatch", generation=1)
        self.launched_with(ec2, generation=1)
        launched(ec2, state="terminated", generation=2)
        launched(ec2, generation=3)
        status_is(ec2, OK)

        assert operator().execute({}) == "i-1"

    def test_two_instances_of_the_name_are_named(self, ec2):
        machine_is(ec2, machine("stopped"), machine(InstanceId="i-2"))

        with pytest.raises(LastingError, match=r"2 instances .*: i-1 \(stopped\), i-2 \(running\)"):
            operator().execute({})

    def launched_with(self, ec2, *found, generation=0):
        filters = [
            {"Name": "client-token", "Values": [client_token(USER_ID, "s1", generation)]},
            {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
        ]
        answer = {"Reservations": [{"Instances": [*found]}]}
        ec2.add_response("describe_instances", answer, {"Filters": filters})


class TestStart:
    @pytest.mark.parametrize("tags", [TAGS, {}])
    def test_a_stopped_instance_is_started(self, ec2, tags):
        machine_is(ec2, machine("stopped", Tags=[{"Key": key, "Value": tags[key]} for key in tags]))
        ec2.add_response("start_instances", {}, {"InstanceIds": ["i-1"]})
        status_is(ec2, OK)

        assert operator().execute({}) == "i-1"

    def test_an_instance_that_is_stopping_is_started_once_it_has_stopped(self, ec2):
        machine_is(ec2, machine("stopping"))
        stopped = {"Reservations": [{"Instances": [machine("stopped")]}]}
        ec2.add_response("describe_instances", stopped, {"InstanceIds": ["i-1"]})
        ec2.add_response("start_instances", {}, {"InstanceIds": ["i-1"]})
        status_is(ec2, OK)

        assert operator().execute({}) == "i-1"

    def test_a_stopped_instance_stays_so_where_nothing_is_made(self, ec2):
        machine_is(ec2, machine("stopped"))

        with pytest.raises(LastingError, match="No EC2 instance is running"):
            operator(provision="False").execute({})


class TestUndo:
    @pytest.mark.parametrize("ending", ["shutting-down", "terminated", "stopping"])
    def test_an_instance_that_ends_is_terminated_and_its_state_told(self, ec2, parameters, ending):
        nothing_is_there(ec2, parameters)
        launched(ec2)
        status_is(ec2, ("pending", "not-applicable"), (ending, "not-applicable"))
        terminated(ec2)

        with pytest.raises(AirflowException, match="Instance i-1 will not run"):
            operator().execute({})

    def test_an_instance_that_never_runs_is_terminated(self, ec2, parameters):
        nothing_is_there(ec2, parameters)
        launched(ec2)
        status_is(ec2, *[("running", "impaired")] * 3)
        terminated(ec2)

        with pytest.raises(AirflowException, match="max attempts reached"):
            operator().execute({})

    def test_the_first_error_is_told_if_it_cannot_be_terminated(self, ec2, parameters):
        nothing_is_there(ec2, parameters)
        launched(ec2)
        status_is(ec2, ("terminated", "not-applicable"))
        ec2.add_client_error("terminate_instances", "UnauthorizedOperation")

        with pytest.raises(AirflowException, match="Instance i-1 will not run"):
            operator().execute({})

    def test_an_instance_that_was_found_is_not_terminated(self, ec2):
        machine_is(ec2, machine())
        status_is(ec2, ("stopping", "not-applicable"))

        with pytest.raises(AirflowException, match="Instance i-1 will not run"):
            operator().execute({})

    def test_a_task_that_is_ended_terminates_what_it_launched(self, ec2, parameters):
        nothing_is_there(ec2, parameters)
        launched(ec2)
        status_is(ec2, OK)
        terminated(ec2)
        task = operator()
        task.execute({})

        task.on_kill()

    def test_a_task_that_is_ended_leaves_what_it_found(self, ec2):
        machine_is(ec2, machine())
        status_is(ec2, OK)
        task = operator()
        task.execute({})

        task.on_kill()


class TestDeferred:
    def test_a_wait_takes_no_worker(self, ec2, parameters):
        nothing_is_there(ec2, parameters)
        launched(ec2)
        status_is(ec2, None)
        with pytest.raises(TaskDeferred) as deferred:
            operator(deferrable=True).execute({})

        trigger = deferred.value.trigger
        assert trigger.return_value == {"instance_id": "i-1", "launched": True}
        event = {"status": "success", "instance": trigger.return_value}
        assert operator().execute_complete({}, event) == "i-1"

    def test_an_instance_that_runs_is_not_waited_for(self, ec2):
        machine_is(ec2, machine())
        status_is(ec2, OK)

        assert operator(deferrable=True).execute({}) == "i-1"

    @pytest.mark.parametrize("own", [True, False])
    def test_an_instance_that_will_not_run_is_terminated_if_it_was_launched_here(self, ec2, own):
        event = {"status": "error", "message": "it ended", "instance": {"instance_id": "i-1", "launched": own}}
        if own:
            terminated(ec2)

        with pytest.raises(AirflowException, match="it ended"):
            operator().execute_complete({}, event)

    def test_a_trigger_without_an_event_fails_the_task(self):
        with pytest.raises(AirflowException, match="ended without an event"):
            operator().execute_complete({}, None)
