"""The operator that has a consumer group read the interval: rounds, what they are asked, and when they end."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from include.landing.consumer import GroupReading
from include.landing.interval import Interval, PartitionRange, TopicRanges
from pinterest.hooks.kafka_client import Completed, KafkaClientError
from pinterest.operators.landing import ConsumerCountOperator


class Group:
    """In the place of the hook: prints one answer after the other, and keeps what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def run(self, script, environment, timeout, *, secrets):
        self.asked.append((environment["START"], environment["READ"]))
        answer = self.answers.pop(0)
        return answer if isinstance(answer, Completed) else Completed(answer, "", 0)


@pytest.fixture
def interval():
    return Interval(
        topics={
            "pin": TopicRanges(topic="u.pin", partitions={0: PartitionRange(start=5, stop=10)}),
            "geo": TopicRanges(topic="u.geo", partitions={0: PartitionRange(start=0, stop=3)}),
            "user": TopicRanges(topic="u.user", partitions={0: PartitionRange(start=4, stop=4)}),
        }
    )


START = "u.pin,0,5\nu.geo,0,0\nu.user,0,4"


def read(interval, group) -> GroupReading:
    return ConsumerCountOperator(task_id="consumer", script="script")._read(group, interval, "students")


def test_one_round_is_enough_when_everything_comes(interval):
    group = Group("read u.pin 0 5 9\nread u.geo 0 0 2\n")

    found = read(interval, group)

    assert [found.seen(topic) for topic in interval.topics.values()] == [5, 3, 0]
    assert group.asked == [(START, "u.pin 5\nu.geo 3")]


def test_only_what_is_left_is_read_again_and_the_group_goes_on_where_it_is(interval):
    group = Group("read u.pin 0 5 6\nread u.pin 1 0 2\nread u.geo 0 0 2\n", "read u.pin 0 7 9\n")

    assert read(interval, group).left(interval.topics["pin"]) == 0
    assert group.asked == [(START, "u.pin 5\nu.geo 3"), ("", "u.pin 3")]


def test_a_topic_from_which_nothing_comes_ends_the_reading(interval):
    group = Group("read u.geo 0 0 2\n")

    assert read(interval, group).missing(("u.pin", 0), interval.topics["pin"].partitions[0]) == ((5, 10),)
    assert len(group.asked) == 1


def test_the_group_is_set_even_where_there_is_nothing_to_read():
    topic = TopicRanges(topic="u.pin", partitions={0: PartitionRange(start=4, stop=4)})
    group = Group("committed u.pin 0 4\n")

    assert read(Interval(topics={"pin": topic}), group).problems() == []
    assert group.asked == [("u.pin,0,4", "")]


def test_a_script_that_fails_is_an_error(interval):
    with pytest.raises(KafkaClientError, match=r"The script of consumer failed .*no broker"):
        read(interval, Group(Completed("", "no broker", 1)))


def test_a_task_that_is_canceled_ends_the_script(interval):
    operator = ConsumerCountOperator(task_id="consumer", script="script")
    killed = []

    def run(*_, **__):
        operator.on_kill()
        return Completed("", "", 0)

    operator._read(SimpleNamespace(run=run, kill=lambda: killed.append(True)), interval, "students")

    assert killed == [True]
