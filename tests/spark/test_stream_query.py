"""What a streaming query says when it cannot read on."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from pinterest_lake.stream_query import Query

JOB = SimpleNamespace(checkpoints="folder", checkpoint_names={"pin": "pins@1"}, region="us-east-1")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            "InvalidArgumentException: StartingSequenceNumber 49 is invalid because it did not come from this stream.",
            "the checkpoint folder/pins@1 is of another data stream than 'pins'.*on_new_identity=load_all",
        ),
        ("ResourceNotFoundException: Stream pins not found", "Kinesis has no data stream 'pins' in us-east-1"),
        ("Cannot start query: already active", "another query reads 'pins' with the checkpoint folder/pins@1"),
        ("something else", "reading 'pins' failed: something else"),
    ],
)
def test_the_cause_is_named_with_what_to_do(error, told):
    explained = Query(JOB, {"pin": "pins"})._explained(RuntimeError(error))

    assert str(explained).startswith("pin: ")
    assert re.search(told, str(explained))
