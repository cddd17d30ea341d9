"""Which records a replay takes: by entity, reason, run and position; and the records that are given in their place."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from pinterest_lake.contract import ENTITIES, REASONS

RANGE = re.compile(r"^(?P<topic>[^:]+):(?P<partition>\d+):(?P<first>\d+)-(?P<last>\d+)$")


class ReplayError(ValueError):
    """A replay was asked for something that cannot be done. The message names the parameter, its value and what to
    give instead. Nothing was written."""


@dataclass(frozen=True)
class Span:
    """Offsets ``first`` to ``last`` of one partition, both included."""

    topic: str
    partition: int
    first: int
    last: int


@dataclass(frozen=True)
class Choice:
    """Empty filters choose everything.

    ``positions`` are ``<topic>:<partition>:<offset>``, ``<topic>:<partition>:<first>-<last>``, or, of a data stream,
    ``<data stream>:<shard id>@<sequence number>``. ``corrections`` hold by position the text of the record that is
    replayed in place of the original.
    """

    entities: tuple[str, ...] = ENTITIES
    reasons: tuple[str, ...] = ()
    run_ids: tuple[str, ...] = ()
    positions: tuple[str, ...] = ()
    corrections: Mapping[str, str] = field(default_factory=dict)
    max_replays: int = 3

    @property
    def spans(self) -> tuple[Span, ...]:
        found = (RANGE.match(position) for position in self.positions)
        return tuple(
            Span(one["topic"], int(one["partition"]), int(one["first"]), int(one["last"])) for one in found if one
        )

    def of_quarantine(self) -> Column:
        """True for rows of quarantine (with their ``position``) that the filters choose."""
        chosen = F.lit(True)
        if self.reasons:
            chosen &= F.col("reason").isin(*self.reasons)
        if self.run_ids:
            chosen &= F.col("run_id").isin(*self.run_ids)
        return chosen & self.at_positions()

    def at_positions(self) -> Column:
        """True for rows (topic, partition, offset, position) at one of the positions; for all, if none is given."""
        if not self.positions:
            return F.lit(True)
        single = [position for position in self.positions if not RANGE.match(position)]
        chosen = F.coalesce(F.col("position").isin(*single), F.lit(False)) if single else F.lit(False)
        for span in self.spans:
            chosen |= F.coalesce(
                (F.col("topic") == span.topic)
                & (F.col("partition") == span.partition)
                & F.col("offset").between(span.first, span.last),
                F.lit(False),
            )
        return chosen


def position() -> Column:
    """Where a record was, as a text; null for one without a position, which nothing can be sorted by."""
    of_kafka = F.concat_ws(":", "topic", "partition", "offset")
    of_kinesis = F.concat_ws(":", "topic", "object")
    return (
        F.when(F.col("topic").isNotNull() & F.col("offset").isNotNull(), of_kafka)
        .when(F.col("topic").isNotNull() & F.col("object").contains("@"), of_kinesis)
        .alias("position")
    )


def read_choice(spark: SparkSession, root: str, given: Mapping[str, str]) -> Choice:
    """The notebook's parameters as a choice. ``root`` is the bucket's URI, in which ``corrections`` is a key.

    Raises ReplayError if a parameter, or the file of corrections, is not what it must be.
    """
    entities, reasons = _texts(given, "entities"), _texts(given, "reasons")
    _known("entities", entities, ENTITIES)
    _known("reasons", reasons, tuple(sorted(REASONS)))
    max_replays = given["max_replays"]
    if not max_replays.isdigit() or int(max_replays) < 1:
        raise ReplayError(f"notebook parameter max_replays: got {max_replays!r}, expected a number from 1 on")
    key = given["corrections"]
    return Choice(
        entities=entities or ENTITIES,
        reasons=reasons,
        run_ids=_texts(given, "run_ids"),
        positions=_texts(given, "positions"),
        corrections=_read_corrections(spark, f"{root.rstrip('/')}/{key}") if key else {},
        max_replays=int(max_replays),
    )


def parse_corrections(text: str, uri: str) -> dict[str, str]:
    """``{position: record}``: a record is a JSON object, or its text."""
    try:
        content: Any = json.loads(text)
    except ValueError as error:
        raise ReplayError(f"corrections {uri!r} is not JSON: {error}") from error
    if not isinstance(content, dict) or not content:
        raise ReplayError(f"corrections {uri!r}: expected a JSON object of records by position, and at least one")
    wrong = [position for position, record in content.items() if not isinstance(record, (dict, str))]
    if wrong:
        raise ReplayError(f"corrections {uri!r}: the record of {wrong[0]!r} must be an object, or its text")
    return {
        position: record if isinstance(record, str) else json.dumps(record, ensure_ascii=False)
        for position, record in content.items()
    }


def _read_corrections(spark: SparkSession, uri: str) -> dict[str, str]:
    try:
        found = spark.read.text(uri, wholetext=True).first()
    except PySparkException as error:
        raise ReplayError(f"corrections {uri!r} cannot be read: {str(error).partition(chr(10))[0]}") from error
    return parse_corrections(found.value if found else "", uri)


def with_text(rows: DataFrame, corrections: DataFrame) -> DataFrame:
    """Rows (with their ``position``) with ``given``: the record that is given in their place, or null."""
    return rows.join(F.broadcast(corrections.withColumnRenamed("record", "given")), "position", "left")


def _texts(given: Mapping[str, str], name: str) -> tuple[str, ...]:
    try:
        texts = json.loads(given[name] or "[]")
    except ValueError:
        texts = None
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ReplayError(f"notebook parameter {name}: got {given[name]!r}, expected a JSON array of texts")
    return tuple(texts)


def _known(name: str, texts: tuple[str, ...], known: tuple[str, ...]) -> None:
    unknown = [text for text in texts if text not in known]
    if unknown:
        raise ReplayError(f"notebook parameter {name}: got {unknown[0]!r}, expected some of {', '.join(known)}")
