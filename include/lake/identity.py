"""Which lake it is: the schema, and the tables in it by Delta's own ids."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pydantic import BaseModel, ConfigDict

from include.identity import Difference, compare


class LakeIdentity(BaseModel):
    """``tables`` has the Delta id of every table of ours that was there; None if nobody has looked."""

    model_config = ConfigDict(frozen=True)

    catalog: str
    schema_name: str
    tables: dict[str, str] | None = None

    @property
    def name(self) -> str:
        return f"{self.catalog}.{self.schema_name}"

    def at(self, tables: Mapping[str, str]) -> LakeIdentity:
        return self.model_copy(update={"tables": dict(tables)})

    def completed(self, known: LakeIdentity | None) -> LakeIdentity:
        """With the tables that were known before."""
        if known is None or known.tables is None:
            return self
        return self.at({**known.tables, **(self.tables or {})})


def only(tables: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """Those of the tables that have one of these names."""
    return {name: identity for name, identity in tables.items() if name in names}


def lake_differences(remembered: LakeIdentity | None, found: LakeIdentity) -> list[Difference]:
    """Another schema is one difference; in the same schema, each known table that is another one or is gone.

    A lake whose tables nobody has looked at is compared by its name alone.
    """
    if remembered is None:
        return []
    if remembered.name != found.name:
        return [Difference("the lake", remembered.name, found.name)]
    return [] if found.tables is None else compare("table", remembered.tables or {}, found.tables)
