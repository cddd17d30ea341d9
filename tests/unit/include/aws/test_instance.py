"""How the client machine is launched, and the host keys that instances print."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from include.aws.instance import client_token, host_key, launch_request
from tests.builders import USER_ID

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG4"
ECDSA = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY="
RSA = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQDd+/="


def block(*keys, end="\n", prefix=""):
    lines = ["-----BEGIN SSH HOST KEY KEYS-----", *keys, "-----END SSH HOST KEY KEYS-----"]
    return "".join(f"{prefix}{line}{end}" for line in lines)


FINGERPRINTS = """\
[   14.1] cloud-init[1660]: Cloud-init v. 22.2.2 running 'modules:final'
ci-info: |  ssh-ed25519  | a1:b2:c3 |    -   | x |
<14>Nov 28 10:00:00 ec2: -----BEGIN SSH HOST KEY FINGERPRINTS-----
<14>Nov 28 10:00:00 ec2: 256 SHA256:abc root@ip-172-31-0-1 (ED25519)
<14>Nov 28 10:00:00 ec2: -----END SSH HOST KEY FINGERPRINTS-----
"""


@pytest.mark.parametrize(
    ("console", "key"),
    [
        pytest.param("", None, id="nothing yet"),
        pytest.param(FINGERPRINTS, None, id="fingerprints only"),
        pytest.param(
            block(f"{ECDSA} root@ip-172-31-0-1", f"{ED25519} root@ip-172-31-0-1", f"{RSA} r"), ED25519, id="best"
        ),
        pytest.param(block(f"{RSA} root@ip", f"{ECDSA} root@ip"), ECDSA, id="second best"),
        pytest.param(block(f"{RSA} root@ip"), RSA, id="old"),
        pytest.param(block(ED25519), ED25519, id="no comment"),
        pytest.param(block(f"{ED25519} root@ip", end="\r\n"), ED25519, id="line ends of a serial port"),
        pytest.param(block(f"{ED25519} r", prefix="[  21.5] cloud-init[2]: "), ED25519, id="a prefix"),
        pytest.param(FINGERPRINTS + block(f"{ED25519} r") + "Amazon Linux 2023\nlogin: ", ED25519, id="in the middle"),
        pytest.param(block(f"{ED25519}old r") + block(f"{ED25519} r"), ED25519, id="the last boot"),
        pytest.param(block(f"{ED25519} r").rpartition("-----END")[0], None, id="cut off"),
        pytest.param(f"{ED25519} attacker\n" + block(f"{RSA} r"), RSA, id="outside the block"),
        pytest.param(block("ssh-dss AAAAB3NzaC1kc3M r"), None, id="a kind that nobody uses"),
    ],
)
def test_the_host_key_is_read_from_the_console(console, key):
    assert host_key(console) == key


def test_ec2_takes_the_request():
    request = launch_request(
        name=USER_ID,
        image_id="ami-1",
        instance_type="t3.small",
        subnet_id="subnet-1",
        security_group="sg-1",
        key_pair="pair",
        instance_profile="profile",
        tags={"project": "p", "expires_at": ""},
        client_token=client_token(USER_ID, "s", 0),
    )
    ec2 = boto3.client("ec2", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(ec2) as stub:
        stub.add_response("run_instances", {"Instances": [{"InstanceId": "i-1"}]}, request)
        ec2.run_instances(**request)

    assert request["MetadataOptions"]["HttpTokens"] == "required"
    assert request["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    tags = [{"Key": "Name", "Value": USER_ID}, {"Key": "project", "Value": "p"}]
    assert request["TagSpecifications"] == [
        {"ResourceType": "instance", "Tags": tags},
        {"ResourceType": "volume", "Tags": tags},
    ]


def test_a_token_is_of_one_user_and_one_generation():
    assert client_token(USER_ID, "s", 0) == client_token(USER_ID, "s", 0)
    assert (
        len(
            {
                client_token(USER_ID, "s", 0),
                client_token(USER_ID, "s", 1),
                client_token(USER_ID, "t", 0),
                client_token("0" * 12, "s", 0),
            }
        )
        == 4
    )
    assert len(client_token(USER_ID, "s", 0)) == 64
