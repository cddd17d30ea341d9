"""Where API Gateway reaches the Kafka REST proxy."""

from __future__ import annotations

from include.settings import Settings
from pinterest.hooks.kafka_client import KafkaClientError, KafkaClientHook


def rest_proxy_url(settings: Settings, aws_conn_id: str | None = "aws_default") -> str:
    """``rest_proxy.url``, else the proxy's port on the client machine's public DNS name."""
    if settings.rest_proxy.url:
        return settings.rest_proxy.url.rstrip("/")
    instance = KafkaClientHook(settings, aws_conn_id).find_instance()
    if not instance.get("PublicDnsName"):
        raise KafkaClientError(
            f"EC2 instance {instance['InstanceId']} has no public DNS name: "
            "set rest_proxy.url to the address that API Gateway reaches the REST proxy by"
        )
    return f"http://{instance['PublicDnsName']}:{settings.rest_proxy.port}"
