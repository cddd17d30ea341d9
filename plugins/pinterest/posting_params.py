"""The params of every DAG that posts: typed, bounded, described, and checked before the first task starts.

A DAG that posts to Kinesis, alone or in addition to Kafka, uses ``STREAM_POSTING_PARAMS``; one that makes the S3 sink
adds ``REPLACE_CONNECTOR``.
"""

from __future__ import annotations

from airflow.sdk import Param

from include.identity import ON_NEW_IDENTITY
from include.posting.order import LARGEST_BATCH, LARGEST_SEED, LARGEST_START, MOST_POSTS, START_PATTERN, PostingOrder

DEFAULTS = PostingOrder()

ON_NEW_IDENTITY_PARAM: dict[str, Param] = {
    "on_new_identity": Param(
        ON_NEW_IDENTITY[0],
        type="string",
        enum=list(ON_NEW_IDENTITY),
        title="On new identity",
        description=(
            "What to do if a topic, a data stream or the lake is not the one that earlier runs remember: 'fail' names "
            "both; 'load_all' loads everything that it still holds."
        ),
    ),
}

POSTING_PARAMS: dict[str, Param] = {
    "posts": Param(
        DEFAULTS.posts,
        type="integer",
        minimum=1,
        maximum=MOST_POSTS,
        title="Posts",
        description="How many posts to make. Every post is three records: pin, geo and user.",
    ),
    "seed": Param(
        DEFAULTS.seed,
        type="integer",
        minimum=0,
        maximum=LARGEST_SEED,
        title="Seed",
        description="Which sequence of posts to make: the same seed draws the same keys in the same order.",
    ),
    "start": Param(
        DEFAULTS.start,
        type=["string", "integer"],
        pattern=START_PATTERN,
        minimum=0,
        maximum=LARGEST_START,
        examples=[DEFAULTS.start, "0"],
        title="Start",
        description=(
            "'continue' starts where the last run of this seed ended. A number is the draw to start at: 0 replays the "
            "sequence from the beginning, and every post made before becomes a duplicate."
        ),
    ),
    "pace": Param(
        DEFAULTS.pace,
        type="string",
        enum=["none", "emulated"],
        title="Pace",
        description="'none' posts as fast as the API accepts; 'emulated' waits 0 or 1 second before every post.",
    ),
    "batch_size": Param(
        DEFAULTS.batch_size,
        type="integer",
        minimum=1,
        maximum=LARGEST_BATCH,
        title="Batch size",
        description="Records per request to the API. At the pace 'emulated', every request carries one record.",
    ),
    **ON_NEW_IDENTITY_PARAM,
}

REPLACE_CONNECTOR: dict[str, Param] = {
    "replace_connector": Param(
        False,
        type="boolean",
        title="Replace connector",
        description=(
            "Whether a connector of our name that this pipeline did not make may be deleted. Its objects are set aside "
            "in the bucket, and everything on the topics is written again."
        ),
    ),
}

STREAM_POSTING_PARAMS: dict[str, Param] = {
    **POSTING_PARAMS,
    "mode": Param(
        DEFAULTS.mode,
        type="string",
        enum=["record", "records"],
        title="Mode",
        description=(
            "How records are put into Kinesis: 'record' puts each by itself, as the seeds do; 'records' puts up to 500 "
            "per request."
        ),
    ),
}
