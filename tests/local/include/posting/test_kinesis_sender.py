"""One data stream's sender against an API that fails in every way it can."""

from __future__ import annotations

import json
import threading
from collections import Counter

import pytest

from include.posting.kinesis_sender import KinesisSender
from include.posting.progress import Settled
from include.posting.sender import PostingError, PostingStoppedError, RetryPolicy, SourceRow
from tests.local.fake_rest_api import API_KEY, Fault
from tests.local.fake_stream_api import FIRST_NUMBER, THROTTLED, FakeStreamApi, kinesis_error

STREAM = "streaming-0e36c8cd403d-pin"
QUICK = RetryPolicy(tries=4, first_wait=0.01, longest_wait=0.05, connect_timeout=1, read_timeout=0.5)


@pytest.fixture
def api():
    with FakeStreamApi() as server:
        yield server


def new_sender(api, mode="records", stop=None, policy=QUICK) -> KinesisSender:
    return KinesisSender(
        "pin",
        invoke_url=api.url,
        data_stream=STREAM,
        api_key=API_KEY,
        mode=mode,
        policy=policy,
        stop=stop or threading.Event(),
    )


@pytest.fixture
def sender(api):
    sender = new_sender(api)
    yield sender
    sender.close()


@pytest.fixture
def single(api):
    sender = new_sender(api, "record")
    yield sender
    sender.close()


def row(draw: int, value: dict | None = None) -> SourceRow:
    return SourceRow(draw, 1000 + draw, json.dumps(value or {"index": 1000 + draw}).encode())


def rows(count: int) -> list[SourceRow]:
    return [row(draw) for draw in range(count)]


def settle(sender: KinesisSender, sent: list[SourceRow]) -> Settled:
    settled = Settled()
    sender.send(sent, settled)
    return settled


def test_many_records_go_in_one_request_with_ind_as_partition_key(api, sender):
    settled = settle(sender, rows(4))

    (request,) = api.requests
    assert request.path == f"/prod/streams/{STREAM}/records"
    assert request.headers["x-api-key"] == API_KEY
    assert request.headers["Content-Type"] == "application/json"
    assert [(put.partition_key, put.data) for put in api.entities[STREAM]] == [
        (str(ind), {"index": ind}) for ind in range(1000, 1004)
    ]
    assert settled.acknowledged == {
        0: ("shardId-000000000000", FIRST_NUMBER),
        1: ("shardId-000000000001", FIRST_NUMBER + 7),
        2: ("shardId-000000000000", FIRST_NUMBER + 14),
        3: ("shardId-000000000001", FIRST_NUMBER + 21),
    }


def test_the_seeds_mode_puts_every_row_by_itself(api, single):
    settled = settle(single, rows(3))

    assert [request.path for request in api.requests] == [f"/prod/streams/{STREAM}/record"] * 3
    assert [len(request.records) for request in api.requests] == [1, 1, 1]
    assert settled.acknowledged.keys() == {0, 1, 2}
    assert api.keys(STREAM) == [1000, 1001, 1002]


@pytest.mark.parametrize("mode", ["record", "records"])
def test_one_connection_serves_all_requests(api, mode):
    sender = new_sender(api, mode)
    for _ in range(3):
        settle(sender, rows(2))
    sender.close()

    assert len({request.client for request in api.requests}) == 1


def test_values_arrive_as_they_are(api, sender):
    value = {"latitude": -89.5236, "title": 'Ω\u00a0🚗\n"%b$', "none": None, "tags": ["a", {"b": 1}]}
    settle(sender, [row(0, value)])

    assert api.entities[STREAM][0].data == value


def test_a_request_holds_at_most_500_records(api, sender):
    settled = settle(sender, rows(1201))

    assert [len(request.records) for request in api.requests] == [500, 500, 201]
    assert len(settled.acknowledged) == 1201


def test_only_the_failed_third_is_sent_again(api, sender):
    api.put_error = lambda request, record: (
        (THROTTLED, "slow down") if len(api.requests) == 1 and int(record["partition-key"]) % 3 == 0 else None
    )

    settled = settle(sender, rows(30))

    assert [len(request.records) for request in api.requests] == [30, 10]
    assert Counter(api.keys(STREAM)) == Counter(range(1000, 1030))
    assert settled.acknowledged.keys() == set(range(30))


@pytest.mark.parametrize("mode", ["record", "records"])
@pytest.mark.parametrize(
    "fault",
    [
        *(pytest.param(Fault(status=status), id=str(status)) for status in (429, 500, 502, 503, 504)),
        pytest.param(kinesis_error(THROTTLED), id="throttled"),
        pytest.param(kinesis_error("LimitExceededException"), id="limit"),
        pytest.param(kinesis_error("com.amazonaws.kinesis.v20131202#" + THROTTLED), id="throttled, in full"),
        pytest.param(kinesis_error("InternalFailure", status=500), id="internal"),
        pytest.param(Fault(reset=True), id="connection reset"),
        pytest.param(Fault(hang=True), id="no answer in time"),
        pytest.param(Fault(status=200, body=b"<html>not Kinesis</html>"), id="200 that is no answer"),
        pytest.param(Fault(status=200, body=b'{"Records": []}'), id="200 without an answer a record"),
        pytest.param(Fault(status=200, body=b'{"Records": [1, 2]}'), id="200 with answers of no use"),
    ],
)
def test_a_passing_fault_costs_a_retry_and_no_record(api, mode, fault):
    sender = new_sender(api, mode)
    api.faults = [fault]

    settled = settle(sender, rows(2))
    sender.close()

    assert settled.acknowledged.keys() == {0, 1}
    assert api.keys(STREAM) == [1000, 1001]


@pytest.mark.parametrize(
    "fault", [Fault(reset=True, kept=True), Fault(status=504, kept=True), Fault(hang=True, kept=True)]
)
def test_a_lost_answer_repeats_the_records_and_counts_them_once(api, sender, fault):
    api.faults = [fault]

    settled = settle(sender, rows(2))

    assert api.keys(STREAM) == [1000, 1001, 1000, 1001]
    assert len(settled.acknowledged) == 2
    assert {position.sequence_number for position in settled.acknowledged.values()} == {
        put.sequence_number for put in api.entities[STREAM][2:]
    }


@pytest.mark.parametrize("mode", ["record", "records"])
@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        (kinesis_error("ResourceNotFoundException", f"Stream {STREAM} not found"), "run the stage data_streams again"),
        (kinesis_error("AccessDeniedException"), "role may not write"),
        (kinesis_error("KMSDisabledException"), "kinesis.kms_key"),
        (Fault(status=403), "API key"),
        (Fault(status=404), "does not exist"),
        (Fault(status=418), "Check the API"),
    ],
)
def test_an_answer_that_no_retry_betters_ends_the_run_at_once(api, mode, fault, advice):
    sender = new_sender(api, mode)
    api.fault_for = lambda request: fault
    settled = Settled()

    with pytest.raises(PostingError) as error:
        sender.send(rows(3), settled)

    assert len(api.requests) == 1
    assert f"/streams/{STREAM}/{mode}: {fault.status}" in str(error.value)
    assert advice in str(error.value)
    assert API_KEY not in str(error.value)
    assert (settled.acknowledged, settled.refused) == ({}, {})


def test_throttling_that_lasts_ends_the_run_and_keeps_what_is_settled(api, sender):
    api.put_error = lambda request, record: (THROTTLED, "slow down") if record["partition-key"] == "1001" else None
    settled = Settled()

    with pytest.raises(PostingError, match=r"1 records not posted after 4 tries.*Throughput.*slow down.*again"):
        sender.send(rows(3), settled)

    assert settled.acknowledged.keys() == {0, 2}


def test_throttling_is_waited_out_as_long_as_something_moves(api, sender):
    api.put_error = lambda request, record: (
        (THROTTLED, "slow") if int(record["partition-key"]) != 999 + len(api.requests) else None
    )

    settled = settle(sender, rows(8))

    assert len(settled.acknowledged) == 8
    assert len(api.requests) == 8


def test_the_default_policy_waits_out_half_a_minute_of_throttling():
    from pinterest.operators.posting import KINESIS_SENDING

    for _ in range(50):
        assert sum(KINESIS_SENDING.wait(failures) for failures in range(1, KINESIS_SENDING.tries)) > 40


@pytest.mark.parametrize("mode", ["record", "records"])
def test_thirty_seconds_of_throttling_lose_nothing(api, mode):
    """Thirty seconds on the clock of its waits, which is as fast as they are: no record is taken before."""
    from pinterest.operators.posting import KINESIS_SENDING

    class Clock(threading.Event):
        seconds = 0.0

        def wait(self, timeout=None):
            self.seconds += timeout or 0
            return False

    clock = Clock()
    api.fault_for = lambda request: kinesis_error(THROTTLED) if clock.seconds < 30 else None
    sender = new_sender(api, mode, stop=clock, policy=KINESIS_SENDING)

    settled = settle(sender, rows(7))

    sender.close()
    assert 30 <= clock.seconds < 90
    assert settled.acknowledged.keys() == set(range(7))
    assert Counter(api.keys(STREAM)) == Counter(range(1000, 1007))


def test_waits_differ(api):
    waits = []

    class Watched(threading.Event):
        def wait(self, timeout=None):
            waits.append(timeout)
            return False

    sender = new_sender(api, stop=Watched(), policy=RetryPolicy(tries=9, first_wait=1, longest_wait=1))
    api.faults = [kinesis_error(THROTTLED) for _ in range(6)]
    settle(sender, rows(1))

    assert all(0.5 <= wait <= 1 for wait in waits)
    assert len(set(waits)) > 1


@pytest.mark.parametrize("mode", ["record", "records"])
@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=400, body=b'{"message": "Invalid request body"}'),
        kinesis_error("ValidationException", "Member must have length less than or equal to 1048576"),
        Fault(status=413, body=b'{"message": "Request Entity Too Large"}'),
    ],
)
def test_a_record_that_makes_a_request_bad_is_found_and_refused_alone(api, mode, fault):
    sender = new_sender(api, mode)
    api.fault_for = lambda request: fault if any(one["partition-key"] == "1004" for one in request.records) else None

    settled = settle(sender, rows(7))

    assert Counter(api.keys(STREAM)) == Counter([1000, 1001, 1002, 1003, 1005, 1006])
    (refused,) = settled.refused.values()
    assert (refused.ind, refused.value) == (1004, {"index": 1004})
    assert refused.code in ("400", "413", "ValidationException")
    assert json.loads(fault.body)["message"] in refused.message


def test_a_record_that_fails_for_good_inside_a_200_is_refused_and_the_others_pass(api, sender):
    api.put_error = lambda request, record: ("SomeException", "no") if record["partition-key"] == "1001" else None

    settled = settle(sender, rows(3))

    assert settled.acknowledged.keys() == {0, 2}
    assert [(one.ind, one.code, one.message) for one in settled.refused.values()] == [(1001, "SomeException", "no")]


@pytest.mark.parametrize("mode", ["record", "records"])
def test_a_record_of_more_than_1_mib_is_refused_whole_and_never_sent(api, mode):
    sender = new_sender(api, mode)
    large = {"index": 1001, "title": "x" * 1024 * 1024}

    settled = settle(sender, [row(0), row(1, large), row(2)])

    assert api.keys(STREAM) == [1000, 1002]
    assert [(one.code, one.value) for one in settled.refused.values()] == [("record_too_large", large)]


def test_an_api_that_refuses_everything_is_not_asked_for_every_record(api, sender):
    api.fault_for = lambda request: Fault(status=400, body=b'{"message": "what is this"}')

    with pytest.raises(PostingError, match=r"refused one by one.*what is this"):
        sender.send(rows(500), Settled())

    assert len(api.requests) < 60


def test_a_stop_ends_a_wait(api):
    stop = threading.Event()
    sender = new_sender(api, stop=stop, policy=RetryPolicy(first_wait=60, longest_wait=60))
    api.fault_for = lambda request: kinesis_error(THROTTLED)
    api.before = lambda request: stop.set()

    with pytest.raises(PostingStoppedError):
        sender.send(rows(1), Settled())


def test_an_address_that_is_none_is_a_clear_error():
    sender = KinesisSender(
        "pin",
        invoke_url="nowhere",
        data_stream=STREAM,
        api_key=API_KEY,
        mode="records",
        policy=QUICK,
        stop=threading.Event(),
    )

    with pytest.raises(PostingError, match="Check the address"):
        sender.send(rows(1), Settled())
