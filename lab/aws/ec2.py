"""EC2 beyond ministack's: what it takes to launch the client machine, which is :mod:`lab.cloud.ssh_host`.

- ``ImportKeyPair`` keeps the public key and the tags, and refuses a name that is taken; ``DescribeKeyPairs`` shows the
  tags, and ``DeleteKeyPair`` takes an id.
- ``RunInstances`` has the machine accept the key of the instance's key pair. A client token launches one instance.
- ``GetConsoleOutput`` says what the machine has printed, for every instance.
- ``DescribeInstanceTypeOfferings`` says that every zone has every type.

Known differences: there is one machine, whatever is launched; ``Latest`` makes no difference; a token is forgotten a
minute after its instance was terminated.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

from lab.state import State, write_private

MACHINE = "client_machine"
"""The folder of the machine."""
AUTHORIZED_KEYS = "authorized_keys"
CONSOLE = "console.log"

type Request = Mapping[str, Any]
type Answer = tuple[int, dict[str, str], bytes]


class Ec2:
    """Replaces some of ministack's handlers for EC2, and adds some."""

    def __init__(self, service: ModuleType, state: State) -> None:
        self.service = service
        self.state = state
        self.run_instances: Callable[[Request], Answer] = service._run_instances

    def install(self) -> None:
        """ministack looks a handler up on every call."""
        self.service._ACTION_MAP.update(
            {
                "ImportKeyPair": self.import_key_pair,
                "DescribeKeyPairs": self.describe_key_pairs,
                "DeleteKeyPair": self.delete_key_pair,
                "RunInstances": self.launch,
                "GetConsoleOutput": self.console_output,
                "DescribeInstanceTypeOfferings": self.type_offerings,
            }
        )

    def import_key_pair(self, request: Request) -> Answer:
        name = self.text(request, "KeyName")
        if name in self.service._key_pairs:
            return self.refused("InvalidKeyPair.Duplicate", f"The keypair '{name}' already exists.")
        answer: Answer = self.service._import_key_pair(request)
        pair = self.service._key_pairs[name]
        pair["PublicKey"] = base64.b64decode(self.text(request, "PublicKeyMaterial")).decode()
        self.service._parse_tag_specs(request, "key-pair", pair["KeyPairId"])
        return answer

    def describe_key_pairs(self, request: Request) -> Answer:
        pairs = self.service._key_pairs
        names = self.service._parse_member_list(request, "KeyName") or self.names_filtered(request) or list(pairs)
        for name in self.service._parse_member_list(request, "KeyName"):
            if name not in pairs:
                return self.refused("InvalidKeyPair.NotFound", f"The key pair '{name}' does not exist")
        items = "".join(self.key_pair(pairs[name]) for name in names if name in pairs)
        return self.answer("DescribeKeyPairsResponse", f"<keySet>{items}</keySet>")

    def names_filtered(self, request: Request) -> list[str]:
        """The values of the filter ``key-name``."""
        filters: dict[str, list[str]] = self.service._parse_filters(request)
        return filters.get("key-name", [])

    def key_pair(self, pair: Mapping[str, str]) -> str:
        tags = "".join(
            f"<item><key>{tag['Key']}</key><value>{tag['Value']}</value></item>"
            for tag in self.service._tags.get(pair["KeyPairId"], [])
        )
        return (
            f"<item><keyName>{pair['KeyName']}</keyName><keyPairId>{pair['KeyPairId']}</keyPairId>"
            f"<keyFingerprint>{pair['KeyFingerprint']}</keyFingerprint><tagSet>{tags}</tagSet></item>"
        )

    def delete_key_pair(self, request: Request) -> Answer:
        wanted = {self.text(request, "KeyName"), self.text(request, "KeyPairId")}
        for name, pair in list(self.service._key_pairs.items()):
            if {name, pair["KeyPairId"]} & wanted:
                del self.service._key_pairs[name]
                self.service._tags.pop(pair["KeyPairId"], None)
        return self.answer("DeleteKeyPairResponse", "<return>true</return>")

    def launch(self, request: Request) -> Answer:
        token, instances = self.text(request, "ClientToken"), self.service._instances
        for instance in instances.values() if token else ():
            if instance.get("ClientToken") == token:
                if instance["State"]["Name"] in ("shutting-down", "terminated"):
                    return self.refused("IdempotentInstanceTerminated", "the instance of this token was terminated")
                again = self.service._instance_xml(instance)
                return self.answer("RunInstancesResponse", f"<instancesSet>{again}</instancesSet>")
        before = set(instances)
        answer = self.run_instances(request)
        for instance_id in set(instances) - before:
            instances[instance_id]["ClientToken"] = token
            self.admit(instances[instance_id].get("KeyName", ""))
        return answer

    def admit(self, key_name: str) -> None:
        """Have the machine accept the key, and only this one of those that EC2 knows."""
        key = self.service._key_pairs.get(key_name, {}).get("PublicKey")
        if key:
            self.state.path(MACHINE).mkdir(exist_ok=True, mode=0o700)
            write_private(self.state.path(MACHINE, AUTHORIZED_KEYS), f"{key}\n")

    def console_output(self, request: Request) -> Answer:
        instance_id, path = self.text(request, "InstanceId"), self.state.path(MACHINE, CONSOLE)
        if instance_id not in self.service._instances:
            return self.refused("InvalidInstanceID.NotFound", f"The instance ID '{instance_id}' does not exist")
        printed = base64.b64encode(path.read_bytes() if path.exists() else b"").decode()
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        said = f"<instanceId>{instance_id}</instanceId><timestamp>{now}</timestamp><output>{printed}</output>"
        return self.answer("GetConsoleOutputResponse", said)

    def type_offerings(self, request: Request) -> Answer:
        filters: dict[str, list[str]] = self.service._parse_filters(request)
        zones = sorted({subnet["AvailabilityZone"] for subnet in self.service._subnets.values()})
        items = "".join(
            f"<item><instanceType>{kind}</instanceType><locationType>availability-zone</locationType>"
            f"<location>{zone}</location></item>"
            for kind in filters.get("instance-type", [])
            for zone in zones
        )
        offered = f"<instanceTypeOfferingSet>{items}</instanceTypeOfferingSet>"
        return self.answer("DescribeInstanceTypeOfferingsResponse", offered)

    def text(self, request: Request, name: str) -> str:
        return str(self.service._p(request, name))

    def answer(self, tag: str, inner: str) -> Answer:
        answer: Answer = self.service._xml(200, tag, inner)
        return answer

    def refused(self, code: str, message: str) -> Answer:
        answer: Answer = self.service._error(code, message, 400)
        return answer
