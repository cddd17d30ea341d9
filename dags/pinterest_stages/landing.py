"""From Kafka to the bucket: every posted record must be seen by a consumer and be in an S3 object.

Seed steps: check with a consumer of the group ``students`` that the data arrives on the topics, and with the S3
console that the connector writes it to the bucket.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import chain, task_group

from pinterest.operators.landing import ConsumerCountOperator, LandingIntervalOperator
from pinterest.sensors.landing import LandedObjectsSensor


@task_group(group_id="landing")
def landing() -> None:
    offsets = LandingIntervalOperator(task_id="offsets", execution_timeout=timedelta(minutes=10))
    consumer = ConsumerCountOperator(
        task_id="consumer", timeout=timedelta(minutes=25).total_seconds(), execution_timeout=timedelta(minutes=30)
    )
    objects = LandedObjectsSensor(
        task_id="objects", timeout=timedelta(minutes=15).total_seconds(), execution_timeout=timedelta(minutes=30)
    )

    # The consumer finds the offsets that hold no record, for which the sensor need not wait.
    chain(offsets, consumer, objects)
