"""Creates in the lab what an AWS account holds before the pipeline first runs: ``python -m lab.account``.

That is nothing but the MSK cluster, and the network that AWS gives every account. Bucket, roles, key pair and client
machine are made by the pipeline itself, as in an account with nothing in it. A second call changes nothing.
"""

from __future__ import annotations

from typing import Any

from lab.aws.client import aws
from lab.state import USER_ID, State

BUCKET = f"user-{USER_ID}-bucket"
CLUSTER = "pinterest-msk-cluster"
SECRETS = ("databricks_token", "aws_access_key_id", "aws_secret_access_key")


def prepare(state: State) -> None:
    """Create what is missing. ministack must be running."""
    for name in SECRETS:
        state.secret(name)
    cluster(aws(state, "kafka"))


def cluster(kafka: Any) -> None:
    clusters = kafka.list_clusters(ClusterNameFilter=CLUSTER)["ClusterInfoList"]
    if not any(cluster["ClusterName"] == CLUSTER for cluster in clusters):
        kafka.create_cluster(
            ClusterName=CLUSTER,
            KafkaVersion="3.7.x",
            NumberOfBrokerNodes=1,
            BrokerNodeGroupInfo={"InstanceType": "kafka.t3.small", "ClientSubnets": ["subnet-00000001"]},
        )


if __name__ == "__main__":
    prepare(State.open())
