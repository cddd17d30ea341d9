"""A data stream as Kinesis describes it, and as the stage ``data_streams`` asks for it."""

from __future__ import annotations

from datetime import UTC, datetime

import jinja2

from pinterest_stages.data_streams import DATA_STREAM
from tests.builders import USER_ID, settings

NAME = f"streaming-{USER_ID}-pin"
ARN = f"arn:aws:kinesis:us-east-1:000000000000:stream/{NAME}"
OF_NAME = {"StreamName": NAME}
KMS = {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}
TAGS = {"project": "pinterest-pipeline", "run_id": "{{ run_id }}"}


def wanted(**kinesis) -> dict:
    """The stage's request as Airflow renders it: every value is text."""

    def render(value):
        if isinstance(value, dict):
            return {name: render(one) for name, one in value.items()}
        return jinja2.Template(value).render(settings=lambda: settings(kinesis=kinesis), run_id="r")

    return render({**DATA_STREAM, "tags": TAGS})


def summary(status="ACTIVE", mode="ON_DEMAND", shards=4, retention=24, **more) -> dict:
    return {
        "StreamName": NAME,
        "StreamARN": ARN,
        "StreamStatus": status,
        "StreamModeDetails": {"StreamMode": mode},
        "RetentionPeriodHours": retention,
        "StreamCreationTimestamp": datetime(2026, 1, 1, tzinfo=UTC),
        "EnhancedMonitoring": [],
        "OpenShardCount": shards,
        **(more or KMS),
    }


def described(stub, *found):
    for one in found:
        if one is None:
            stub.add_client_error("describe_stream_summary", "ResourceNotFoundException", expected_params=OF_NAME)
        else:
            stub.add_response("describe_stream_summary", {"StreamDescriptionSummary": one}, OF_NAME)
