"""Where a partition's objects begin, in a bucket that also holds objects of others."""

from __future__ import annotations

import pytest

from include.bucket_layout import partition_prefix, sink_object
from pinterest.sink_bucket import SinkBucket
from tests.builders import BUCKET, USER_ID, Bucket

PIN = f"{USER_ID}.pin"


@pytest.mark.parametrize(
    ("keys", "first"),
    [
        ([], None),
        ([f"{partition_prefix(PIN, 0)}.keep"], None),
        ([f"{partition_prefix(PIN, 0)}.keep", sink_object(PIN, 0, 12), sink_object(PIN, 0, 40)], 12),
        ([sink_object(PIN, 1, 3), sink_object(PIN, 0, 12)], 12),
    ],
    ids=["no object", "only others'", "others' before ours", "another partition"],
)
def test_the_first_object_is_the_first_that_the_sink_wrote(keys, first):
    bucket = Bucket()
    bucket.objects = dict.fromkeys(keys, b"x")

    assert SinkBucket(bucket, BUCKET).first_offset(PIN, 0) == first
