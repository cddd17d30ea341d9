"""What the policies allow on Kafka is what its clients do there, no more and no less.

A tool's requests and what Kafka's authorizer asks for each are Kafka's; each of its operations is one of MSK's actions.
"""

from __future__ import annotations

import re

import pytest

from include.aws.policies import TEMPLATES, policy
from tests.builders import settings
from tests.iam import allows, unused

ACCOUNT = "123456789012"
SETTINGS = settings(region="eu-west-1")
POLICIES = {name: policy(name, SETTINGS, ACCOUNT) for name in ("kafka_client", "kafka_client_teardown", "s3_sink")}


def arn(kind: str, name: str = "") -> str:
    return f"arn:aws:kafka:eu-west-1:{ACCOUNT}:{kind}/{SETTINGS.kafka.cluster_name}/4c3-5{name and '/'}{name}"


CLUSTER = {arn("cluster")}
TOPICS = {arn("topic", name) for name in SETTINGS.topics.values()}
DEAD_LETTERS = {arn("topic", SETTINGS.dead_letter_topic)}
WORKERS_TOPICS = {
    arn("topic", f"__amazon_msk_connect_{what}_{SETTINGS.connector}_1") for what in ("configs", "offsets", "status")
}
OF_THE_RUN = {arn("group", f"{SETTINGS.consumer_group}-count-0a1b2c")}
OF_THE_SINK = {arn("group", f"connect-{SETTINGS.connector}")}
OF_THE_WORKERS = {arn("group", "__amazon_msk_connect_c-connector_1")}

SCRIPTS = {
    "topics/create_topics.sh": (TOPICS | DEAD_LETTERS, set()),
    "topics/topic_ids.sh": (TOPICS, set()),
    "landing/broker_offsets.sh": (TOPICS, set()),
    "landing/consume_interval.sh": (TOPICS, OF_THE_RUN),
    "landing/read_dead_letters.sh": (DEAD_LETTERS, set()),
    "s3_sink/await_sink_tasks.sh": (TOPICS, OF_THE_SINK),
    "s3_sink/restart_group.sh": (TOPICS, OF_THE_SINK),
}
TEARDOWN = "teardown/delete_topics.sh"
"""Scripts that run Kafka's tools: on which topics, in which groups."""

OWN_BROKER = "kafka/start_broker.sh"
"""Asks a broker that knows no IAM."""

READS_THE_GROUP = {"DescribeTopic", "DescribeGroup"}
NEEDS = {
    "topics --create": {"CreateTopic"},
    "topics --describe": {"DescribeTopic", "DescribeTopicDynamicConfiguration", "DescribeCluster"},
    "topics --delete": {"DescribeTopic", "DeleteTopic"},
    "get-offsets": {"DescribeTopic"},
    "consumer-groups --describe": READS_THE_GROUP,
    "consumer-groups --reset-offsets": READS_THE_GROUP | {"AlterGroup", "ReadData"},
    "consumer-groups --delete": {"DescribeGroup", "DeleteGroup"},
    "console-consumer": {"DescribeTopic", "ReadData"},
    "console-consumer --group": READS_THE_GROUP | {"AlterGroup", "ReadData"},
}
"""``topics --describe`` shows configurations, and asks the cluster whether a partition is on the move."""

TOOLS = "kafka_client/tools.sh"
SEVERAL_THINGS = {"topics": r"--(?:create|describe|delete)\b", "consumer-groups": r"--(?:describe|delete)\b"}


def uses(script: str) -> set[str]:
    """The tools, with what is asked of those that do several things."""
    text = re.sub(r"^\s*#.*", "", (TEMPLATES / script).read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    found = {"consumer-groups --reset-offsets"} if re.search(r"\breset_offsets\b", text) else set()
    for tool, arguments in re.findall(r"\bkafka ([a-z-]+)\b(.*)", text):
        if tool in SEVERAL_THINGS:
            found |= {f"{tool} {what}" for what in re.findall(SEVERAL_THINGS[tool], arguments)}
        else:
            found.add(f"{tool} --group" if "--group" in arguments else tool)
    return found


def calls(actions: set[str], topics: set[str], groups: set[str]) -> set[tuple[str, str]]:
    """Every action with the resources of its kind."""
    made = set()
    for action in actions:
        kind = CLUSTER if action in ("Connect", "DescribeCluster", "WriteDataIdempotently") else topics
        made |= {(f"kafka-cluster:{action}", one) for one in (groups if action.endswith("Group") else kind)}
    return made


def of_the_client() -> set[tuple[str, str]]:
    """Its scripts, and the REST proxy: an idempotent producer that describes topics to whoever asks."""
    made = calls({"Connect", "WriteDataIdempotently", "DescribeTopic", "WriteData"}, TOPICS, set())
    for script, (topics, groups) in SCRIPTS.items():
        for use in uses(script):
            made |= calls(NEEDS[use], topics, groups)
    return made


def of_the_sink() -> set[tuple[str, str]]:
    """The consumers of its tasks, the producer of dead letters, and the workers' own topics and group."""
    return (
        calls({"Connect", "DescribeCluster", "ReadData", *READS_THE_GROUP, "AlterGroup"}, TOPICS, OF_THE_SINK)
        | calls({"DescribeTopic", "WriteData"}, DEAD_LETTERS, set())
        | calls({"CreateTopic", "DescribeTopic", "ReadData", "WriteData"}, WORKERS_TOPICS, set())
        | calls({"DescribeGroup", "AlterGroup"}, set(), OF_THE_WORKERS)
    )


MADE = {"kafka_client": of_the_client, "s3_sink": of_the_sink}
BY_HAND = {"kafka_client": {arn("group", SETTINGS.consumer_group)}, "s3_sink": set()}
"""Groups in which people look at the topics."""


def test_every_script_that_runs_a_tool_of_kafka_is_known():
    scripts = TEMPLATES.rglob("*.sh")
    reach = {path.relative_to(TEMPLATES).as_posix() for path in scripts if f"include '{TOOLS}'" in path.read_text()}

    assert reach == {*SCRIPTS, TEARDOWN, OWN_BROKER}
    assert {use for script in reach - {OWN_BROKER} for use in uses(script)} == set(NEEDS)


def test_who_deletes_topics_needs_both_policies_of_the_client():
    made = set()
    for use in uses(TEARDOWN):
        made |= calls(NEEDS[use], TOPICS | DEAD_LETTERS | WORKERS_TOPICS, set())
    deleting, running = POLICIES["kafka_client_teardown"], POLICIES["kafka_client"]

    assert sorted(call for call in made if not (allows(deleting, *call) or allows(running, *call))) == []
    assert unused(deleting, made) == set()
    assert not any(allows(running, f"kafka-cluster:{what}", topic) for what in ("DeleteTopic",) for topic in TOPICS)


@pytest.mark.parametrize("name", MADE)
def test_a_client_may_do_what_it_does(name):
    assert sorted(call for call in MADE[name]() if not allows(POLICIES[name], *call)) == []


@pytest.mark.parametrize("name", MADE)
def test_a_client_may_do_nothing_that_it_does_not_need(name):
    left = {grant for grant in unused(POLICIES[name], MADE[name]()) if grant.action.startswith("kafka-cluster:")}

    assert sorted(grant for grant in left if not BY_HAND[name] & {grant.resource.replace("*", "4c3-5")}) == []
