"""MSK beyond ministack's: version 2 of its API, and states that take a moment.

- ``CreateClusterV2`` (provisioned), ``DescribeClusterV2`` and ``ListClustersV2``, beside ministack's version 1.
- A cluster is CREATING for a moment, in which it has no brokers yet and cannot be deleted, and DELETING for another.
- With the cluster its topics go: those of the lab's broker whose names do not begin with ``_``.

Known differences: the lab's one broker stands behind every cluster, whatever its type and number of brokers, and runs
before and after it; a serverless cluster cannot be created; topics that somebody made before the first cluster are in
it.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

from lab import command_lines
from lab.state import State

SECONDS = 2.0
"""How long a cluster is CREATING."""

CLUSTERS = "/api/v2/clusters"
ONE_CLUSTER = re.compile(r"/v1/clusters/([^/]+/[^/]+/[^/]+)(/bootstrap-brokers)?")
TOPICS = "[^_].*"
SINCE = "LabCreated"
SHARED = ("ClusterArn", "ClusterName", "CreationTime", "CurrentVersion", "State")
PROVISIONED = (
    "BrokerNodeGroupInfo",
    "ClientAuthentication",
    "CurrentBrokerSoftwareInfo",
    "EncryptionInfo",
    "EnhancedMonitoring",
    "NumberOfBrokerNodes",
    "ZookeeperConnectString",
)
"""Fields of a cluster in version 1, which version 2 has beside those that all clusters share."""

type Answer = tuple[int, dict[str, str], bytes]


class Msk:
    """Stands before ministack's handler of the service."""

    def __init__(self, service: ModuleType, state: State) -> None:
        self.service = service
        self.state = state
        self.ministacks = service.handle_request
        self.emptying: subprocess.Popen[bytes] | None = None

    def install(self) -> None:
        """ministack looks the handler up on every call."""
        self.service.handle_request = self.handle  # type: ignore[attr-defined]

    async def handle(self, method: str, path: str, headers: Any, body: bytes, query: Mapping[str, list[str]]) -> Answer:
        self.settle()
        if path == CLUSTERS:
            return self.create(body) if method == "POST" else self.list(query)
        if path.startswith(f"{CLUSTERS}/"):
            return self.describe(unquote(path.removeprefix(f"{CLUSTERS}/")))
        one = ONE_CLUSTER.fullmatch(unquote(path))
        cluster = self.service._clusters.get(one[1]) if one else None
        if one and cluster and one[2] and cluster["State"] != "ACTIVE":
            return self.refused(f"You can't get bootstrap broker nodes for a cluster in {cluster['State']} state.")
        if cluster and method == "DELETE":
            return self.delete(cluster)
        answer: Answer = await self.ministacks(method, path, headers, body, query)
        return answer

    def settle(self) -> None:
        """What has come to pass since the last call."""
        for arn, cluster in list(self.service._clusters.items()):
            if cluster["State"] == "CREATING" and time.time() - cluster[SINCE] >= SECONDS:
                cluster["State"] = "ACTIVE"
            elif cluster["State"] == "DELETING" and (self.emptying is None or self.emptying.poll() is not None):
                self.service._delete_cluster(arn)

    def create(self, body: bytes) -> Answer:
        asked = json.loads(body)
        if "provisioned" not in asked:
            return self.refused("The lab creates no serverless cluster.")
        provisioned = asked["provisioned"]
        if provisioned["numberOfBrokerNodes"] % len(provisioned["brokerNodeGroupInfo"]["clientSubnets"]):
            return self.refused("The number of broker nodes must be a multiple of Availability Zones.")
        shared = {name: asked[name] for name in ("clusterName", "tags") if name in asked}
        answer: Answer = self.service._create_cluster(json.dumps({**shared, **provisioned}))
        if answer[0] != 200:
            return answer
        cluster = self.service._clusters[json.loads(answer[2])["clusterArn"]]
        cluster |= {"State": "CREATING", SINCE: time.time()}
        return self.answer({"ClusterType": "PROVISIONED", **{name: cluster[name] for name in SHARED}})

    def list(self, query: Mapping[str, list[str]]) -> Answer:
        prefix = (query.get("clusterNameFilter") or [""])[0]
        found = [one for one in self.service._clusters.values() if one["ClusterName"].startswith(prefix)]
        return self.answer({"ClusterInfoList": [view(one) for one in found]})

    def describe(self, arn: str) -> Answer:
        cluster = self.service._clusters.get(arn)
        if cluster is None:
            missing: Answer = self.service._not_found(f"Cluster {arn} not found.")
            return missing
        return self.answer({"ClusterInfo": view(cluster)})

    def delete(self, cluster: dict[str, Any]) -> Answer:
        if cluster["State"] != "ACTIVE":
            return self.refused(f"You can't delete cluster in {cluster['State']} state.")
        cluster["State"] = "DELETING"
        self.empty()
        return self.answer({"ClusterArn": cluster["ClusterArn"], "State": "DELETING"})

    def empty(self) -> None:
        """Begin to delete the broker's topics, if it runs."""
        if not command_lines.is_running(self.state.port("kafka")):
            return
        command, environment = command_lines.kafka(self.state, ["topics", "--delete", "--if-exists", "--topic", TOPICS])
        with Path(self.state.log("kafka-topics")).open("ab") as log:
            self.emptying = subprocess.Popen(
                command, env=command_lines.inherited() | environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def answer(self, payload: dict[str, Any]) -> Answer:
        """On the wire, every name begins with a small letter, those of tags included."""
        answer: Answer = self.service._json(payload)
        return answer

    def refused(self, message: str) -> Answer:
        answer: Answer = self.service._bad_request(message)
        return answer


def view(cluster: Mapping[str, Any]) -> dict[str, Any]:
    """A cluster of version 1 as version 2 shows it."""
    own = {name: cluster[name] for name in PROVISIONED if name in cluster}
    shared = {name: cluster[name] for name in SHARED}
    return {**shared, "ClusterType": "PROVISIONED", "Tags": cluster.get("Tags", {}), "Provisioned": own}
