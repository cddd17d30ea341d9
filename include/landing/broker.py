"""What the broker holds of each partition."""

from __future__ import annotations

from collections.abc import Iterable

from include.landing.document import BrokerNotReadyError, Document, Offset


class LogOffsets(Document):
    """What the broker keeps of one partition: offsets from ``earliest`` to before ``end``."""

    earliest: Offset
    end: Offset


type BrokerOffsets = dict[str, dict[int, LogOffsets]]


def parse_topic_ids(lines: Iterable[str]) -> dict[str, str]:
    """Read the lines ``topic <name> <id>`` of ``topic_ids.sh``; others are skipped."""
    words = (line.split() for line in lines)
    return {found[1]: found[2] for found in words if len(found) == 3 and found[0] == "topic"}


def parse_log_offsets(lines: Iterable[str]) -> BrokerOffsets:
    """Read the lines ``earliest <topic>:<partition>:<offset>`` and ``latest …``; others are skipped.

    Raises LandingError if a partition has no leader.
    """
    found: dict[str, dict[int, dict[str, int]]] = {}
    for line in lines:
        which, _, rest = line.strip().partition(" ")
        if which not in ("earliest", "latest"):
            continue
        topic, partition, offset = rest.rsplit(":", 2)
        if not offset:
            raise BrokerNotReadyError(
                f"{topic} partition {partition} has no leader: the broker cannot say its {which} offset"
            )
        found.setdefault(topic, {}).setdefault(int(partition), {})[which] = int(offset)
    return {
        topic: {
            partition: LogOffsets(earliest=both.get("earliest", 0), end=both["latest"])
            for partition, both in sorted(partitions.items())
            if "latest" in both
        }
        for topic, partitions in found.items()
    }
