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
