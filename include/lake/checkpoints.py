"""Which data streams the checkpoints of the streaming queries belong to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict

from include.identity import Difference
from include.lake.identity import LakeIdentity, lake_differences
from include.settings import Entity


class DataStream(BaseModel):
    """A data stream as Kinesis knows it. One that was deleted and made again has another time of creation."""

    model_config = ConfigDict(frozen=True)

    name: str
    arn: str
    created_at: str

    @property
    def identity(self) -> str:
        return f"{self.arn} created at {self.created_at}"


class Checkpoint(BaseModel):
    """The folder of a streaming query's checkpoint, and the data stream that it has read so far."""

    model_config = ConfigDict(frozen=True)

    name: str
    data_stream: DataStream


class Checkpoints(BaseModel):
    """All checkpoints, and the lake that holds what was read. Empty before the first run, and for earlier versions.

    A checkpoint says how far a data stream has been read. It does not hold for another data stream of that name, nor
    for a lake that lacks what was read.
    """

    model_config = ConfigDict(frozen=True)

    lake: LakeIdentity | None = None
    entities: dict[Entity, Checkpoint] = {}
    removed: frozenset[Entity] = frozenset()
    """Entities whose data streams a teardown has removed: others of their names are expected."""

    def differences(self, found: Mapping[Entity, DataStream], lake: LakeIdentity) -> list[Difference]:
        return self.data_stream_differences(found) + lake_differences(self.lake, lake)

    def data_stream_differences(self, found: Mapping[Entity, DataStream]) -> list[Difference]:
        return [
            Difference(f"data stream {known.data_stream.name}", known.data_stream.identity, found[entity].identity)
            for entity, known in self.entities.items()
            if entity in found and found[entity] != known.data_stream and entity not in self.removed
        ]

    def reading(self, found: Mapping[Entity, DataStream], *, occasion: str) -> Checkpoints:
        """The checkpoints of the data streams that were found: a new one for each that is another data stream.

        :param occasion: makes the names of new checkpoints, the same for the same occasion
        """
        entities = {
            entity: known
            if (known := self.entities.get(entity)) and known.data_stream == one
            else _checkpoint(one, occasion if entity in self.entities else "")
            for entity, one in found.items()
        }
        removed = self.removed.difference(found)
        return self.model_copy(update={"entities": {**self.entities, **entities}, "removed": removed})

    def expecting_others(self, entities: Iterable[Entity]) -> Checkpoints:
        """The checkpoints after a teardown has removed the data streams of these entities."""
        return self.model_copy(
            update={"removed": self.removed.union(entity for entity in entities if entity in self.entities)}
        )

    def without_lake(self) -> Checkpoints:
        """The checkpoints after a teardown has deleted the tables: all that is there next is new."""
        return self.model_copy(update={"lake": None})

    def in_lake(self, lake: LakeIdentity, *, occasion: str) -> Checkpoints:
        """The checkpoints of the lake that was found. If it is another one, all of them are new."""
        if not lake_differences(self.lake, lake):
            return self.model_copy(update={"lake": lake.completed(self.lake)})
        entities = {entity: _checkpoint(known.data_stream, occasion) for entity, known in self.entities.items()}
        return self.model_copy(update={"lake": lake, "entities": entities})

    @property
    def names(self) -> dict[Entity, str]:
        return {entity: checkpoint.name for entity, checkpoint in self.entities.items()}


def _checkpoint(data_stream: DataStream, occasion: str) -> Checkpoint:
    """A new checkpoint. The first one of a data stream, without an occasion, is named after it."""
    if not occasion:
        return Checkpoint(name=data_stream.name, data_stream=data_stream)
    digest = hashlib.sha256(f"{occasion} {data_stream.identity}".encode()).hexdigest()[:12]
    return Checkpoint(name=f"{data_stream.name}@{digest}", data_stream=data_stream)
