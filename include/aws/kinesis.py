"""Requests to Kinesis: how to create a data stream, and what to change until it matches its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from include.aws.ownership import given

MODES = {"on_demand": "ON_DEMAND", "provisioned": "PROVISIONED"}


class Change(NamedTuple):
    """One call that brings a data stream closer to its settings. ``what`` names the old and the new value."""

    what: str
    operation: str
    arguments: dict[str, Any]


def create_request(name: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of ``CreateStream``. Retention and encryption can only be set afterward.

    :param wanted: ``mode``, ``shards``, ``retention_hours``, ``encryption``, ``kms_key`` and ``tags``, as
        :class:`~pinterest.operators.kinesis.KinesisCreateStreamOperator` takes them
    """
    mode = wanted["mode"] or "provisioned"
    shards = {"ShardCount": int(wanted["shards"])} if mode == "provisioned" else {}
    details = {"StreamMode": MODES[mode]}
    return {"StreamName": name, "StreamModeDetails": details, **shards, "Tags": given(wanted["tags"])}


def next_change(stream: Mapping[str, Any], wanted: Mapping[str, Any]) -> Change | None:
    """The next change to an ACTIVE data stream, given its ``DescribeStreamSummary``; None if it matches ``wanted``.

    With an empty ``mode``, its mode and its shards are left as they are.
    """
    return _mode(stream, wanted) or _shards(stream, wanted) or _retention(stream, wanted) or _encryption(stream, wanted)


def _mode(stream: Mapping[str, Any], wanted: Mapping[str, Any]) -> Change | None:
    found = stream.get("StreamModeDetails", {}).get("StreamMode", "PROVISIONED")
    mode = MODES.get(wanted["mode"], found)
    if found == mode:
        return None
    arguments = {"StreamARN": stream["StreamARN"], "StreamModeDetails": {"StreamMode": mode}}
    return Change(f"mode {found} → {mode}", "update_stream_mode", arguments)


def _shards(stream: Mapping[str, Any], wanted: Mapping[str, Any]) -> Change | None:
    """Kinesis can at most double or halve the shard count in one step."""
    found, shards = int(stream["OpenShardCount"]), int(wanted["shards"])
    if wanted["mode"] != "provisioned" or found == shards:
        return None
    step = min(max(shards, -(-found // 2)), found * 2)
    return Change(
        f"shards {found} → {step}",
        "update_shard_count",
        {"StreamName": stream["StreamName"], "TargetShardCount": step, "ScalingType": "UNIFORM_SCALING"},
    )


def _retention(stream: Mapping[str, Any], wanted: Mapping[str, Any]) -> Change | None:
    found, hours = int(stream["RetentionPeriodHours"]), int(wanted["retention_hours"])
    if found == hours:
        return None
    longer, shorter = "increase_stream_retention_period", "decrease_stream_retention_period"
    return Change(
        f"retention {found} → {hours} hours",
        longer if hours > found else shorter,
        {"StreamName": stream["StreamName"], "RetentionPeriodHours": hours},
    )


def _encryption(stream: Mapping[str, Any], wanted: Mapping[str, Any]) -> Change | None:
    """Kinesis may describe a key by its ARN, which ends with the requested alias."""
    name, key = stream["StreamName"], str(stream.get("KeyId") or "none")
    encrypted = stream.get("EncryptionType", "NONE") == "KMS"
    if wanted["encryption"] == "none":
        arguments = {"StreamName": name, "EncryptionType": "KMS", "KeyId": key}
        return Change(f"encryption {key} → none", "stop_stream_encryption", arguments) if encrypted else None
    if encrypted and key.endswith(wanted["kms_key"]):
        return None
    return Change(
        f"encryption {key} → {wanted['kms_key']}",
        "start_stream_encryption",
        {"StreamName": name, "EncryptionType": "KMS", "KeyId": wanted["kms_key"]},
    )
