"""What the documents of this package share, and the error that the package raises."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from include.faults import LastingError

Offset = Annotated[int, Field(ge=0)]


class LandingError(LastingError, RuntimeError):
    """Kafka, the bucket and the bookmark contradict each other. The message names topic, partition and offsets."""


class BrokerNotReadyError(RuntimeError):
    """The broker cannot say yet what it holds."""


class Document(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


def dump(document: BaseModel) -> str:
    return document.model_dump_json(by_alias=True, indent=1)
