"""An account with nothing in it gets what stands before Kafka: the operators on ministack, and a machine with SSH."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from unittest import mock

import botocore.client
import jinja2
import pytest
from airflow.providers.amazon.aws.links.ec2 import EC2InstanceLink

from include.aws.ownership import as_tags, is_ours
from include.aws.policies import policy
from include.settings import Settings
from lab.airflow_environment import aws_connection
from lab.state import ACCOUNT, CHECKOUT, REGION, USER_ID, State
from pinterest.dag_defaults import TEMPLATES
from pinterest.hooks.kafka_client import KafkaClientHook
from pinterest.hooks.kafka_tools import KafkaToolsHook
from pinterest.operators import account_plan, kafka_brokers, key_pair
from pinterest.operators.account_plan import AccountPlanOperator
from pinterest.operators.ec2 import ClientMachineOperator
from pinterest.operators.host_key import HostKeyOperator
from pinterest.operators.iam import IamCreateInstanceProfileOperator, IamCreateRoleOperator
from pinterest.operators.kafka_brokers import StartBrokerOperator
from pinterest.operators.key_pair import KeyPairOperator
from pinterest.operators.load_balancer import ListenerOperator, LoadBalancerOperator, TargetGroupOperator
from pinterest.operators.msk_cluster import MskClusterLink, MskClusterOperator
from pinterest.operators.network import FindVpcOperator, S3EndpointOperator, SecurityGroupsOperator
from pinterest.operators.s3_bucket import S3BucketOperator
from pinterest.operators.vpc_link import VpcLinkConsoleLink, VpcLinkOperator
from pinterest.rest_proxy_address import rest_proxy_address
from tests.builders import variable
from tests.lab.lab_parts import client, is_alive, running, start_aws, start_cloud, wait_until
from tests.throttling import MINUTE, Throttling, throttled

READS = ("Describe", "Get", "List", "Head")
MADE = {
    "CreateSecurityGroup": 3,
    "AuthorizeSecurityGroupIngress": 4,
    "CreateVpcEndpoint": 1,
    "CreateBucket": 1,
    "PutPublicAccessBlock": 1,
    "PutBucketPolicy": 1,
    "PutBucketVersioning": 1,
    "ImportKeyPair": 1,
    "CreateRole": 2,
    "PutRolePolicy": 2,
    "CreateInstanceProfile": 1,
    "AddRoleToInstanceProfile": 1,
    "RunInstances": 1,
    "PutParameter": 2,
    "CreateTargetGroup": 1,
    "RegisterTargets": 1,
    "CreateLoadBalancer": 1,
    "SetSecurityGroups": 1,
    "ModifyLoadBalancerAttributes": 1,
    "CreateListener": 1,
    "CreateVpcLink": 1,
    "CreateClusterV2": 1,
}
TAGS = {"project": "pinterest-pipeline", "user_id": USER_ID, "dag_id": "d", "run_id": "r", "expires_at": ""}


@pytest.fixture(scope="module")
def aws(tmp_path_factory) -> Iterator[State]:
    """An account of its own, which no other test has put anything into."""
    state = State.open(tmp_path_factory.mktemp("provision"))
    with running(start_aws(state)):
        yield state


@pytest.fixture(scope="module")
def settings(aws) -> Settings:
    machine = {"host": "127.0.0.1", "port": aws.port("ssh")}
    network = {"ssh_from": ["127.0.0.1/32"]}
    return Settings.model_validate(variable(account={"provision": True}, network=network, kafka_client=machine))


@pytest.fixture(scope="module")
def account(aws, settings) -> Iterator[Account]:
    """The account, with a machine that any instance is. What is asked of AWS is kept in ``calls``."""
    with (
        running(start_cloud(aws, "ssh_host")),
        mock.patch.dict("os.environ", AIRFLOW_CONN_AWS_DEFAULT=json.dumps(aws_connection(aws))),
        mock.patch.object(EC2InstanceLink, "persist"),
        mock.patch.object(VpcLinkConsoleLink, "persist"),
        mock.patch.object(MskClusterLink, "persist"),
        mock.patch.object(key_pair, "settings", return_value=settings),
        mock.patch.object(account_plan, "settings", return_value=settings),
    ):
        yield Account(aws, settings)


@pytest.fixture(scope="module")
def planned(account) -> list[dict[str, Any]]:
    return account.plan()


@pytest.fixture(scope="module")
def provisioned(account, planned) -> list[str]:
    """The operations that the first run asked for, each of them throttled for a minute; the plan comes before it."""
    random.seed(1)  # how long botocore waits
    with throttled() as account.throttling:
        return account.provision()


class Account:
    def __init__(self, state: State, settings: Settings) -> None:
        self.state = state
        self.settings = settings
        self.results: dict[str, Any] = {}
        self.throttling = Throttling()
        self.requests: list[tuple[str, dict[str, Any]]] = []

    def plan(self) -> list[dict[str, Any]]:
        with mock.patch.object(account_plan, "ApiGatewayHook"), mock.patch.object(account_plan, "MskConnectHook"):
            return AccountPlanOperator(task_id="plan").execute({})

    def provision(self) -> list[str]:
        """Run the stages' operators in their order. Returns what was asked of AWS."""
        asked: list[str] = []
        call = botocore.client.BaseClient._make_api_call

        def kept(client: Any, operation: str, request: Any) -> Any:
            asked.append(operation)
            self.requests.append((operation, request))
            return call(client, operation, request)

        with mock.patch.object(botocore.client.BaseClient, "_make_api_call", kept):
            self.results = self._run_all()
        return asked

    def _run_all(self) -> dict[str, Any]:
        of, more = self.settings, {"tags": TAGS, "provision": "True", "region_name": REGION}
        where = {"provision": "True", "region_name": REGION}
        vpc_id = FindVpcOperator(task_id="vpc", vpc_id="", **where).execute({})
        groups = SecurityGroupsOperator(
            task_id="groups",
            vpc_id=vpc_id,
            names={"client": of.client_group, "brokers": of.broker_group, "proxy_callers": of.proxy_caller_group},
            ssh_from=json.dumps(of.network.ssh_from),
            proxy_port="8082",
            broker_port=str(of.broker_port),
            **more,
        ).execute({})
        S3EndpointOperator(task_id="endpoint", vpc_id=vpc_id, **more).execute({})
        S3BucketOperator(task_id="bucket", bucket=of.bucket, account_id=ACCOUNT, **more).execute({})
        cluster = MskClusterOperator(
            task_id="cluster",
            cluster_name=of.kafka.cluster_name,
            kafka_version=of.kafka.version,
            instance_type=of.kafka.instance_type,
            brokers=str(of.kafka.brokers),
            storage_gib=str(of.kafka.storage_gib),
            authentication=of.kafka.authentication,
            vpc_id=vpc_id,
            subnets="[]",
            security_group=groups["brokers"],
            waiter_delay=1,
            **more,
        ).execute({})
        pair_id = KeyPairOperator(task_id="pair", key_name=of.key_pair, **more).execute({})
        for name, document in ((of.role, "kafka_client"), (of.sink_role, "s3_sink")):
            IamCreateRoleOperator(
                task_id="role",
                role_name=name,
                trust=policy(f"{document}.trust", of, ACCOUNT),
                policy_name=document,
                policy=policy(document, of, ACCOUNT),
                **more,
            ).execute({})
        IamCreateInstanceProfileOperator(task_id="profile", profile_name=of.role, role_name=of.role, **more).execute({})
        instance_id = ClientMachineOperator(
            task_id="instance",
            instance_type=of.kafka_client.instance_type,
            vpc_id=vpc_id,
            security_group=groups["client"],
            key_name=of.key_pair,
            instance_profile=of.role,
            **more,
        ).execute({})
        parameter = of.host_key_parameter(instance_id)
        HostKeyOperator(task_id="host_key", instance_id=instance_id, known="", parameter=parameter, **more).execute({})
        made = {"vpc": vpc_id, "groups": groups, "pair": pair_id, "instance": instance_id, "cluster": cluster}
        return made | self._way_to_the_proxy(instance_id, groups["proxy_callers"])

    def _way_to_the_proxy(self, instance_id: str, security_group: str) -> dict[str, str]:
        name = self.settings.vpc_link
        more: dict[str, Any] = {"exposure": self.settings.exposure, "tags": TAGS, "region_name": REGION}
        wait: dict[str, Any] = {"waiter_delay": 0, **more}
        group = TargetGroupOperator(
            task_id="target_group", group_name=name, instance_id=instance_id, port="8082", **more
        ).execute({})
        balancer = LoadBalancerOperator(
            task_id="load_balancer",
            load_balancer_name=name,
            instance_id=instance_id,
            security_group=security_group,
            **wait,
        ).execute({})
        ListenerOperator(task_id="listener", load_balancer=balancer, target_group=group, port="8082", **more).execute(
            {}
        )
        link = VpcLinkOperator(task_id="link", link_name=name, load_balancer=balancer, **wait).execute({})
        return {"target_group": group, "load_balancer": balancer, "link": link}


def test_the_plan_says_what_is_made(planned):
    made = [row["kind"] for row in planned if row["action"] == "made"]

    kinds = {"security group", "S3 endpoint", "bucket", "role", "instance profile", "key pair", "instance"}
    assert kinds | {"target group", "load balancer", "MSK cluster"} <= set(made)
    assert [row["kind"] for row in planned if row["action"] == "missed"] == []


def test_each_thing_is_made_once(provisioned):
    made = [operation for operation in provisioned if not operation.startswith(READS)]

    assert {operation: made.count(operation) for operation in made} == MADE


def test_what_is_created_has_its_tags_from_its_first_moment(account, provisioned):
    """So whatever a kill leaves behind is found by a teardown: nothing is tagged by a second call."""
    creating = ("Create", "RunInstances", "Import", "PutParameter")
    created = [(name, request) for name, request in account.requests if name.startswith(creating)]

    assert {name for name, request in created if not names_owner(request)} == set()
    assert {name for name, _ in created} == {name for name in MADE if name.startswith(creating)}
    assert not {"AddTags", "CreateTags", "PutBucketTagging", "TagResource", "TagRole"} & {*provisioned}


def names_owner(asked: Any) -> bool:
    """Whether any of the request's tags, in whichever of AWS's forms, says whose it is."""
    if isinstance(asked, dict):
        pair = asked.get("Key") == "user_id" and asked.get("Value") == USER_ID
        return pair or asked.get("user_id") == USER_ID or any(map(names_owner, asked.values()))
    return isinstance(asked, list) and any(map(names_owner, asked))


def test_every_call_was_made_again_until_it_was_not_throttled(account, provisioned):
    asked = account.throttling.asked

    assert {operation.partition(":")[2] for operation in asked} == {*provisioned}
    assert [operation for operation, times in asked.items() if times[-1] - times[0] < MINUTE] == []


def test_the_machine_is_entered_with_nothing_that_anybody_typed(account, provisioned):
    completed = KafkaClientHook(account.settings).run("echo in")

    assert completed.stdout == "in\n"


def test_everything_is_ours(account, provisioned):
    ec2, iam = client(account.state, "ec2"), client(account.state, "iam")
    name = account.settings.role
    tagged = [
        *ec2.describe_security_groups(GroupIds=list(account.results["groups"].values()))["SecurityGroups"],
        *ec2.describe_key_pairs(KeyNames=[account.settings.key_pair])["KeyPairs"],
        *ec2.describe_vpc_endpoints()["VpcEndpoints"],
        ec2.describe_instances(InstanceIds=[account.results["instance"]])["Reservations"][0]["Instances"][0],
        iam.get_role(RoleName=name)["Role"],
        iam.get_role(RoleName=account.settings.sink_role)["Role"],
        iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"],
        client(account.state, "kafka").list_clusters_v2()["ClusterInfoList"][0],
        {"Tags": client(account.state, "s3").get_bucket_tagging(Bucket=account.settings.bucket)["TagSet"]},
    ]

    balancing = client(account.state, "elbv2")
    for arn in (account.results["target_group"], account.results["load_balancer"]):
        tagged += balancing.describe_tags(ResourceArns=[arn])["TagDescriptions"]
    link = client(account.state, "apigateway").get_vpc_link(vpcLinkId=account.results["link"])
    tagged.append({"Tags": [{"Key": key, "Value": value} for key, value in link["tags"].items()]})

    assert [as_tags(one.get("Tags")) for one in tagged if not is_ours(one.get("Tags"), USER_ID)] == []
    assert "expires_at" not in as_tags(tagged[0]["Tags"])


def test_nothing_is_open_to_everybody(account, provisioned):
    groups = client(account.state, "ec2").describe_security_groups(GroupIds=list(account.results["groups"].values()))
    rules = [rule for group in groups["SecurityGroups"] for rule in group["IpPermissions"]]

    assert {block["CidrIp"] for rule in rules for block in rule.get("IpRanges", [])} == {"127.0.0.1/32"}
    assert {(rule["FromPort"], rule["ToPort"]) for rule in rules} == {(22, 22), (8082, 8082), (9098, 9098)}


def test_a_second_run_makes_and_changes_nothing(account, provisioned):
    again = account.provision()

    assert [operation for operation in again if not operation.startswith(READS)] == []
    assert len(again) < 45


def test_on_the_internet_no_way_is_made(account, provisioned):
    given = account.settings.model_dump(by_alias=True, mode="json") | {"rest_proxy": {"exposure": "internet"}}
    elsewhere = Account(account.state, Settings.model_validate(given))

    with throttled() as asked:
        made = elsewhere._way_to_the_proxy(account.results["instance"], account.results["groups"]["proxy_callers"])

    assert (set(made.values()), asked.asked) == ({""}, {})
    assert rest_proxy_address(elsewhere.settings).vpc_link == ""
    assert rest_proxy_address(account.settings).vpc_link == account.results["link"]


def test_what_was_taken_away_comes_back(account, provisioned):
    ec2, group = client(account.state, "ec2"), account.results["groups"]["client"]
    [found] = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    [by_ssh] = [rule for rule in found["IpPermissions"] if rule["FromPort"] == 22]
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[by_ssh])
    client(account.state, "s3").delete_bucket_policy(Bucket=account.settings.bucket)
    ec2.stop_instances(InstanceIds=[account.results["instance"]])

    again = [operation for operation in account.provision() if not operation.startswith(READS)]

    assert sorted(again) == ["AuthorizeSecurityGroupIngress", "PutBucketPolicy", "StartInstances"]


def test_a_machine_that_was_terminated_is_launched_anew(account, provisioned):
    before = account.results["instance"]
    client(account.state, "ec2").terminate_instances(InstanceIds=[before])
    again = [operation for operation in account.provision() if not operation.startswith(READS)]

    assert again == [
        *("RunInstances", "RunInstances", "PutParameter"),  # the first has the old one's token
        *("RegisterTargets", "DeregisterTargets"),
    ]
    assert account.results["instance"] != before
    assert KafkaClientHook(account.settings).run("echo in").stdout == "in\n"


class OwnBroker:
    """A broker on the machine, with the lab's Kafka. ``run`` gives a script's last line."""

    def __init__(self, account: Account, port: int) -> None:
        own = {"mode": "self_hosted", "host": "127.0.0.1", "port": port}
        given = account.settings.model_dump(by_alias=True, mode="json") | {"kafka": own}
        self.settings = Settings.model_validate(given)
        self.home = account.state.path("client_machine", "home")
        self.folder = self.home / "kafka-broker"
        install = account.state.install
        (self.home / "kafka").mkdir()
        shutil.copytree(CHECKOUT / "lab/mirror_archives/kafka/bin", self.home / "kafka/bin")
        shutil.copytree(CHECKOUT / "lab/mirror_archives/kafka/config", self.home / "kafka/config")
        (self.home / "kafka/libs").symlink_to(install / "jars/kafka")
        (self.home / "java").symlink_to(install / "java")
        (self.home / "kafka/bin/client.properties").write_text("security.protocol=PLAINTEXT\n")

    @property
    def pid(self) -> int:
        return int((self.folder / "broker.pid").read_text())

    def start(self) -> str:
        none = {"SYSTEMD": "/no-systemd", "UNITS": "/no-units", "START_SECONDS": "60"}
        with mock.patch.object(kafka_brokers, "settings", return_value=self.settings):
            return StartBrokerOperator(
                task_id="broker", script=rendered("kafka/start_broker.sh"), environment=none
            ).execute({})

    def run(self, script: str, **environment: str) -> str:
        completed = KafkaToolsHook(self.settings).run(rendered(script), environment, quiet=True)
        assert completed.exit_code == 0, completed.stderr
        return completed.last_line


def rendered(script: str) -> str:
    loader = jinja2.FileSystemLoader(TEMPLATES)
    return jinja2.Environment(loader=loader, undefined=jinja2.StrictUndefined).get_template(script).render()


@pytest.fixture(scope="module")
def own_broker(account, provisioned) -> Iterator[OwnBroker]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    broker = OwnBroker(account, port)
    yield broker
    if (broker.folder / "broker.pid").exists():
        with suppress(ProcessLookupError):
            os.killpg(broker.pid, signal.SIGKILL)


TOPIC = f"{USER_ID}.pin"
TOPICS = {
    "TOPICS": TOPIC,
    "DEAD_LETTER_TOPIC": f"{USER_ID}-dead-letters",
    "PARTITIONS": "1",
    "REPLICATION_FACTOR": "1",
    "LARGEST_DEAD_LETTER": "10485760",
}


def test_a_broker_on_the_machine_outlives_the_session_and_keeps_what_it_holds(own_broker):
    assert own_broker.start().startswith("changed: the broker answers at 127.0.0.1:")
    pid = own_broker.pid
    assert own_broker.start() == "unchanged"
    assert own_broker.run("topics/create_topics.sh", **TOPICS).startswith("changed: created ")
    before = own_broker.run("topics/topic_ids.sh", TOPICS=TOPIC)
    assert own_broker.run("s3_sink/restart_group.sh", GROUP="connect-x", TOPICS=TOPIC, WAIT_SECONDS="30") == (
        "changed: group connect-x"
    )
    os.killpg(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid), "the broker is dead")

    assert own_broker.start().startswith("changed: the broker answers at 127.0.0.1:")
    assert own_broker.run("topics/topic_ids.sh", TOPICS=TOPIC) == before
    assert KafkaToolsHook(own_broker.settings).brokers["subnets"]
    pid = own_broker.pid
    removed = own_broker.run(
        "teardown/remove_client_files.sh", REMOVE="yes", KEEP_TOOLS="yes", SYSTEMD="/no-systemd", UNITS="/no-units"
    )
    assert removed.startswith("kept: ")
    assert not is_alive(pid)
    assert (own_broker.folder / "data/meta.properties").exists()
