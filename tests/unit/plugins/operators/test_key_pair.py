"""The client machine's key pair: made once, with its private key kept, whatever fails in between."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY

from include.faults import LastingError
from pinterest.hooks.kafka_client import KafkaClientHook
from pinterest.operators.key_pair import KeyPairOperator, new_key
from pinterest.private_key import read_private_key
from tests.builders import USER_ID, settings
from tests.unit.client_machine_parts import OURS, PAIRS, TAGS, machine, machine_is

NAME = f"{USER_ID}-key-pair"
PARAMETER = "/ec2/keypair/key-1"
PRIVATE, PUBLIC = new_key()


def ensure(provision="True"):
    return KeyPairOperator(task_id="key_pair", provision=provision, tags=TAGS, key_name=NAME).execute({})


@pytest.fixture(autouse=True)
def known_key(monkeypatch):
    monkeypatch.setattr("pinterest.operators.key_pair.new_key", lambda: (PRIVATE, PUBLIC))
    monkeypatch.setattr("pinterest.operators.key_pair.settings", settings)
    monkeypatch.setattr(KafkaClientHook, "private_key", read_private_key(PRIVATE))


def pair_is(ec2, pair_id, tags=OURS):
    if pair_id is None:
        return ec2.add_client_error(
            "describe_key_pairs", "InvalidKeyPair.NotFound", expected_params={"KeyNames": [NAME]}
        )
    pair = {"KeyPairId": pair_id, "KeyName": NAME, "Tags": tags}
    return ec2.add_response("describe_key_pairs", {"KeyPairs": [pair]}, {"KeyNames": [NAME]})


def imported(ec2, pair_id="key-1"):
    tagged = [{"ResourceType": "key-pair", "Tags": PAIRS}]
    request = {"KeyName": NAME, "PublicKeyMaterial": PUBLIC, "TagSpecifications": tagged}
    ec2.add_response("import_key_pair", {"KeyPairId": pair_id}, request)


def kept(parameters, name=PARAMETER):
    request = {"Name": name, "Value": PRIVATE, "Type": "SecureString", "Tags": PAIRS}
    parameters.add_response("put_parameter", {"Version": 1}, request)


def deleted(ec2):
    ec2.add_response("delete_key_pair", {"Return": True}, {"KeyPairId": "key-1"})


def lost(parameters):
    parameters.add_client_error("get_parameter", "ParameterNotFound")


def test_a_pair_is_made_and_its_private_key_kept(ec2, parameters):
    pair_is(ec2, None)
    imported(ec2)
    kept(parameters)

    assert ensure() == "key-1"


def test_the_key_is_one_that_ssh_reads_and_the_public_one_belongs_to_it():
    key = read_private_key(PRIVATE)

    assert PUBLIC.decode() == f"ssh-ed25519 {key.get_base64()}"
    assert new_key() != new_key()


def test_a_rerun_changes_nothing(ec2, parameters):
    pair_is(ec2, "key-1")
    parameters.add_response(
        "get_parameter",
        {"Parameter": {"Value": PRIVATE, "Type": "String"}},
        {"Name": PARAMETER, "WithDecryption": True},
    )

    assert ensure() == "key-1"


@pytest.mark.parametrize("provision", ["True", "False"])
def test_a_pair_of_others_is_adopted_as_it_is(ec2, parameters, provision):
    pair_is(ec2, "key-1", tags=[])

    assert ensure(provision) == "key-1"


def test_a_pair_whose_key_cannot_be_kept_is_deleted_again(ec2, parameters):
    pair_is(ec2, None)
    imported(ec2)
    parameters.add_client_error("put_parameter", "AccessDeniedException", "ssm:PutParameter")
    deleted(ec2)

    with pytest.raises(ClientError, match=r"AccessDeniedException.*PutParameter.*ssm:PutParameter"):
        ensure()


def test_the_first_error_is_told_if_the_pair_cannot_be_deleted_either(ec2, parameters):
    pair_is(ec2, None)
    imported(ec2)
    parameters.add_client_error("put_parameter", "ThrottlingException")
    ec2.add_client_error("delete_key_pair", "UnauthorizedOperation")

    with pytest.raises(ClientError, match="ThrottlingException"):
        ensure()


def test_a_pair_whose_task_was_killed_before_its_key_was_kept_is_made_anew(ec2, parameters):
    pair_is(ec2, "key-1")
    lost(parameters)
    machine_is(ec2, None)
    deleted(ec2)
    imported(ec2, "key-2")
    kept(parameters, "/ec2/keypair/key-2")

    assert ensure() == "key-2"


def test_a_pair_that_an_instance_runs_with_is_not_deleted(ec2, parameters):
    pair_is(ec2, "key-1")
    lost(parameters)
    machine_is(ec2, machine(KeyName=NAME))

    with pytest.raises(LastingError, match=f"no {PARAMETER}, and instance i-1 was launched with this key pair"):
        ensure()


def test_a_pair_that_is_missing_is_named_where_nothing_is_made(ec2, parameters):
    pair_is(ec2, None)

    with pytest.raises(LastingError, match=rf"'{NAME}' is not in us-east-1: make it, or set account\.provision"):
        ensure("False")


def test_another_run_that_makes_it_at_once_is_waited_for(ec2, parameters):
    pair_is(ec2, None)
    ec2.add_client_error("import_key_pair", "InvalidKeyPair.Duplicate", expected_params=dict.fromkeys(
        ("KeyName", "PublicKeyMaterial", "TagSpecifications"), ANY))  # fmt: skip

    with pytest.raises(ClientError, match="Duplicate") as error:
        ensure()
    assert not isinstance(error.value, LastingError)
