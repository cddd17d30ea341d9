"""Kinesis' records in ministack: kept on disk, read by sequence number, resharded without a loss.

ministack's own code keeps streams, tags, consumers and policies; what it does with records and shards is replaced:

- A record is in a journal before its writer has the answer, and a stream's shards and settings are in ministack's
  state file before the caller who changed them has his: a kill at any moment loses nothing that was acknowledged.
- Sequence numbers are 56 digits as AWS's, and only grow: over restarts, and when the clock is set back.
- An iterator knows a sequence number, not a place in a list: it skips nothing when older records expire, outlives a
  restart, and is found in many records without looking at each. A call returns 10,000 records or 10 MiB at most.
- A shard that is split or merged stays readable until its last record has expired; then it is gone, as on AWS.
- An on-demand stream has four shards. ``UpdateStreamMode`` is there.

``POST /_lab/kinesis/expire`` lets records expire on demand, see ``Kinesis.expire_now``.

Known differences from AWS: nothing is throttled; on-demand streams do not scale, but take SplitShard and MergeShards;
ListShards lists all shards, whatever its filter; Lambda, Firehose and DynamoDB are not connected to streams.
"""

from __future__ import annotations

from lab.aws.kinesis.journal import Journal
from lab.aws.kinesis.service import Kinesis

__all__ = ["Journal", "Kinesis"]
