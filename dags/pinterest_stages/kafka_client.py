"""The Kafka client machine: an EC2 instance with Java, Kafka's tools and the MSK IAM library.

Seed steps: launch the instance with a key pair, save its private key, give the instance a role, connect to it by SSH,
install Java and Kafka, put the IAM jar into Kafka's ``libs`` and on CLASSPATH, edit the trust policy of the role that
Kafka clients assume, and write ``client.properties``. Beyond the seeds: the machine proves with its host key that it is
the one that was launched.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import chain, task_group

from pinterest.operators.ec2 import ClientMachineOperator
from pinterest.operators.host_key import HostKeyOperator
from pinterest.operators.iam import IamAddTrustOperator, IamCreateInstanceProfileOperator, IamCreateRoleOperator
from pinterest.operators.kafka_client import KafkaClientScriptOperator
from pinterest.operators.key_pair import KeyPairOperator
from pinterest_stages.network import PROVISION
from pinterest_stages.tags import TAGS


def install(name: str) -> KafkaClientScriptOperator:
    return KafkaClientScriptOperator(
        task_id=name,
        script=f"kafka_client/install_{name}.sh",
        download=name,
    )


@task_group(group_id="kafka_client")
def kafka_client(vpc_id: str, security_group: str) -> None:
    """:param vpc_id, security_group: see :class:`~pinterest_stages.network.Network`"""
    key_pair = KeyPairOperator(
        task_id="key_pair",
        provision=PROVISION,
        tags=TAGS,
        key_name="{{ settings().key_pair }}",
        execution_timeout=timedelta(minutes=5),
    )
    role = IamCreateRoleOperator(
        task_id="role",
        provision=PROVISION,
        role_name="{{ settings().role }}",
        trust="policies/kafka_client.trust.json",
        policy_name="kafka-client",
        policy="policies/kafka_client.json",
        tags=TAGS,
        execution_timeout=timedelta(minutes=5),
    )
    profile = IamCreateInstanceProfileOperator(
        task_id="profile",
        provision=PROVISION,
        profile_name="{{ settings().role }}",
        role_name="{{ settings().role }}",
        tags=TAGS,
        execution_timeout=timedelta(minutes=5),
    )
    instance = ClientMachineOperator(
        task_id="instance",
        provision=PROVISION,
        tags=TAGS,
        instance_type="{{ settings().kafka_client.instance_type }}",
        vpc_id=f"{{{{ {vpc_id} }}}}",
        security_group=f"{{{{ {security_group} }}}}",
        key_name="{{ settings().key_pair }}",
        instance_profile="{{ settings().role }}",
        execution_timeout=timedelta(minutes=30),
    )
    instance_id = f"ti.xcom_pull(task_ids='{instance.task_id}')"
    host_key = HostKeyOperator(
        task_id="host_key",
        provision=PROVISION,
        tags=TAGS,
        instance_id=f"{{{{ {instance_id} }}}}",
        known="{{ settings().kafka_client.host_key or '' }}",
        parameter=f"{{{{ settings().host_key_parameter({instance_id}) }}}}",
        execution_timeout=timedelta(minutes=30),
    )
    trust = IamAddTrustOperator(
        task_id="trust",
        role_arn="{{ settings().kafka.role_arn or '' }}",
        trust="policies/kafka_role.trust.json",
    )
    classpath = KafkaClientScriptOperator(task_id="classpath", script="kafka_client/set_classpath.sh")
    client_properties = KafkaClientScriptOperator(
        task_id="client_properties", script="kafka_client/write_client_properties.sh"
    )

    role >> [profile, trust]
    chain([key_pair, profile], instance, host_key)
    chain(
        [host_key, trust],
        install("java"),
        install("kafka"),
        install("iam_auth"),
        [classpath, client_properties],
    )
