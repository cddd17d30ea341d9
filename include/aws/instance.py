"""The client machine on EC2: how it is launched, and how its host key is learned."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from include.aws.ownership import as_pairs

IMAGE_PARAMETER = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
"""The public parameter with the id of the newest Amazon Linux 2023."""
ROOT_DEVICE = "/dev/xvda"
DISK_GIB = 20

ALIVE = ("pending", "running", "stopping", "stopped")
"""States of an instance that is there, or can be started again."""

KEYS = re.compile(r"-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL)
KEY = re.compile(r"\b(ssh-ed25519|ecdsa-sha2-nistp\d+|ssh-rsa) (AAAA[0-9A-Za-z+/]+={0,2})(?=\s)")
KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
"""Kinds of host keys, the best first."""


def launch_request(
    *,
    name: str,
    image_id: str,
    instance_type: str,
    subnet_id: str,
    security_group: str,
    key_pair: str,
    instance_profile: str,
    tags: Mapping[str, str],
    client_token: str,
) -> dict[str, Any]:
    """The arguments of ``RunInstances``. Its credentials are given to IMDSv2 only, and its disk is encrypted."""
    tagged = as_pairs({"Name": name, **tags})
    disk = {"VolumeSize": DISK_GIB, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True}
    return {
        "ClientToken": client_token,
        "ImageId": image_id,
        "InstanceType": instance_type,
        "MinCount": 1,
        "MaxCount": 1,
        "KeyName": key_pair,
        "SubnetId": subnet_id,
        "SecurityGroupIds": [security_group],
        "IamInstanceProfile": {"Name": instance_profile},
        "BlockDeviceMappings": [{"DeviceName": ROOT_DEVICE, "Ebs": disk}],
        "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 1},
        "TagSpecifications": [{"ResourceType": kind, "Tags": tagged} for kind in ("instance", "volume")],
    }


def client_token(user_id: str, subnet_id: str, generation: int) -> str:
    """What makes EC2 launch one instance in a subnet, however often it is asked: 64 characters.

    All runs share it, so two at once launch one. EC2 remembers it for some time after the instance was terminated; the
    next generation is for the instance after it.
    """
    return hashlib.sha256(f"kafka_client/{user_id}/{subnet_id}/{generation}".encode()).hexdigest()


def host_key(console: str) -> str | None:
    """The best SSH host key that an instance printed to its console on its first boot; None if there is none.

    It is written as in ``known_hosts``, without the host name. Of several boots that printed keys, the last counts.
    """
    blocks = KEYS.findall(console.replace("\r", ""))
    found = dict(KEY.findall(blocks[-1])) if blocks else {}
    return next((f"{kind} {found[kind]}" for kind in KINDS if kind in found), None)
