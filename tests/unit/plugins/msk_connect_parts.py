"""Clusters, connectors and the requests for them as MSK and MSK Connect know them."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import jinja2

from pinterest.dag_defaults import TEMPLATES
from tests.builders import USER_ID, settings

ARN = f"arn:aws:kafkaconnect:us-east-1:000000000000:connector/{USER_ID}-connector/1-2"
PLUGIN_ARN = f"arn:aws:kafkaconnect:us-east-1:000000000000:custom-plugin/{USER_ID}-plugin/1-2"
WORKERS_ARN = f"arn:aws:kafkaconnect:us-east-1:000000000000:worker-configuration/{USER_ID}-worker/1-2"
LOG_GROUP = f"/aws/vendedlogs/pinterest/{USER_ID}-connector"
OPERATION_ARN = f"arn:aws:kafkaconnect:us-east-1:000000000000:connector-operation/{USER_ID}-connector/1-2/3"
ROLE_ARN = f"arn:aws:iam::000000000000:role/{USER_ID}-ec2-access-role"


def rendered(value, **sections):
    """Templates rendered as Airflow renders them, files included."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined)
    context = {"settings": lambda: settings(**sections), "dag": SimpleNamespace(dag_id="d"), "run_id": "r"}
    context["dag_run"] = SimpleNamespace(start_date=None)
    if isinstance(value, dict):
        return {k: rendered(v, **sections) for k, v in value.items()}
    if isinstance(value, list):
        return [rendered(v, **sections) for v in value]
    if isinstance(value, str) and value.endswith(".properties"):
        return environment.get_template(value).render(context)
    return environment.from_string(value).render(context) if isinstance(value, str) else value


def cluster(name="pinterest-msk-cluster", zookeeper="", **more):
    """As ``ListClustersV2`` has it."""
    nodes = {"ClientSubnets": ["subnet-1"], "SecurityGroups": ["sg-1"], "InstanceType": "kafka.m5.large"}
    own = {"BrokerNodeGroupInfo": nodes, "NumberOfBrokerNodes": 3, "ZookeeperConnectString": zookeeper}
    shared = {"ClusterName": name, "ClusterArn": f"arn:{name}", "State": "ACTIVE", "ClusterType": "PROVISIONED"}
    return {**shared, "Provisioned": own, **more}


def serverless_cluster(name="pinterest-msk-cluster"):
    places = [{"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}]
    own = {"VpcConfigs": places, "ClientAuthentication": {"Sasl": {"Iam": {"Enabled": True}}}}
    shared = {"ClusterName": name, "ClusterArn": f"arn:{name}", "State": "ACTIVE", "ClusterType": "SERVERLESS"}
    return {**shared, "Serverless": own}


def request(configuration: dict[str, str]) -> dict:
    return {
        "connectorName": f"{USER_ID}-connector",
        "connectorDescription": "Kafka topics to S3, of the Pinterest pipeline",
        "connectorConfiguration": configuration,
        "capacity": {"provisionedCapacity": {"mcuCount": 1, "workerCount": 1}},
        "kafkaCluster": {
            "apacheKafkaCluster": {
                "bootstrapServers": "b1:9098,b2:9098",
                "vpc": {"subnets": ["subnet-1", "subnet-2"], "securityGroups": ["sg-1"]},
            }
        },
        "kafkaClusterClientAuthentication": {"authenticationType": "IAM"},
        "kafkaClusterEncryptionInTransit": {"encryptionType": "TLS"},
        "kafkaConnectVersion": "3.7.x",
        "logDelivery": {"workerLogDelivery": {"cloudWatchLogs": {"enabled": True, "logGroup": LOG_GROUP}}},
        "plugins": [{"customPlugin": {"customPluginArn": PLUGIN_ARN, "revision": 1}}],
        "workerConfiguration": {"workerConfigurationArn": WORKERS_ARN, "revision": 1},
        "serviceExecutionRoleArn": ROLE_ARN,
        "tags": {"project": "pinterest-pipeline", "user_id": USER_ID, "dag_id": "d", "run_id": "r"},
    }


WANTED = {"connector.class": "S3Sink", "flush.size": "1000"}


def described(state="RUNNING", configuration=None, reason=None, **more) -> dict:
    fields = copy.deepcopy(request(WANTED))
    for name in ("tags", "connectorDescription"):
        fields.pop(name)
    fields |= {
        "connectorArn": ARN,
        "connectorState": state,
        "currentVersion": "K1",
        "connectorConfiguration": configuration or WANTED,
        **more,
    }
    return fields | ({"stateDescription": reason} if reason else {})


REASON = {"code": "UnknownError", "message": "the role cannot be assumed"}
