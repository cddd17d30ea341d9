"""Requests to MSK Connect. Rendered templates are text, so lists are given as JSON."""

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
    tags: Mapping[str, str],
) -> dict[str, Any]:
    """One worker with one MCU, as in the seeds."""
    return {
        "connectorDescription": "Kafka topics to S3, of the Pinterest pipeline",
        "capacity": {"provisionedCapacity": {"mcuCount": 1, "workerCount": 1}},
        "kafkaCluster": {
            "apacheKafkaCluster": {
                "bootstrapServers": bootstrap_servers,
                "vpc": {"subnets": subnets, "securityGroups": security_groups},
            }
        },
        "kafkaClusterClientAuthentication": {"authenticationType": authentication},
        "kafkaClusterEncryptionInTransit": {"encryptionType": encryption},
        "kafkaConnectVersion": kafka_connect_version,
        "plugins": [{"customPlugin": {"customPluginArn": plugin_arn, "revision": 1}}],
        "workerConfiguration": {"workerConfigurationArn": worker_configuration_arn, "revision": 1},
        "serviceExecutionRoleArn": role,
        "tags": dict(tags),
    }
