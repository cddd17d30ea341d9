"""Records per second into Kafka: the seeds' loop, this pipeline, and what the REST proxy takes from a minimal client.

Needs a running lab (``make lab``). All three run on the same stack, one after the other, on their own topics, which are
deleted afterward. Prints a table and, on the last line, the same figures as JSON.

- **seeds**: three ``LIMIT n,1`` queries and three single-record requests for every post, without the seeds' pauses.
- **proxy**: prebuilt requests of the same batch size, sent straight to the REST proxy over as many connections as ours;
  the answers are read but not checked.
- **ours**: what the task ``posting.post`` does: source, REST API, REST proxy, every record's answer checked.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import batched, chain
from urllib.parse import urlsplit

import requests
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from sqlalchemy import text

from benchmarks.lab_stack import SEED, Stack, find_stack, rate
from include.posting.emulation import draws
from include.posting.kafka_sender import CONTENT_TYPE, KafkaSender
from include.posting.progress import PostingProgress
from include.posting.run import Posting
from include.posting.sender import RetryPolicy
from include.posting.source_tables import SOURCE_TABLES, SourceTables
from include.settings import ENTITIES, Entity

CONNECTIONS_PER_ENTITY = 2
TIMES_SEEDS = 50
SHARE_OF_PROXY = 0.7

type Topics = dict[Entity, str]


def main() -> None:
    arguments = parse_arguments()
    stack = find_stack()
    figures: dict[str, list[float]] = {"seeds": [], "proxy": [], "ours": []}
    with bench_topics(stack) as topics:
        sent = arguments.seeds_posts
        figures["seeds"].append(rate(sent, lambda: seeds_loop(stack, topics, sent)))
        bodies = request_bodies(stack, arguments.posts, arguments.batch_size)
        for _ in range(arguments.rounds):
            figures["proxy"].append(rate(arguments.posts, lambda: proxy_alone(stack, topics, bodies)))
            figures["ours"].append(rate(arguments.posts, lambda: ours(stack, topics, arguments)))
            sent += 2 * arguments.posts
        stored = {entity: count_records(stack, topics[entity]) for entity in ENTITIES}
    if set(stored.values()) != {sent}:
        raise SystemExit(f"sent {sent} records per entity, the brokers hold {stored}: the figures mean nothing")
    report(figures, arguments)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=100_000, help="posts per round, three records each")
    parser.add_argument("--seeds-posts", type=int, default=150, help="posts for the seeds' loop")
    parser.add_argument("--batch-size", type=int, default=500, help="records per request")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of proxy and ours; the median counts")
    return parser.parse_args()


@contextmanager
def bench_topics(stack: Stack) -> Iterator[Topics]:
    """Three topics like the pipeline's that no connector reads. Deletes them at the end."""
    admin = AdminClient({"bootstrap.servers": stack.bootstrap_servers})
    topics: Topics = {entity: f"bench-{uuid.uuid4().hex[:8]}.{entity}" for entity in ENTITIES}
    partitions = stack.settings.kafka.partitions
    for made in admin.create_topics([NewTopic(topic, partitions, 1) for topic in topics.values()]).values():
        made.result(30)
    try:
        yield topics
    finally:
        for gone in admin.delete_topics(list(topics.values())).values():
            gone.result(30)


def seeds_loop(stack: Stack, topics: Topics, posts: int) -> None:
    """``user_posting_emulation.py`` from the seeds, without its pauses and with the API key."""
    engine = stack.engine()
    headers = {"Content-Type": CONTENT_TYPE, "x-api-key": stack.api_key}
    for draw in draws(SEED, count=posts):
        with engine.connect() as connection:
            rows = {
                entity: dict(
                    connection.execute(text(f"SELECT * FROM {table.name} LIMIT {draw.ind}, 1")).mappings().one()
                )
                for entity, table in SOURCE_TABLES.items()
            }
        for entity, row in rows.items():
            payload = json.dumps({"records": [{"value": row}]}, default=str)
            url = f"{stack.invoke_url}/topics/{topics[entity]}"
            answer = requests.request("POST", url, headers=headers, data=payload, timeout=60)
            answer.raise_for_status()
    engine.dispose()


def request_bodies(stack: Stack, posts: int, batch_size: int) -> dict[Entity, list[bytes]]:
    bodies: dict[Entity, list[bytes]] = {entity: [] for entity in ENTITIES}
    with SourceTables(stack.engine(), connection_id="pinterest_source") as source:
        for batch in batched(draws(SEED, count=posts), batch_size):
            for entity in ENTITIES:
                rows = source.read(entity, [draw.ind for draw in batch])
                records = (b'{"key":%d,"value":%b}' % (draw.ind, rows[draw.ind]) for draw in batch)
                bodies[entity].append(b'{"records":[%b]}' % b",".join(records))
    return bodies


def proxy_alone(stack: Stack, topics: Topics, bodies: dict[Entity, list[bytes]]) -> None:
    address = urlsplit(stack.proxy_url)
    failures: list[str] = []

    def send(entity: Entity, lane: int) -> None:
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
        for body in bodies[entity][lane::CONNECTIONS_PER_ENTITY]:
            connection.request("POST", f"/topics/{topics[entity]}", body, {"Content-Type": CONTENT_TYPE})
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != http.client.OK:
                failures.append(f"{answer.status} {said[:200]!r}")
                break
        connection.close()

    lanes = [(entity, lane) for entity in ENTITIES for lane in range(CONNECTIONS_PER_ENTITY)]
    threads = [threading.Thread(target=send, args=lane) for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"the REST proxy answered {failures[0]}")


def ours(stack: Stack, topics: Topics, arguments: argparse.Namespace) -> None:
    stop = threading.Event()
    progress = PostingProgress(dag_id="bench", run_id="bench", seed=SEED, first_draw=0, posts=arguments.posts)
    senders = {
        entity: [
            KafkaSender(
                entity,
                invoke_url=stack.invoke_url,
                topic=topics[entity],
                api_key=stack.api_key,
                policy=RetryPolicy(),
                stop=stop,
            )
            for _ in range(CONNECTIONS_PER_ENTITY)
        ]
        for entity in ENTITIES
    }
    with SourceTables(stack.engine(), connection_id="pinterest_source") as source:
        Posting(progress, source=source, senders=senders, batch_size=arguments.batch_size, paced=False, stop=stop).run(
            lambda progress, refused: None
        )
    for sender in chain.from_iterable(senders.values()):
        sender.close()


def count_records(stack: Stack, topic: str) -> int:
    consumer = Consumer({"bootstrap.servers": stack.bootstrap_servers, "group.id": "bench"})
    partitions = [TopicPartition(topic, number) for number in range(stack.settings.kafka.partitions)]
    ends = [consumer.get_watermark_offsets(partition, timeout=30) for partition in partitions]
    consumer.close()
    return sum(high - low for low, high in ends)


def report(figures: dict[str, list[float]], arguments: argparse.Namespace) -> None:
    seeds, proxy, mine = (statistics.median(figures[name]) for name in ("seeds", "proxy", "ours"))
    print(f"{'records/s':>12}  {'batch':>6}  {'rounds':>20}")
    for name, batch in (("seeds", 1), ("proxy", arguments.batch_size), ("ours", arguments.batch_size)):
        rounds = " ".join(f"{figure:.0f}" for figure in figures[name])
        print(f"{statistics.median(figures[name]):12.0f}  {batch:6}  {rounds:>20}  {name}")
    print(f"ours is {mine / seeds:.0f} times the seeds' loop (target: {TIMES_SEEDS} or more)")
    print(f"ours is {mine / proxy:.2f} of what the proxy takes (target: {SHARE_OF_PROXY} or more)")
    print(
        json.dumps(
            {
                "benchmark": "posting",
                "batch_size": arguments.batch_size,
                "posts": arguments.posts,
                "seeds_records_per_second": round(seeds, 1),
                "proxy_records_per_second": round(proxy, 1),
                "ours_records_per_second": round(mine, 1),
                "times_seeds": round(mine / seeds, 1),
                "share_of_proxy": round(mine / proxy, 3),
            }
        )
    )


if __name__ == "__main__":
    main()
