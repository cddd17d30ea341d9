"""Records per second through the REST API into Kinesis: one record per request, as the seeds do, and many.

Needs a running lab (``make lab``). Both modes do what the task ``posting_stream.post`` does: rows read from the source,
sent over as many connections per entity, every record's answer checked. They use their own data streams, which are
deleted afterward. Prints a table and, on the last line, the same figures as JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

from benchmarks.lab_stack import SEED, Stack, find_stack, rate
from include.posting.kinesis_requests import Mode
from include.posting.kinesis_sender import KinesisSender
from include.posting.progress import PostingProgress
from include.posting.run import Posting
from include.posting.sender import RetryPolicy
from include.posting.source_tables import SourceTables
from include.settings import ENTITIES, Entity

MODES: tuple[Mode, ...] = ("record", "records")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=10_000, help="posts per round in mode records")
    parser.add_argument("--single-posts", type=int, default=500, help="posts per round in mode record")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each mode; the median counts")
    given = parser.parse_args()
    stack = find_stack()
    posts = {"record": given.single_posts, "records": given.posts}
    figures: dict[Mode, list[float]] = {mode: [] for mode in MODES}
    with bench_streams() as entities:
        for _ in range(given.rounds):
            for mode in MODES:
                figures[mode].append(rate(posts[mode], lambda mode=mode: post(stack, entities, posts[mode], mode)))
    one, many = (statistics.median(figures[mode]) for mode in MODES)
    print(f"{'records/s':>12}  {'rounds':>20}")
    for mode in MODES:
        print(f"{statistics.median(figures[mode]):12.0f}  {' '.join(f'{of:.0f}' for of in figures[mode]):>20}  {mode}")
    print(f"many records per request are {many / one:.1f} times as fast as one")
    told = {"record_records_per_second": round(one, 1), "records_records_per_second": round(many, 1)}
    print(json.dumps({"benchmark": "posting_stream", **told, "times": round(many / one, 1)}))


@contextmanager
def bench_streams() -> Iterator[dict[Entity, str]]:
    """Three data streams like the pipeline's. Deletes them at the end."""
    from pinterest.hooks.kinesis import KinesisStreamHook

    client: Any = KinesisStreamHook(aws_conn_id="aws_default").conn
    entities: dict[Entity, str] = {entity: f"bench-{uuid.uuid4().hex[:8]}-{entity}" for entity in ENTITIES}
    for name in entities.values():
        client.create_stream(StreamName=name, StreamModeDetails={"StreamMode": "ON_DEMAND"})
        client.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    try:
        yield entities
    finally:
        for name in entities.values():
            client.delete_stream(StreamName=name)


def post(stack: Stack, entities: dict[Entity, str], posts: int, mode: Mode) -> None:
    from pinterest.operators.posting import CONNECTIONS_A_STREAM, CONNECTIONS_OF_SINGLE_RECORDS

    stop = threading.Event()
    progress = PostingProgress(route="stream", dag_id="bench", run_id="bench", seed=SEED, first_draw=0, posts=posts)
    senders = {
        entity: [
            KinesisSender(
                entity,
                invoke_url=stack.invoke_url,
                data_stream=entities[entity],
                api_key=stack.api_key,
                mode=mode,
                policy=RetryPolicy(),
                stop=stop,
            )
            for _ in range(CONNECTIONS_A_STREAM if mode == "records" else CONNECTIONS_OF_SINGLE_RECORDS)
        ]
        for entity in ENTITIES
    }
    with SourceTables(stack.engine(), connection_id="pinterest_source") as source:
        Posting(progress, source=source, senders=senders, batch_size=500, paced=False, stop=stop).run(
            lambda progress, refused: None
        )
    for sender in chain.from_iterable(senders.values()):
        sender.close()
    stored = {one.acknowledged for one in progress.entities.values()}
    if stored != {posts}:
        raise SystemExit(f"put {posts} records per entity, {stored} were acknowledged: the figures mean nothing")


if __name__ == "__main__":
    main()
