"""The Kafka client machine: an EC2 instance with Java, Kafka's tools and the MSK IAM library.

Seed steps: save the key pair's private key, connect to the instance by SSH, install Java and Kafka, put the IAM jar
into Kafka's ``libs`` and on CLASSPATH, edit the trust policy of the role that Kafka clients assume, and write
``client.properties``.
"""

from __future__ import annotations

from airflow.sdk import chain, task, task_group

from pinterest.hooks.kafka_client import KafkaClientHook
from pinterest.operators.iam import IamAddTrustOperator
from pinterest.operators.kafka_client import KafkaClientScriptOperator
from pinterest.settings import settings


@task
def instance() -> dict[str, str]:
    """The instance's id and address."""
    hook = KafkaClientHook(settings())
    return {"instance_id": hook.find_instance()["InstanceId"], "host": hook.host}


@task
def key_pair() -> str:
    """The key pair's id. The private key is read once to make sure that it can be read, and is not kept."""
    hook = KafkaClientHook(settings())
    print(f"Private key: {hook.private_key.get_name()} {hook.private_key.fingerprint}")
    return hook.find_key_pair()


def install(name: str) -> KafkaClientScriptOperator:
    return KafkaClientScriptOperator(
        task_id=name,
        script=f"kafka_client/install_{name}.sh",
        environment={
            "URL": f"{{{{ settings().downloads.{name}.url }}}}",
            "SHA256": f"{{{{ settings().downloads.{name}.sha256 }}}}",
        },
    )


@task_group(group_id="kafka_client")
def kafka_client() -> None:
    classpath = KafkaClientScriptOperator(task_id="classpath", script="kafka_client/set_classpath.sh")
    client_properties = KafkaClientScriptOperator(
        task_id="client_properties", script="kafka_client/write_client_properties.sh"
    )

    trust = IamAddTrustOperator(
        task_id="trust",
        role_arn="{{ settings().kafka.role_arn or '' }}",
        trust="policies/kafka_role.trust.json",
    )

    chain(
        [instance(), key_pair(), trust],
        install("java"),
        install("kafka"),
        install("iam_auth"),
        [classpath, client_properties],
    )
