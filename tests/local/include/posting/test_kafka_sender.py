"""One topic's sender against an API that fails in every way it can."""

from __future__ import annotations

import json
import threading
import time

import pytest

from include.faults import LastingError
from include.posting.kafka_sender import KafkaSender
from include.posting.progress import Settled
from include.posting.sender import PostingError, PostingRefusedError, PostingStoppedError, RetryPolicy, SourceRow
from tests.local.fake_rest_api import API_KEY, FakeRestApi, Fault

TOPIC = "0e36c8cd403d.pin"
QUICK = RetryPolicy(tries=4, first_wait=0.01, longest_wait=0.05, connect_timeout=1, read_timeout=0.5)


@pytest.fixture
def api():
    with FakeRestApi() as server:
        yield server


@pytest.fixture
def stop():
    return threading.Event()


@pytest.fixture
def sender(api, stop):
    sender = KafkaSender("pin", invoke_url=api.url, topic=TOPIC, api_key=API_KEY, policy=QUICK, stop=stop)
    yield sender
    sender.close()


def rows(count: int, *, title: str = "a title") -> list[SourceRow]:
    return [row(draw, {"index": 1000 + draw, "title": title}) for draw in range(count)]


def row(draw: int, value: dict) -> SourceRow:
    return SourceRow(draw, 1000 + draw, json.dumps(value).encode())


def settle(sender: KafkaSender, sent: list[SourceRow]) -> Settled:
    settled = Settled()
    sender.send(sent, settled)
    return settled


def test_many_records_go_in_one_request_keyed_by_ind(api, sender):
    settled = settle(sender, rows(6))

    assert [(stored.key, stored.value["index"]) for stored in api.topics[TOPIC]] == [(n, n) for n in range(1000, 1006)]
    assert len(api.requests) == 1
    assert api.requests[0].path == f"/prod/topics/{TOPIC}"
    assert api.requests[0].headers["Content-Type"] == "application/vnd.kafka.json.v2+json"
    assert api.requests[0].headers["x-api-key"] == API_KEY
    assert settled.acknowledged == {0: (1, 0), 1: (2, 0), 2: (0, 0), 3: (1, 1), 4: (2, 1), 5: (0, 1)}


def test_one_connection_serves_all_requests(api, sender):
    for _ in range(5):
        settle(sender, rows(2))

    assert len({request.client for request in api.requests}) == 1


def test_values_arrive_as_they_are(api, sender):
    value = {"latitude": -89.5236, "title": 'Ω\u00a0🚗\n"%b', "none": None}
    settle(sender, [row(0, value)])

    assert api.topics[TOPIC][0].value == value


@pytest.mark.parametrize(
    "fault",
    [
        *(pytest.param(Fault(status=status), id=str(status)) for status in (429, 500, 502, 503, 504)),
        pytest.param(Fault(reset=True), id="connection reset"),
        pytest.param(Fault(hang=True), id="no answer in time"),
        pytest.param(Fault(status=200, body=b"<html>not the proxy</html>"), id="200 that is no answer"),
        pytest.param(Fault(status=200, body=b'{"offsets": []}'), id="200 without an answer a record"),
        pytest.param(Fault(status=200, body=b'{"offsets": [1, 2]}'), id="200 with answers of no use"),
    ],
)
def test_a_passing_fault_costs_a_retry_and_no_record(api, sender, fault):
    api.faults = [fault]

    settled = settle(sender, rows(2))

    assert settled.acknowledged.keys() == {0, 1}
    assert api.keys(TOPIC) == [1000, 1001]
    assert len(api.requests) == 2


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(reset=True, kept=True), id="connection reset"),
        pytest.param(Fault(status=502, kept=True), id="502"),
        pytest.param(Fault(hang=True, kept=True), id="no answer in time"),
    ],
)
def test_a_lost_answer_repeats_the_records_and_counts_them_once(api, sender, fault):
    api.faults = [fault]

    settled = settle(sender, rows(2))

    assert api.keys(TOPIC) == [1000, 1001, 1000, 1001]
    assert len(settled.acknowledged) == 2
    assert not settled.refused


@pytest.mark.parametrize(
    ("status", "advice"),
    [(401, "rest_api"), (403, "API key"), (404, "topic"), (301, "Check the API"), (418, "Check the API")],
)
def test_an_answer_that_no_retry_betters_ends_the_run_at_once(api, sender, status, advice):
    api.fault_for = lambda request: Fault(status=status, body=b'{"message":"Forbidden"}')
    settled = Settled()

    with pytest.raises(PostingError) as error:
        sender.send(rows(3), settled)

    assert len(api.requests) == 1
    assert f"/topics/{TOPIC}: {status}" in str(error.value)
    assert advice in str(error.value)
    assert "Forbidden" in str(error.value)
    assert API_KEY not in str(error.value)
    assert (settled.acknowledged, settled.refused) == ({}, {})
    assert isinstance(error.value, LastingError)


def test_a_fault_that_does_not_pass_ends_the_run_after_so_many_tries(api, sender):
    api.fault_for = lambda request: Fault(status=500)

    with pytest.raises(PostingError, match=r"3 records not posted after 4 tries.*500 Internal Server Error") as error:
        sender.send(rows(3), Settled())

    assert len(api.requests) == 4
    assert not isinstance(error.value, LastingError), "an outage may be over when the task is tried again"


@pytest.mark.parametrize(
    "said",
    [
        "Broker: Unknown topic or partition",
        "This server does not host this topic-partition.",
        "Topic 0e36c8cd403d.pin not present in metadata after 60000 ms.",
    ],
)
def test_a_topic_that_is_missing_is_asked_for_three_times(api, stop, said):
    told = {"offsets": [{"partition": None, "offset": None, "error_code": 50003, "error": said}]}
    api.fault_for = lambda request: Fault(status=200, body=json.dumps(told).encode())
    policy = RetryPolicy(tries=8, first_wait=0.01, longest_wait=0.02)
    sender = KafkaSender("pin", invoke_url=api.url, topic=TOPIC, api_key=API_KEY, policy=policy, stop=stop)

    with pytest.raises(PostingRefusedError, match=r"3 times\. The API or the topic does not exist: run the stages"):
        sender.send(rows(1), Settled())

    assert len(api.requests) == 3


def test_a_port_that_does_not_speak_tls_is_a_wrong_address(api, stop):
    url = api.url.replace("http://", "https://")
    sender = KafkaSender("pin", invoke_url=url, topic=TOPIC, api_key=API_KEY, policy=QUICK, stop=stop)

    with pytest.raises(PostingRefusedError, match="Check the address"):
        sender.send(rows(1), Settled())


def test_an_api_that_is_not_there_is_named(stop):
    with FakeRestApi() as gone:
        url = gone.url
    sender = KafkaSender("pin", invoke_url=url, topic=TOPIC, api_key=API_KEY, policy=QUICK, stop=stop)

    with pytest.raises(PostingError, match="ConnectionError") as error:
        sender.send(rows(1), Settled())
    assert url in str(error.value)


def test_an_address_that_is_none_is_a_clear_error(stop):
    sender = KafkaSender("pin", invoke_url="nowhere", topic=TOPIC, api_key=API_KEY, policy=QUICK, stop=stop)

    with pytest.raises(PostingError, match="Check the address"):
        sender.send(rows(1), Settled())


@pytest.mark.parametrize("code", [50001, 50002, 50003])
def test_a_record_that_failed_inside_a_200_is_sent_again_alone(api, sender, code):
    api.record_error = lambda request, record: (
        (code, "broker") if len(api.requests) == 1 and record["key"] == 1001 else None
    )

    settled = settle(sender, rows(3))

    assert [[record["key"] for record in request.records] for request in api.requests] == [[1000, 1001, 1002], [1001]]
    assert sorted(api.keys(TOPIC)) == [1000, 1001, 1002]
    assert settled.acknowledged.keys() == {0, 1, 2}


def test_a_record_that_fails_for_good_inside_a_200_is_refused_and_the_others_pass(api, sender):
    api.record_error = lambda request, record: (42201, "too deep") if record["key"] == 1001 else None

    settled = settle(sender, rows(3))

    assert api.keys(TOPIC) == [1000, 1002]
    assert len(api.requests) == 1
    assert {row.ind: (row.code, row.message, row.value) for row in settled.refused.values()} == {
        1001: ("42201", "too deep", {"index": 1001, "title": "a title"})
    }


def test_a_record_that_goes_on_failing_ends_the_run_and_keeps_what_is_settled(api, sender):
    api.record_error = lambda request, record: (50003, "no leader") if record["key"] == 1001 else None
    settled = Settled()

    with pytest.raises(PostingError, match=r"1 records not posted.*50003 no leader"):
        sender.send(rows(3), settled)

    assert settled.acknowledged.keys() == {0, 2}
    assert api.keys(TOPIC) == [1000, 1002]


def test_progress_starts_the_count_of_tries_anew(api, sender):
    api.record_error = lambda request, record: (50003, "slow") if record["key"] != 999 + len(api.requests) else None

    settled = settle(sender, rows(8))

    assert len(settled.acknowledged) == 8
    assert len(api.requests) == 8


def test_a_request_that_is_too_large_is_halved_and_keeps_its_order(api, sender):
    api.fault_for = lambda request: Fault(status=413) if request.size > 300 else None

    settled = settle(sender, rows(20))

    assert api.keys(TOPIC) == list(range(1000, 1020))
    assert len(settled.acknowledged) == 20


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_record_that_makes_a_request_bad_is_found_and_refused_alone(api, sender, status):
    bad = row(4, {"index": 1004, "title": "x" * 1_000_000})
    api.fault_for = lambda request: (
        Fault(status=status, body=b"too large") if any(record["key"] == 1004 for record in request.records) else None
    )

    settled = settle(sender, [*rows(4), bad, row(5, {"index": 1005})])

    assert api.keys(TOPIC) == [1000, 1001, 1002, 1003, 1005]
    assert [(row.ind, row.code, row.message) for row in settled.refused.values()] == [(1004, str(status), "too large")]


TOO_LARGE = [
    pytest.param("Kafka error: Broker: Message size too large", id="librdkafka"),
    pytest.param(
        "The message is 2000088 bytes when serialized which is larger than 1048576, which is the value of the "
        "max.request.size configuration.",
        id="Java client",
    ),
    pytest.param(
        "The request included a message larger than the max message size the server will accept.", id="broker"
    ),
]


@pytest.mark.parametrize("error", TOO_LARGE)
def test_a_record_that_kafka_finds_too_large_is_refused_whole_and_the_others_pass(api, sender, error):
    api.record_error = lambda request, record: (50002, error) if len(record["value"].get("title", "")) > 9000 else None
    large = {"index": 1002, "title": "x" * 10_000}

    settled = settle(sender, [*rows(2), row(2, large), *rows(6)[3:]])

    assert api.keys(TOPIC) == [1000, 1001, 1003, 1004, 1005]
    assert settled.acknowledged.keys() == {0, 1, 3, 4, 5}
    assert [(one.code, one.message, one.value) for one in settled.refused.values()] == [("50002", error, large)]
    assert len(api.requests) == 2


def test_records_that_are_only_together_too_large_are_all_posted_once(api, sender):
    api.record_error = lambda request, record: (
        (50002, "Kafka error: Broker: Message size too large") if len(request.records) > 3 else None
    )

    settled = settle(sender, rows(20))

    assert api.keys(TOPIC) == list(range(1000, 1020))
    assert settled.acknowledged.keys() == set(range(20))
    assert settled.refused == {}


def test_too_large_and_passing_errors_in_one_answer_are_told_apart(api, sender):
    errors = {1001: (50002, "Kafka error: Broker: Message size too large"), 1002: (50003, "no leader")}
    api.record_error = lambda request, record: (
        errors.get(record["key"]) if record["key"] == 1001 or len(api.requests) == 1 else None
    )

    settled = settle(sender, rows(4))

    assert settled.acknowledged.keys() == {0, 2, 3}
    assert settled.refused.keys() == {1}


def test_a_topic_that_takes_no_record_for_its_size_ends_the_run(api, sender):
    api.record_error = lambda request, record: (50002, "Message size too large")

    with pytest.raises(PostingError, match=r"refused one by one.*50002 'Message size too large'"):
        sender.send(rows(500), Settled())

    assert len(api.requests) < 60


def test_an_api_that_refuses_everything_is_not_asked_for_every_record(api, sender):
    api.fault_for = lambda request: Fault(status=400, body=b"what is this")

    with pytest.raises(PostingError, match=r"refused one by one.*what is this"):
        sender.send(rows(500), Settled())

    assert len(api.requests) < 60


def test_a_stop_ends_a_wait(api, stop):
    patient = RetryPolicy(tries=4, first_wait=60, longest_wait=60)
    sender = KafkaSender("pin", invoke_url=api.url, topic=TOPIC, api_key=API_KEY, policy=patient, stop=stop)
    api.fault_for = lambda request: Fault(status=503)
    api.before = lambda request: stop.set()
    started = time.monotonic()

    with pytest.raises(PostingStoppedError):
        sender.send(rows(1), Settled())

    assert time.monotonic() - started < 30


def test_a_429_says_how_long_to_wait(api, stop):
    waits = []

    class Watched(threading.Event):
        def wait(self, timeout=None):
            waits.append(timeout)
            return False

    policy = RetryPolicy(first_wait=0.01, longest_wait=5)
    sender = KafkaSender("pin", invoke_url=api.url, topic=TOPIC, api_key=API_KEY, policy=policy, stop=Watched())
    api.faults = [
        Fault(status=429, headers=(("Retry-After", "3"),)),
        Fault(status=429, headers=(("Retry-After", "soon"),)),
    ]

    settle(sender, rows(1))

    assert waits[0] == 3
    assert waits[1] < 0.1
