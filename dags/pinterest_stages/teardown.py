"""Everything that the pipeline made, removed in the reverse order; then the proof that nothing of it is left.

Done by hand in five consoles: cancel the job, delete API, key and usage plan, connector, plugin and worker
configuration, data streams, topics and roles, log in to the client machine once more, and look for what was forgotten.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import TriggerRule, chain, task, task_group

from include.aws.inventory import KEY_PAIR_PARAMETERS
from pinterest.operators.teardown import (
    InventoryOperator,
    RemoveBrokersOperator,
    RemoveDataStreamsOperator,
    RemoveOperator,
)
from pinterest.operators.teardown_lake import (
    RemoveBucketOperator,
    RemoveCodeOperator,
    RemoveJobsOperator,
    RemoveLifecycleOperator,
    RemoveObjectsOperator,
    RemoveTablesOperator,
)
from pinterest.operators.teardown_machine import OnMachineOperator, RemoveTopicsOperator


@task
def complete() -> None:
    """Succeeds if nothing is left and every removal succeeded: what is left is listed whatever failed before."""


@task_group(group_id="teardown")
def teardown() -> None:
    jobs = RemoveJobsOperator(task_id="jobs", stage="databricks")
    # AWS holds on to a load balancer for some minutes after the VPC link to it is gone.
    rest_api = RemoveOperator(
        task_id="rest_api",
        stage="rest_api",
        retries=10,
        retry_delay=timedelta(minutes=1),
        only={"role": ["{{ settings().kinesis_role }}"], "parameter": ["{{ settings().api_key_parameter }}"]},
    )
    s3_sink = RemoveOperator(
        task_id="s3_sink",
        stage="s3_sink",
        only={"role": ["{{ settings().sink_role }}"]},
        execution_timeout=timedelta(hours=1),
    )
    data_streams = RemoveDataStreamsOperator(task_id="data_streams", stage="data_streams")
    tables = RemoveTablesOperator(task_id="tables")
    topics = RemoveTopicsOperator(task_id="topics", script="teardown/delete_topics.sh")
    files = OnMachineOperator(task_id="files", stage="kafka_client", script="teardown/remove_client_files.sh")
    kafka_client = RemoveBrokersOperator(
        task_id="kafka_client",
        stage="kafka_client",
        only={
            "role": ["{{ settings().role }}"],
            "parameter": [KEY_PAIR_PARAMETERS, "/pinterest/{{ settings().user_id }}/host-key/"],
        },
    )
    # A cluster that is being created cannot be deleted yet.
    kafka = RemoveBrokersOperator(
        task_id="kafka",
        stage="kafka",
        retries=8,
        retry_delay=timedelta(minutes=5),
        execution_timeout=timedelta(hours=1),
    )
    # Network interfaces of workers and instances outlive them for some minutes, and hold on to their security group.
    network = RemoveOperator(task_id="network", stage="network", retries=10, retry_delay=timedelta(minutes=1))
    code = RemoveCodeOperator(task_id="code", stage="databricks")
    lifecycle = RemoveLifecycleOperator(task_id="lifecycle", stage="bucket")
    objects = RemoveObjectsOperator(task_id="objects", execution_timeout=timedelta(hours=2))
    bucket = RemoveBucketOperator(task_id="bucket", stage="bucket")

    # Nobody posts any more, then nobody writes any more, then what was written may go. The memory of it goes last.
    chain(rest_api, s3_sink, topics, files, kafka_client, [network, objects])
    chain(files, kafka, [network, objects])
    chain([jobs, rest_api], data_streams, objects)
    chain(jobs, [tables, code], objects)
    chain(objects, lifecycle, bucket)

    removals = [rest_api, jobs, s3_sink, data_streams, tables, topics, files, kafka_client, network, code]
    removals += [kafka, objects, lifecycle, bucket]
    left = InventoryOperator(task_id="left", trigger_rule=TriggerRule.ALL_DONE, execution_timeout=timedelta(minutes=15))
    chain(removals, left)
    chain([*removals, left], complete())
