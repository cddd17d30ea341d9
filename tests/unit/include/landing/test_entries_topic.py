"""The hop ``topic``: what the broker holds against what the REST API acknowledged to the run."""

from __future__ import annotations

from include.landing.entries import topic_entry
from include.landing.interval import PartitionRange, TopicRanges
from include.ledger.verdict import reconcile
from include.posting.progress import PostingProgress, Settled


def posted(*places: tuple[int, int]) -> PostingProgress:
    """A run whose rows of pin were acknowledged at these partitions and offsets."""
    progress = PostingProgress(dag_id="d", run_id="r", seed=100, first_draw=0, posts=max(1, len(places)))
    if places:
        progress.hand_out("pin", range(len(places)), [])
        progress.settle("pin", Settled(acknowledged=dict(enumerate(places))))
    return progress


def on_broker(**partitions: tuple[int, int]) -> TopicRanges:
    """``p0=(5, 8)``: partition 0 accounts for offsets 5 to 7."""
    return TopicRanges(
        topic="u.pin",
        partitions={int(name[1:]): PartitionRange(start=a, stop=b) for name, (a, b) in partitions.items()},
    )


def counted(topic: TopicRanges, progress: PostingProgress):
    entry = topic_entry("r", "pin", topic, progress, "the consumer")
    verdict = reconcile([entry], "r", hops={"batch": ("topic",)}, entities=("pin",))
    return entry, verdict.finding("batch", "pin", "topic")


def test_what_was_acknowledged_is_on_the_broker():
    entry, finding = counted(on_broker(p0=(5, 8), p1=(0, 1)), posted((0, 5), (0, 6), (0, 7), (1, 0)))

    assert (entry.hop, entry.entity, entry.route, entry.run_id) == ("topic", "pin", "batch", "r")
    assert (entry.records_in, entry.extra, entry.records_out) == (4, 0, 4)
    assert (entry.first, entry.last, entry.positions) == ("p0@5", "p1@0", ())
    assert entry.counted_by == "the consumer"
    assert finding.status == "reconciled"


def test_records_of_others_are_extra():
    entry, finding = counted(on_broker(p0=(2, 10), p1=(0, 4)), posted((0, 5), (0, 7)))

    assert (entry.records_in, entry.extra, entry.records_out) == (2, 10, 12)
    assert finding.status == "reconciled"


def test_an_acknowledged_offset_that_the_broker_lacks_is_lost_and_named():
    entry, finding = counted(on_broker(p0=(0, 6), p1=(3, 5)), posted((0, 4), (0, 5), (0, 6), (0, 7), (1, 2), (1, 3)))

    assert (entry.records_in, entry.records_out, entry.extra) == (6, 8, 5)
    assert entry.positions == ("p0@6-7", "p1@2")
    assert (finding.status, finding.records) == ("lost", 3)


def test_extra_in_one_partition_does_not_hide_a_loss_in_another():
    entry, finding = counted(on_broker(p0=(0, 3), p1=(0, 1)), posted((0, 0), (1, 0), (1, 1)))

    assert (entry.records_in, entry.records_out, entry.extra) == (3, 4, 2)
    assert (finding.status, finding.records, entry.positions) == ("lost", 1, ("p1@1",))


def test_a_run_that_posted_nothing_to_empty_partitions_has_no_first_record():
    entry, finding = counted(on_broker(p0=(7, 7), p1=(0, 0)), posted())

    assert (entry.records_in, entry.extra, entry.records_out, entry.first, entry.last) == (0, 0, 0, None, None)
    assert finding.status == "reconciled"


def test_an_empty_partition_is_not_the_first():
    entry, _ = counted(on_broker(p0=(7, 7), p1=(2, 4), p2=(9, 9)), posted((1, 2), (1, 3)))

    assert (entry.first, entry.last) == ("p1@2", "p1@3")
