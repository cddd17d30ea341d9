"""A whole run of posting, against an API in this process. The expected draws are made by the seeds' own loop."""

from __future__ import annotations

import random
import threading
from collections import Counter
from itertools import chain

import pytest

from include.posting.kafka_sender import KafkaSender
from include.posting.progress import PostingProgress, RefusedRow
from include.posting.run import Posting
from include.posting.sender import PostingError, PostingStoppedError, RetryPolicy
from include.posting.source_connection import SourceError
from include.settings import ENTITIES
from tests.builders import seeds_draws
from tests.local.fake_rest_api import API_KEY, FakeRestApi, Fault

TOPICS = {entity: f"0e36c8cd403d.{entity}" for entity in ENTITIES}
QUICK = RetryPolicy(tries=3, first_wait=0.01, longest_wait=0.02, connect_timeout=1, read_timeout=5)


class Source:
    """Rows for every key but the missing ones; ``fails_at`` is the read that raises."""

    def __init__(self, missing=(), fails_at=None):
        self.missing = set(missing)
        self.fails_at = fails_at
        self.reads = []
        self.read_again = threading.Event()

    def read(self, entity, keys):
        if keys:
            self.reads.append((entity, list(keys)))
        if len(self.reads) > len(ENTITIES):
            self.read_again.set()
        if self.fails_at is not None and len(self.reads) >= self.fails_at:
            raise SourceError("Connection 'pinterest_source': gone")
        return {key: b'{"ind": %d, "stream": "%b"}' % (key, entity.encode()) for key in keys if key not in self.missing}


class Saved:
    """What a bucket would hold: every progress object in the order they came, every refused row."""

    def __init__(self):
        self.progress: list[str] = []
        self.refused: list[RefusedRow] = []

    def __call__(self, progress, refused):
        self.progress.append(progress.model_dump_json())
        self.refused += refused

    def load(self, at=-1) -> PostingProgress:
        return PostingProgress.parse(self.progress[at], source="saved")


@pytest.fixture
def api():
    with FakeRestApi() as server:
        yield server


def order(posts=50, seed=100, first_draw=0) -> PostingProgress:
    return PostingProgress(dag_id="pinterest_batch", run_id="r1", seed=seed, first_draw=first_draw, posts=posts)


def post(
    api, progress, *, source=None, saved=None, stop=None, batch_size=10, paced=False, save_every=2.0, connections=1
) -> Saved:
    stop = stop or threading.Event()
    saved = saved or Saved()
    senders = new_senders(api, stop, connections)
    try:
        Posting(
            progress, source=source or Source(), senders=senders, batch_size=batch_size, paced=paced, stop=stop
        ).run(saved, save_every=save_every)
    finally:
        for sender in chain.from_iterable(senders.values()):
            sender.close()
    return saved


def new_senders(api, stop, connections=1) -> dict[str, list[KafkaSender]]:
    return {
        entity: [
            KafkaSender(entity, invoke_url=api.url, topic=TOPICS[entity], api_key=API_KEY, policy=QUICK, stop=stop)
            for _ in range(connections)
        ]
        for entity in ENTITIES
    }


def test_the_three_rows_of_every_draw_are_posted_in_order(api):
    saved = post(api, order(posts=55))

    for entity in ENTITIES:
        assert api.keys(TOPICS[entity]) == seeds_draws(100, 55)
        assert {stored.value["stream"] for stored in api.topics[TOPICS[entity]]} == {entity}
    progress = saved.load()
    assert progress.complete
    assert {one.acknowledged for one in progress.entities.values()} == {55}
    assert sum(r.count for r in progress.entities["pin"].ranges) == 55


def test_a_key_drawn_twice_is_read_once_and_posted_twice(api):
    keys = seeds_draws(100, 1000)
    source = Source()
    post(api, order(posts=1000), source=source, batch_size=1000)

    assert max(Counter(keys).values()) > 1
    assert Counter(api.keys(TOPICS["pin"])) == Counter(keys)


def test_requests_carry_a_batch(api):
    post(api, order(posts=25), batch_size=10)

    assert Counter(len(request.records) for request in api.requests) == {10: 6, 5: 3}


def test_a_run_begins_at_its_own_first_draw(api):
    post(api, order(posts=5, first_draw=1490))

    assert api.keys(TOPICS["geo"]) == seeds_draws(100, 5, first=1490)


def test_the_three_streams_are_under_way_at_once(api):
    all_here = threading.Barrier(3)
    api.before = lambda request: all_here.wait(10)

    post(api, order(posts=10), batch_size=10)

    assert not all_here.broken


def test_a_stream_has_as_many_requests_under_way_as_it_has_connections(api):
    all_here = threading.Barrier(6)
    api.before = lambda request: all_here.wait(10) if len(request.records) == 10 else None

    saved = post(api, order(posts=25), batch_size=10, connections=2)

    assert not all_here.broken
    assert saved.load().complete
    for entity in ENTITIES:
        assert Counter(api.keys(TOPICS[entity])) == Counter(seeds_draws(100, 25))


def test_the_next_batch_is_read_while_one_is_sent(api):
    source = Source()
    seen = []
    api.before = lambda request: seen.append(source.read_again.wait(10))

    post(api, order(posts=20), source=source, batch_size=10)

    assert all(seen)


def test_a_row_that_the_source_does_not_hold_is_accounted_for(api):
    keys = seeds_draws(100, 20)
    saved = post(api, order(posts=20), source=Source(missing=[keys[3], keys[7]]))

    progress = saved.load()
    assert progress.complete
    assert api.keys(TOPICS["user"]) == [key for key in keys if key not in (keys[3], keys[7])]
    user = progress.entities["user"]
    assert (user.drawn, user.read, user.missing, user.acknowledged, user.refused) == (20, 18, 2, 18, 0)
    assert {(row.entity, row.ind, row.code) for row in saved.refused} == {
        (entity, key, "no_source_row") for entity in ENTITIES for key in (keys[3], keys[7])
    }
    assert "user_data has no row ind=" in next(row.message for row in saved.refused if row.entity == "user")


def test_refused_rows_are_kept_whole_and_the_others_pass(api):
    keys = seeds_draws(100, 20)
    api.record_error = lambda request, record: (42201, "no") if record["key"] == keys[4] else None
    saved = post(api, order(posts=20))

    assert saved.load().complete
    assert [(row.draw, row.value) for row in saved.refused if row.entity == "geo"] == [
        (4, {"ind": keys[4], "stream": "geo"})
    ]
    assert {one.refused for one in saved.load().entities.values()} == {1}


@pytest.mark.parametrize("connections", [1, 3])
def test_a_run_that_failed_goes_on_without_repeating_a_record(api, connections):
    keys = seeds_draws(100, 100)
    api.fault_for = lambda request: (
        Fault(status=403) if request.path.endswith(".geo") and len(api.requests) > 8 else None
    )
    api.record_error = lambda request, record: (50003, "no leader") if record["key"] == keys[15] else None
    saved = Saved()
    with pytest.raises(PostingError):
        post(api, order(posts=100), saved=saved, connections=connections)
    assert not saved.load().complete
    assert api.topics

    api.fault_for = lambda request: None
    api.record_error = lambda request, record: None
    again = post(api, saved.load(), connections=connections)

    for entity in ENTITIES:
        assert sorted(api.keys(TOPICS[entity])) == sorted(keys)
    assert again.load().complete
    assert {(one.drawn, one.read, one.acknowledged) for one in again.load().entities.values()} == {(100, 100, 100)}


def test_a_killed_run_goes_on_from_what_it_last_saved(api):
    keys = seeds_draws(100, 200)
    halfway, killed = threading.Event(), threading.Event()
    api.before = lambda request: len(api.requests) > 20 and (halfway.set(), killed.wait(10))
    saved = Saved()
    stop = threading.Event()

    def save(progress, refused):
        if not killed.is_set():
            saved(progress, refused)
        if halfway.is_set():
            stop.set()
            killed.set()

    with pytest.raises(PostingStoppedError):
        post(api, order(posts=200), saved=save, stop=stop, save_every=0.01)
    api.before = lambda request: None
    progress = saved.load()
    assert 0 < progress.drawn < 200

    again = post(api, progress)

    assert again.load().complete
    assert {one.acknowledged for one in again.load().entities.values()} == {200}
    for entity in ENTITIES:
        posted = Counter(api.keys(TOPICS[entity]))
        assert posted.keys() == set(keys)
        assert all(posted[key] >= times for key, times in Counter(keys).items())


def test_a_complete_run_posts_nothing_more(api):
    saved = post(api, order(posts=10))
    requests = len(api.requests)
    post(api, saved.load())

    assert len(api.requests) == requests


def test_a_source_that_is_gone_ends_the_run_with_its_message_and_the_progress(api):
    saved = Saved()
    with pytest.raises(SourceError, match="pinterest_source"):
        post(api, order(posts=50), source=Source(fails_at=7), saved=saved)
    assert saved.load().drawn < 50

    again = post(api, saved.load())
    for entity in ENTITIES:
        assert api.keys(TOPICS[entity]) == seeds_draws(100, 50)
    assert again.load().complete


def test_a_bucket_that_takes_no_progress_ends_the_run(api):
    def save(progress, refused):
        raise OSError("bucket gone")

    with pytest.raises(OSError, match="bucket gone"):
        post(api, order(posts=10_000), saved=save, save_every=0.01)
    assert len(api.keys(TOPICS["pin"])) < 10_000


def test_refused_rows_are_handed_over_again_if_they_could_not_be_saved(api):
    api.record_error = lambda request, record: (42201, "no")
    handed_over = []

    def save(progress, refused):
        handed_over.append(len(refused))
        if len(handed_over) == 1:
            raise OSError("bucket gone")

    progress = order(posts=5)
    posting = Posting(
        progress,
        source=Source(),
        senders=new_senders(api, threading.Event()),
        batch_size=5,
        paced=False,
        stop=threading.Event(),
    )
    with pytest.raises(OSError, match="bucket gone"):
        posting.run(save)
    posting.save(save)

    assert handed_over == [15, 15]


class Clock(threading.Event):
    """Takes down every wait and makes it none."""

    def __init__(self):
        super().__init__()
        self.waits = []

    def wait(self, timeout=None):
        self.waits.append(timeout)
        return self.is_set()


def test_the_emulated_pace_waits_as_the_seeds_do_and_sends_each_post_alone(api):
    clock = Clock()
    random.seed(100)
    pauses = [(random.randrange(0, 2), random.randint(0, 11000))[0] for _ in range(15)]

    post(api, order(posts=15), paced=True, stop=clock, batch_size=10)

    assert clock.waits == pauses
    assert {len(request.records) for request in api.requests} == {1}
    assert api.keys(TOPICS["pin"]) == seeds_draws(100, 15)


def test_a_stop_ends_a_run_with_its_progress(api):
    stop = threading.Event()
    api.before = lambda request: stop.set() if len(api.requests) > 12 else None
    saved = Saved()

    with pytest.raises(PostingStoppedError, match="of 1000 posts"):
        post(api, order(posts=1000), saved=saved, stop=stop)

    assert 0 < saved.load().drawn < 1000
    assert saved.load().entities["pin"].acknowledged == len(api.keys(TOPICS["pin"]))
