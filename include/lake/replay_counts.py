"""What the replay notebook counted: as ledger entries, and as the lines that a dry run prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from include.lake.batch_counts import LakeCountError
from include.lake.contract import REPLAY, SILVER, silver_table
from include.ledger.entry import Entry, Hop
from include.settings import ENTITIES, Entity

NOTHING: Mapping[str, Any] = {"records": 0, "passing": 0, "staying": {}, "inserted": 0, "updated": 0, "duplicates": 0}
COUNTS = ("records", "passing", "staying", "inserted", "updated", "duplicates")

type Figures = Mapping[str, Any]


def replayed(exit_json: Mapping[str, Any]) -> dict[Entity, Figures]:
    """What became of each entity's records. Raises LakeCountError if the notebook did not say."""
    found: Mapping[str, Figures] = (exit_json.get("replay") or {}).get("entities") or {}
    lacking = [f"{entity}: {name}" for entity, figures in found.items() for name in COUNTS if figures.get(name) is None]
    if lacking or not found:
        raise LakeCountError(f"Notebook {REPLAY} did not count {', '.join(lacking) or 'anything'}")
    return {entity: found.get(entity, NOTHING) for entity in ENTITIES}


def replay_entries(run_id: str, exit_json: Mapping[str, Any]) -> dict[Hop, list[Entry]]:
    """The hops ``chosen`` (what was looked at, what passes) and ``replayed`` (what the lake holds of that). An entity
    that the run did not take has zeros."""
    what = (exit_json.get("replay") or {}).get("what")
    figures = replayed(exit_json)
    return {
        "chosen": [
            Entry(
                route="replay",
                hop="chosen",
                entity=entity,
                run_id=run_id,
                records_in=of["records"],
                records_out=of["passing"],
                quarantined=sum(of["staying"].values()),
                remark=next(_remarks(entity, of), None),
                counted_by=f"notebook {REPLAY}: rows of {'bronze' if what == SILVER else 'quarantine'}, judged again",
            )
            for entity, of in figures.items()
        ],
        "replayed": [
            Entry(
                route="replay",
                hop="replayed",
                entity=entity,
                run_id=run_id,
                records_in=of["passing"],
                records_out=of.get("rows", of["inserted"] + of["updated"]),
                duplicates=of["duplicates"],
                counted_by=f"notebook {REPLAY}: rows of {silver_table(entity)}, Delta's commit metrics",
            )
            for entity, of in figures.items()
        ],
    }


def told(exit_json: Mapping[str, Any]) -> list[str]:
    """What the run did, or would do, a line for each entity and for each record that is listed."""
    would = "would be " if exit_json["replay"]["dry_run"] else ""
    earlier = exit_json["replay"].get("converted")
    lines = [f"{', '.join(earlier)}: {would or 'was '}converted to today's columns, in one commit"] if earlier else []
    for entity, of in replayed(exit_json).items():
        staying = ", ".join(f"{count:,} {reason}" for reason, count in sorted(of["staying"].items())) or "none"
        more = "".join(f", {of[name]:,} {name}" for name in ("deleted", "released", "reopened", "kept") if of.get(name))
        lines.append(
            f"{entity}: {of['records']:,} records; {of['passing']:,} pass, {of['inserted']:,} {would}added, "
            f"{of['updated']:,} replaced{more}, {of['duplicates']:,} change nothing; still refused: {staying}"
        )
        lines += [f"  {_line(record, would)}" for record in of.get("listed", ())]
        lines += [f"  {remark}" for remark in _remarks(entity, of)]
    return lines


def _line(record: Mapping[str, Any], would: str) -> str:
    where = record["position"] or record["object"]
    corrected = ", with its correction" if record["corrected"] else ""
    if record["stays"]:
        return f"{where} ({record['was']}) stays{corrected}: {record['stays']}: {record['because']}"
    return f"{where} ({record['was']}) {would or 'was '}replayed{corrected}"


def _remarks(entity: Entity, of: Figures) -> Iterator[str]:
    if of.get("kept"):
        yield (
            f"{silver_table(entity)}: {of['kept']:,} rows cannot be made anew, because bronze does not hold their "
            "records: they stay as they are"
        )
