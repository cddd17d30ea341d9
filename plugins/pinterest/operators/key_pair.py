"""The operator for the client machine's key pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.providers.common.compat.sdk import Context
from airflow.sdk.log import mask_secret
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from include.aws.ownership import as_pairs, is_ours
from pinterest.hooks.ec2 import Described, Ec2AccountError
from pinterest.hooks.kafka_client import KafkaClientHook
from pinterest.operators.ec2 import HELP, Ec2AccountOperator, undone
from pinterest.settings import settings


class KeyPairOperator(Ec2AccountOperator):
    """Find or make the client machine's key pair, with its private key in Parameter Store. Returns its id.

    The private key is made here and never leaves the task but for Parameter Store, a SecureString under the name that
    EC2 itself gives the keys that it keeps there. A pair whose key was not stored, because the task was killed in
    between, is made anew if no instance runs with it. A rerun changes nothing.

    :param key_name: the key pair's name (templated)
    """

    template_fields: Sequence[str] = (*Ec2AccountOperator.template_fields, "key_name")

    def __init__(self, *, key_name: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.key_name = key_name

    def execute(self, context: Context) -> str:
        found = self.hook.find_key_pair(self.key_name)
        if found is not None and self._is_useless(found):
            self.log.info("Key pair %s has no private key in Parameter Store: made anew", self.key_name)
            self.hook.conn.delete_key_pair(KeyPairId=found["KeyPairId"])
            found = None
        if found is None:
            return self._make()
        key = KafkaClientHook(settings(), self.aws_conn_id).private_key  # raises if it is not there, or is no key
        self.log.info("Key pair %s exists: %s, %s", self.key_name, key.get_name(), key.fingerprint)
        return str(found["KeyPairId"])

    def _is_useless(self, found: Described) -> bool:
        """Whether the pair is ours, has lost its private key, and no instance of ours runs with it."""
        if not self.may_make or not is_ours(found.get("Tags"), self.user_id):
            return False
        name = parameter_name(found["KeyPairId"])
        if self.find_parameter(name) is not None:
            return False
        machine = self.hook.find_client_machine(self.user_id)
        if machine is not None and machine.get("KeyName") == self.key_name:
            raise Ec2AccountError(
                f"Parameter Store has no {name}, and instance {machine['InstanceId']} was launched with this key pair: "
                f"put the private key of {self.key_name} there, or terminate the instance to have both made anew"
            )
        return True

    def _make(self) -> str:
        if not self.may_make:
            raise Ec2AccountError(
                f"EC2 key pair {self.key_name!r} is not in {self.hook.conn_region_name}: make it, {HELP}"
            )
        private, public = new_key()
        mask_secret(private)
        made = self.hook.conn.import_key_pair(
            KeyName=self.key_name,
            PublicKeyMaterial=public,
            TagSpecifications=[{"ResourceType": "key-pair", "Tags": as_pairs(self.tags)}],
        )
        pair_id = str(made["KeyPairId"])
        with undone(self, "key pair", pair_id, lambda: self.hook.conn.delete_key_pair(KeyPairId=pair_id)):
            self.parameters.conn.put_parameter(
                Name=parameter_name(pair_id), Value=private, Type="SecureString", Tags=as_pairs(self.tags)
            )
        self.log.info("Key pair %s made: %s", self.key_name, pair_id)
        return pair_id


def parameter_name(key_pair_id: str) -> str:
    """Where Parameter Store holds a key pair's private key, as EC2 names it."""
    return f"/ec2/keypair/{key_pair_id}"


def new_key() -> tuple[str, bytes]:
    """A new Ed25519 key: the private one in OpenSSH's format, and the public one as EC2 takes it."""
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode(), public
