"""The VPC link: found, made, replaced, undone, and what AWS says of it. botocore checks each request by the model."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowException
from airflow.sdk.exceptions import TaskDeferred
from botocore.exceptions import ClientError

from include.faults import LastingError
from pinterest.operators import vpc_link as module
from pinterest.operators.vpc_link import VpcLinkOperator
from pinterest.retry_policy import lasts
from tests.builders import USER_ID

NAME = f"{USER_ID}-rest-proxy"
OURS = {"project": "pinterest-pipeline", "user_id": USER_ID}
BALANCER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/x/1"
TAKEN = "NLB is already associated with another VPC Endpoint Service"


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(module.VpcLinkConsoleLink, "persist", lambda **_: None)


def operator(**more):
    arguments = {
        "exposure": "vpc_link", "link_name": NAME, "load_balancer": BALANCER, "tags": {**OURS, "expires_at": ""},
        "waiter_delay": 0, "waiter_max_attempts": 3,
    }  # fmt: skip
    return VpcLinkOperator(task_id="link", **{**arguments, **more})


def link(status="AVAILABLE", link_id="l1", **more):
    return {"id": link_id, "name": NAME, "targetArns": [BALANCER], "status": status, "tags": OURS, **more}


def found(gateway, *links):
    others = link(link_id="l9", name="of-others")
    gateway.add_response("get_vpc_links", {"items": [others, *links]}, {})


def made(gateway, link_id="l1"):
    request = {"name": NAME, "targetArns": [BALANCER], "tags": OURS}
    gateway.add_response("create_vpc_link", link("PENDING", link_id), request)


def states(gateway, *links, link_id="l1"):
    for one in links:
        gateway.add_response("get_vpc_link", one, {"vpcLinkId": link_id})


def deleted(gateway, link_id="l1"):
    gateway.add_response("delete_vpc_link", {}, {"vpcLinkId": link_id})


def gone(gateway, link_id="l1"):
    states(gateway, link("DELETING", link_id), link_id=link_id)
    gateway.add_client_error("get_vpc_link", "NotFoundException", expected_params={"vpcLinkId": link_id})


def test_is_made_and_waited_for(gateway):
    found(gateway)
    made(gateway)
    states(gateway, link("PENDING"), link())

    assert operator().execute({}) == "l1"


def test_a_link_that_is_not_known_everywhere_yet_is_waited_for(gateway):
    found(gateway)
    made(gateway)
    gateway.add_client_error("get_vpc_link", "NotFoundException")
    states(gateway, link())

    assert operator().execute({}) == "l1"


def test_a_rerun_changes_nothing(gateway):
    found(gateway, link())

    assert operator().execute({}) == "l1"


def test_after_a_lost_answer_the_link_is_adopted(gateway):
    found(gateway, link("PENDING"))
    states(gateway, link())

    assert operator().execute({}) == "l1"


def test_of_two_links_the_one_that_failed_is_deleted(gateway):
    """A request that was sent twice makes two: the load balancer takes only one."""
    found(gateway, link("FAILED", "l0", statusMessage=TAKEN), link("AVAILABLE", "l1"))
    deleted(gateway, "l0")
    gone(gateway, "l0")

    assert operator().execute({}) == "l1"


def test_a_link_that_failed_is_replaced(gateway):
    found(gateway, link("FAILED", "l0", statusMessage="why"))
    deleted(gateway, "l0")
    gone(gateway, "l0")
    made(gateway)
    states(gateway, link())

    assert operator().execute({}) == "l1"


def test_a_link_to_a_load_balancer_that_is_gone_is_replaced(gateway):
    found(gateway, link(link_id="l0", targetArns=["arn:old"]))
    deleted(gateway, "l0")
    gone(gateway, "l0")
    made(gateway)
    states(gateway, link())

    assert operator().execute({}) == "l1"


def test_a_link_that_is_still_referenced_is_left_and_named(gateway, capsys):
    found(gateway, link(link_id="l0", targetArns=["arn:old"]))
    gateway.add_client_error("delete_vpc_link", "BadRequestException", "Vpc link 'l0', is referenced in [a:ANY:r]")
    made(gateway)
    states(gateway, link())

    assert operator().execute({}) == "l1"
    assert "is left, because AWS says: " in capsys.readouterr().out


def test_a_link_that_is_being_deleted_is_waited_for(gateway):
    """It holds on to the load balancer until it is gone."""
    found(gateway, link("DELETING", "l0"))
    gone(gateway, "l0")
    made(gateway)
    states(gateway, link())

    assert operator().execute({}) == "l1"


@pytest.mark.parametrize("more", [{"status": "FAILED"}, {"targetArns": ["arn:old"]}])
def test_links_of_others_are_left_and_named(gateway, capsys, more):
    found(gateway, {**link(link_id="l0"), "tags": {}, **more})
    made(gateway)
    states(gateway, link())

    assert operator().execute({}) == "l1"
    assert f"VPC link {NAME} (l0) was made by others and is left" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ([link("PENDING"), link("FAILED", statusMessage=TAKEN)], TAKEN),
        ([link("PENDING")] * 3, "PENDING, AWS gave no reason"),
        ([link("DELETING")], "DELETING, AWS gave no reason"),
    ],
    ids=["failed", "pending for ever", "deleted by somebody"],
)
def test_a_link_that_does_not_become_available_is_deleted_and_the_reason_told(gateway, after, said):
    found(gateway)
    made(gateway)
    states(gateway, *after, after[-1])
    deleted(gateway)

    with pytest.raises(AirflowException, match=said) as failed:
        operator().execute({})
    assert not lasts(failed.value)  # a link that was made twice is found by the next try


def test_a_link_of_another_run_that_fails_is_not_deleted(gateway):
    found(gateway, link("PENDING"))
    states(gateway, *[link("FAILED", statusMessage=TAKEN)] * 2)

    with pytest.raises(AirflowException, match=TAKEN):
        operator().execute({})


def test_the_triggerer_waits_for_it(gateway):
    found(gateway)
    made(gateway)

    with pytest.raises(TaskDeferred) as deferred:
        operator(deferrable=True).execute({})

    told = deferred.value.trigger.return_value
    assert told == {"link_id": "l1", "made": True}
    assert operator().execute_complete({}, {"status": "success", "vpc_link": told}) == "l1"


@pytest.mark.parametrize("own", [True, False])
def test_what_the_triggerer_could_not_wait_for_is_deleted_if_it_was_made_here(gateway, own):
    states(gateway, link("FAILED", statusMessage=TAKEN))
    if own:
        deleted(gateway)

    event = {"status": "error", "message": "it failed", "vpc_link": {"link_id": "l1", "made": own}}
    with pytest.raises(AirflowException, match=f"it failed: FAILED, {TAKEN}"):
        operator().execute_complete({}, event)


def test_a_link_that_is_gone_meanwhile_is_told_as_it_is(gateway):
    gateway.add_client_error("get_vpc_link", "NotFoundException", "Invalid Vpc Link")

    event = {"status": "error", "message": "it failed", "vpc_link": {"link_id": "l1", "made": False}}
    with pytest.raises(AirflowException, match=r"it failed: .*NotFoundException"):
        operator().execute_complete({}, event)


def test_a_trigger_without_an_event_fails_the_task():
    with pytest.raises(AirflowException, match="ended without an event"):
        operator().execute_complete({}, None)


def test_a_quota_is_told_with_what_to_do(gateway):
    found(gateway)
    gateway.add_client_error("create_vpc_link", "LimitExceededException", "Maximum number of VPC links")

    with pytest.raises(LastingError, match=r"Maximum number of VPC links.*Service Quotas"):
        operator().execute({})


@pytest.mark.parametrize(("code", "lasting"), [("AccessDeniedException", True), ("TooManyRequestsException", False)])
def test_a_refusal_is_told_as_it_is(gateway, code, lasting):
    found(gateway)
    gateway.add_client_error("create_vpc_link", code)

    with pytest.raises(ClientError, match=f"{code}.*CreateVpcLink") as refused:
        operator().execute({})
    assert lasts(refused.value) is lasting


def test_a_task_that_is_killed_deletes_what_it_has_made(gateway):
    found(gateway)
    made(gateway)
    task = operator(deferrable=True)
    with pytest.raises(TaskDeferred):
        task.execute({})
    deleted(gateway)

    task.on_kill()


def test_on_the_internet_there_is_none(gateway):
    assert operator(exposure="internet").execute({}) == ""
