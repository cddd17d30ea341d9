"""Kinesis' records in ministack: kept on disk, read by sequence number, resharded without loss.

ministack's own code keeps streams, tags, consumers and policies; what it does with records and shards is replaced:

- A record is in a journal before its writer gets the answer, and a stream's shards and settings are in ministack's
  state file before the caller who changed them gets the answer: a kill at any moment loses nothing acknowledged.
- Sequence numbers have 56 digits as on AWS, and only ever grow: across restarts, and when the clock is set back.
- An iterator holds a sequence number, not a position in a list: it skips nothing when older records expire, survives
  a restart, and is located without scanning the records. A call returns at most 10,000 records or 10 MiB.
- A split or merged shard stays readable until its last record has expired; then it disappears, as on AWS.
- An on-demand stream has four shards. ``UpdateStreamMode`` is supported.

``POST /_lab/kinesis/expire`` expires records on demand; see ``Kinesis.expire_now``.

Known differences from AWS: nothing is throttled; on-demand streams do not scale, but accept SplitShard and MergeShards;
ListShards lists all shards, whatever its filter; Lambda, Firehose and DynamoDB are not connected to streams.
"""

from __future__ import annotations

from lab.aws.kinesis.journal import Journal
from lab.aws.kinesis.service import Kinesis

__all__ = ["Journal", "Kinesis"]
