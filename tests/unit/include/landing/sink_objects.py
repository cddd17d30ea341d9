"""Objects as the sink writes them to one partition, the interval and its dead letters."""

from __future__ import annotations

import base64
import json

from include.bucket_layout import SinkObject, sink_object
from include.landing.dead_letters import DeadLetter
from include.landing.interval import Interval, PartitionRange, TopicRanges
from include.landing.objects import ListedObject, scan, split_lines

TOPIC = "u.pin"


def line(offset, topic=TOPIC, partition=0, **fields):
    """A line of the sink's: the record's bytes, and its position."""
    return record_line(json.dumps({"index": offset}).encode(), offset, topic, partition, **fields)


def record_line(record, offset, topic=TOPIC, partition=0, **fields):
    value = None if record is None else base64.b64encode(record).decode()
    position = {"_topic": topic, "_partition": partition, "_offset": offset}
    return json.dumps({"_value": value, **position, **fields}, separators=(",", ":")).encode()


def earlier_line(offset, topic=TOPIC, partition=0, **fields):
    """A line of earlier connectors: the record's own fields beside its position."""
    return json.dumps({"index": offset, "_topic": topic, "_partition": partition, "_offset": offset, **fields}).encode()


def landed(first, lines, partition=0):
    key = sink_object(TOPIC, partition, first)
    content = b"".join(one + b"\n" for one in lines)
    chunks = [content[i : i + 7] for i in range(0, len(content), 7)]
    return scan(ListedObject(key, '"etag"', len(content)), SinkObject(TOPIC, partition, first), split_lines(chunks))


def holds(first, last):
    return landed(first, [line(offset) for offset in range(first, last + 1)])


def interval(stop=10, start=0):
    topic = TopicRanges(topic=TOPIC, partitions={0: PartitionRange(start=start, stop=stop)})
    return Interval(topics={"pin": topic})


def letter(offset, number, partition=0, topic=TOPIC):
    return DeadLetter((0, number), topic, partition, offset, None, b"x", "")
