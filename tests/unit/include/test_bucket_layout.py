"""Keys in the bucket."""

from __future__ import annotations

import pytest

from include import bucket_layout


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("topics/u.pin/partition=0/u.pin+0+0000000000.json", ("u.pin", 0, 0)),
        ("topics/u.pin/partition=12/u.pin+12+12345678901.json", ("u.pin", 12, 12345678901)),
        ("topics/u.pin/partition=0/u.geo+0+0000000000.json", None),
        ("topics/u.pin/partition=0/u.pin+1+0000000000.json", None),
        ("topics/u.pin/partition=0/u.pin+0+000.json", None),
        ("topics/u.pin/partition=0/u.pin+0+0000000000.json.gz", None),
        ("topics/u.pin/partition=0/README.txt", None),
    ],
)
def test_names_of_the_sink(key, expected):
    assert bucket_layout.parse_sink_object(key) == expected


def test_every_key_of_ours_begins_with_one_of_the_prefixes():
    prefixes = bucket_layout.prefixes("u", ["u.pin"], "checkpoints/")
    run = ("pinterest_batch", "manual__1")
    keys = [
        bucket_layout.sink_object("u.pin", 0, 0),
        bucket_layout.set_aside("x", "topics/u.pin/y"),
        bucket_layout.seed_position(100, "stream"),
        *(key(*run) for key in (bucket_layout.posting_progress, bucket_layout.refused_rows, bucket_layout.manifest)),
        *(key(*run) for key in (bucket_layout.interval, bucket_layout.dead_letters, bucket_layout.report)),
        bucket_layout.ledger(*run, "api"),
        *(key("u") for key in (bucket_layout.bookmark, bucket_layout.checkpoints, bucket_layout.sink_restart)),
        bucket_layout.plugin_archive("u", "ab" * 32),
        f"{bucket_layout.sink_logs('u')}/AWSLogs/x.log.gz",
        "checkpoints/streaming-u-pin/offsets/0",
    ]

    assert [key for key in keys if not key.startswith(tuple(prefixes))] == []
    for theirs in (
        "topics/v.pin/x",
        "landing/v.json",
        "lake_stream/v.json",
        "kafka-connect-s3/v-1.zip",
        "sink_logs/uv/x",
        "x",
    ):
        assert not theirs.startswith(tuple(prefixes))
