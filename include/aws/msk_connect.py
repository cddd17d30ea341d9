"""Requests to MSK Connect. A template can only make text: a list is given as the JSON of a list."""

from __future__ import annotations

from typing import Any


def custom_plugin_request(file_key: str) -> dict[str, Any]:
    """The S3 sink's archive, where the stage put it. The key carries the archive's digest."""
    return {
        "contentType": "ZIP",
        "description": "S3 sink of the Pinterest pipeline",
        "location": {"s3Location": {"bucketArn": "arn:aws:s3:::{{ settings().bucket }}", "fileKey": file_key}},
    }


def sink_connector_request(
    *, plugin_arn: object, worker_configuration_arn: object, bootstrap_servers: str, subnets: str, security_groups: str
) -> dict[str, Any]:
    """One worker of one MCU, as the seeds have it. Without IAM the brokers are reached in plain text."""
    iam = "settings().kafka.authentication == 'iam'"
    return {
        "connectorDescription": "Kafka topics to S3, of the Pinterest pipeline",
        "capacity": {"provisionedCapacity": {"mcuCount": 1, "workerCount": 1}},
        "kafkaCluster": {
            "apacheKafkaCluster": {
                "bootstrapServers": bootstrap_servers,
                "vpc": {
                    "subnets": subnets,
                    "securityGroups": security_groups,
                },
            }
        },
        "kafkaClusterClientAuthentication": {"authenticationType": f"{{{{ 'IAM' if {iam} else 'NONE' }}}}"},
        "kafkaClusterEncryptionInTransit": {"encryptionType": f"{{{{ 'TLS' if {iam} else 'PLAINTEXT' }}}}"},
        "kafkaConnectVersion": "{{ settings().s3_sink.kafka_connect_version }}",
        "plugins": [{"customPlugin": {"customPluginArn": plugin_arn, "revision": 1}}],
        "workerConfiguration": {"workerConfigurationArn": worker_configuration_arn, "revision": 1},
        "serviceExecutionRoleArn": "{{ settings().role }}",
        "tags": {
            "project": "pinterest-pipeline",
            "user_id": "{{ settings().user_id }}",
            "dag_id": "{{ dag.dag_id }}",
            "run_id": "{{ run_id }}",
        },
    }
