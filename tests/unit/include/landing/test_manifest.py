"""The manifest: what the load must read."""

from __future__ import annotations

import json

from include.landing.coverage import cover
from include.landing.manifest import landed_manifest
from tests.unit.include.landing.sink_objects import TOPIC, holds, interval


def test_the_manifest_lists_what_the_load_must_read():
    found = cover(TOPIC, 0, (5, 10), [holds(0, 6), holds(7, 12), holds(13, 20)], [])

    manifest = landed_manifest(
        interval(start=5),
        [found],
        dag_id="d",
        run_id="r",
        user_id="u",
        bucket="b",
        dead_letters_key="k",
        dead_letters_id="T9",
        letters=["pin"],
        next_letters={0: 4},
        lake=None,
        ignored=[],
    )

    content = json.loads(manifest.model_dump_json(by_alias=True))
    partition = content["topics"]["pin"]["partitions"]["0"]
    assert (partition["from"], partition["to"]) == (5, 10)
    assert [(o["first_offset"], o["last_offset"], o["lines"]) for o in partition["objects"]] == [(0, 6, 7), (7, 12, 6)]
    assert content["dead_letters"] == {
        "key": "k",
        "topic_id": "T9",
        "count": 1,
        "by_entity": {"pin": 1},
        "next_offsets": {"0": 4},
    }
