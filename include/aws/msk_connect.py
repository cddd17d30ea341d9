"""Requests to MSK Connect. Rendered templates are text, so lists, objects and numbers are given as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def custom_plugin_request(bucket: str, file_key: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """The S3 sink's archive, where the stage put it. Its key contains its digest."""
    return {
        "contentType": "ZIP",
        "description": "S3 sink of the Pinterest pipeline",
        "location": {"s3Location": {"bucketArn": f"arn:aws:s3:::{bucket}", "fileKey": file_key}},
        "tags": dict(tags),
    }


def sink_connector_request(
    *,
    plugin_arn: object,
    worker_configuration_arn: object,
    bootstrap_servers: str,
    subnets: str,
    security_groups: str,
    authentication: str,
    encryption: str,
    kafka_connect_version: str,
    role: str,
    logs: str,
    workers: str,
    mcus: str,
    tags: Mapping[str, str],
) -> dict[str, Any]:
    """The arguments of ``CreateConnector`` but for name and configuration.

    :param logs: where the workers log to, as JSON, see :func:`log_delivery`
    :param workers: how many workers it has
    :param mcus: the capacity of each worker
    """
    return {
        "connectorDescription": "Kafka topics to S3, of the Pinterest pipeline",
        "capacity": {"provisionedCapacity": {"mcuCount": mcus, "workerCount": workers}},
        "kafkaCluster": {
            "apacheKafkaCluster": {
                "bootstrapServers": bootstrap_servers,
                "vpc": {"subnets": subnets, "securityGroups": security_groups},
            }
        },
        "kafkaClusterClientAuthentication": {"authenticationType": authentication},
        "kafkaClusterEncryptionInTransit": {"encryptionType": encryption},
        "kafkaConnectVersion": kafka_connect_version,
        "logDelivery": logs,
        "plugins": [{"customPlugin": {"customPluginArn": plugin_arn, "revision": 1}}],
        "workerConfiguration": {"workerConfigurationArn": worker_configuration_arn, "revision": 1},
        "serviceExecutionRoleArn": role,
        "tags": dict(tags),
    }


def log_delivery(where: str, *, log_group: str, bucket: str, prefix: str) -> dict[str, Any]:
    """Where a connector's workers log to: ``log_group``, ``bucket`` (under ``prefix``), or nowhere."""
    destinations = {
        "log_group": {"cloudWatchLogs": {"enabled": True, "logGroup": log_group}},
        "bucket": {"s3": {"enabled": True, "bucket": bucket, "prefix": prefix}},
    }
    return {"workerLogDelivery": destinations.get(where, {"cloudWatchLogs": {"enabled": False}})}


def log_destinations(connector: Mapping[str, Any]) -> set[tuple[str, ...]]:
    """Where a connector, as described or asked for, logs to: a kind and a place for each destination."""
    delivery = connector.get("logDelivery", {}).get("workerLogDelivery", {})
    places = {"cloudWatchLogs": ("logGroup",), "firehose": ("deliveryStream",), "s3": ("bucket", "prefix")}
    return {
        (kind, *(str(delivery[kind].get(name) or "") for name in names))
        for kind, names in places.items()
        if delivery.get(kind, {}).get("enabled")
    }
