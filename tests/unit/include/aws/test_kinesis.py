"""What is changed next on a data stream that differs from the settings."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from include.aws.kinesis import next_change
from tests.unit.kinesis_parts import summary, wanted


@pytest.mark.parametrize(
    ("found", "settings", "what"),
    [
        ({}, {}, None),
        ({"KeyId": "arn:aws:kms:us-east-1:1:alias/aws/kinesis", "EncryptionType": "KMS"}, {}, None),
        ({"EncryptionType": "NONE"}, {"encryption": "none"}, None),
        ({"shards": 7}, {"shards": 2}, None),
        ({"mode": "PROVISIONED", "shards": 7}, {"shards": 2}, None),
        ({"mode": "PROVISIONED"}, {"mode": "on_demand"}, "mode PROVISIONED → ON_DEMAND"),
        ({}, {"mode": "provisioned", "shards": 4}, "mode ON_DEMAND → PROVISIONED"),
        ({"mode": "PROVISIONED", "shards": 7}, {"mode": "provisioned", "shards": 2}, "shards 7 → 4"),
        ({"mode": "PROVISIONED", "shards": 7}, {"mode": "provisioned", "shards": 100}, "shards 7 → 14"),
        ({"retention": 48}, {}, "retention 48 → 24 hours"),
        ({}, {"kms_key": "alias/mine"}, "encryption alias/aws/kinesis → alias/mine"),
        ({}, {"encryption": "none"}, "encryption alias/aws/kinesis → none"),
    ],
)
def test_what_is_changed_next(found, settings, what):
    change = next_change(summary(**found), wanted(**settings))

    assert (change and change.what) == what
    if change:
        client = boto3.client("kinesis", region_name="us-east-1")
        with Stubber(client) as stub:
            stub.add_response(change.operation, {}, change.arguments)
            getattr(client, change.operation)(**change.arguments)
