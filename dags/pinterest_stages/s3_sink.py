"""Kafka topics to S3: every record on the three topics becomes a line of an object in the bucket.

Seed steps: download the S3 connector on the client, copy it to the bucket, create the custom plugin, the worker
configuration and the connector with ``topics.regex``, and wait until it runs. Here, its workers log to a log group, and
the bucket is told how long to keep what runs write beside the records.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import chain, task_group

from include.aws.msk_connect import custom_plugin_request, sink_connector_request
from pinterest.operators.iam import IamCreateRoleOperator
from pinterest.operators.kafka_client import KafkaClientScriptOperator, KafkaClientUploadOperator
from pinterest.operators.log_group import LogGroupOperator
from pinterest.operators.msk_connect import (
    MskConnectCreateConnectorOperator,
    MskConnectCreateCustomPluginOperator,
    MskConnectCreateWorkerConfigurationOperator,
)
from pinterest.operators.s3 import S3LifecycleOperator
from pinterest.operators.sink_restart import ReplaceConnectorOperator
from pinterest.settings import settings
from pinterest_stages.network import PROVISION
from pinterest_stages.tags import OWNER_TAGS, TAGS

ARCHIVE_KEY = "{{ settings().sink_archive_key }}"
AUTHENTICATION = "{{ 'IAM' if settings().kafka.authentication == 'iam' else 'NONE' }}"
ENCRYPTION = "{{ 'TLS' if settings().kafka.authentication == 'iam' else 'PLAINTEXT' }}"


def sink_properties() -> dict[str, str]:
    """Properties that only this environment needs. They may contain secrets, so they are not rendered."""
    return settings().s3_sink.properties


@task_group(group_id="s3_sink")
def s3_sink(brokers: str) -> None:
    """:param brokers: see :class:`~pinterest_stages.topics.Topics`"""
    bootstrap_servers = f"{{{{ {brokers}['bootstrap_servers'] }}}}"
    S3LifecycleOperator(
        task_id="lifecycle",
        bucket="{{ settings().bucket }}",
        days="{{ settings().run_days or '' }}",
        execution_timeout=timedelta(minutes=5),
    )
    archive = KafkaClientUploadOperator(
        task_id="archive",
        script="s3_sink/upload_sink_archive.sh",
        download="s3_sink",
        sha256="{{ settings().downloads.s3_sink.sha256 }}",
        bucket="{{ settings().bucket }}",
        key=ARCHIVE_KEY,
    )
    plugin = MskConnectCreateCustomPluginOperator(
        task_id="plugin",
        plugin_name="{{ settings().plugin }}-{{ settings().downloads.s3_sink.sha256[:12] }}",
        plugin=custom_plugin_request("{{ settings().bucket }}", ARCHIVE_KEY, TAGS),
    )
    workers = MskConnectCreateWorkerConfigurationOperator(
        task_id="workers",
        configuration_name="{{ settings().worker_configuration }}",
        properties="s3_sink/connect-worker.properties",
        tags=TAGS,
    )
    replaced = ReplaceConnectorOperator(
        task_id="replaced",
        replace="{{ params.replace_connector }}",
        owner_tags=OWNER_TAGS,
        execution_timeout=timedelta(minutes=60),
    )
    role = IamCreateRoleOperator(
        task_id="role",
        provision=PROVISION,
        role_name="{{ settings().sink_role }}",
        trust="policies/s3_sink.trust.json",
        policy_name="s3-sink",
        policy="policies/s3_sink.json",
        tags=TAGS,
        execution_timeout=timedelta(minutes=5),
    )
    logs = LogGroupOperator(
        task_id="logs",
        wanted="{{ settings().s3_sink.logs == 'log_group' }}",
        log_group="{{ settings().sink_log_group }}",
        tags=TAGS,
        execution_timeout=timedelta(minutes=5),
    )
    connector = MskConnectCreateConnectorOperator(
        task_id="connector",
        connector_name="{{ settings().connector }}",
        configuration="s3_sink/s3-sink.properties",
        more_configuration=sink_properties,
        owner_tags=OWNER_TAGS,
        connector=sink_connector_request(
            plugin_arn=plugin.output,
            worker_configuration_arn=workers.output,
            bootstrap_servers=bootstrap_servers,
            subnets=f"{{{{ (settings().s3_sink.subnets or {brokers}['subnets']) | tojson }}}}",
            security_groups=f"{{{{ (settings().s3_sink.security_groups or {brokers}['security_groups']) | tojson }}}}",
            authentication=AUTHENTICATION,
            encryption=ENCRYPTION,
            kafka_connect_version="{{ settings().s3_sink.kafka_connect_version }}",
            role="{{ settings().sink_role }}",
            logs="{{ settings().sink_logs | tojson }}",
            workers="{{ settings().s3_sink.workers }}",
            mcus="{{ settings().s3_sink.mcus }}",
            tags=TAGS,
        ),
        execution_timeout=timedelta(minutes=60),
    )
    running = KafkaClientScriptOperator(
        task_id="running",
        script="s3_sink/await_sink_tasks.sh",
        environment={
            "BOOTSTRAP_SERVERS": bootstrap_servers,
            "GROUP": "connect-{{ settings().connector }}",
            "TOPICS": "{{ settings().topics.values() | join(' ') }}",
            "WAIT_SECONDS": "180",
        },
    )

    archive >> plugin
    chain([plugin, workers, role, logs], replaced, connector, running)
