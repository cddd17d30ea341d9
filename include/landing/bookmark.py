"""How far the lake has loaded every partition: where the next run starts."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from include.landing.document import Document, Offset


class Place(Document):
    """How far a partition is loaded. ``object`` holds the last loaded offset; a listing goes on there, inclusive."""

    next_offset: Offset
    object: str | None = None

    def after(self, next_offset: int) -> Place:
        """Further on without a new object: everything in between was dead letters."""
        return Place(next_offset=next_offset, object=self.object)


type Bookmark = dict[str, dict[str, Place]]

BOOKMARK: TypeAdapter[Bookmark] = TypeAdapter(dict[str, dict[str, Place]])


def advance(bookmark: Bookmark, loaded: Bookmark) -> Bookmark:
    """The bookmark after a load. It never goes back, so two runs that end in another order do no harm."""
    merged = {topic: dict(places) for topic, places in bookmark.items()}
    for topic, places in loaded.items():
        for partition, place in places.items():
            known = merged.setdefault(topic, {}).get(partition)
            if known is None or place.next_offset > known.next_offset:
                merged[topic][partition] = place if place.object or known is None else known.after(place.next_offset)
    return merged


def dump_bookmark(bookmark: Bookmark) -> str:
    return BOOKMARK.dump_json(bookmark, indent=1).decode()


def parse_bookmark(text: str | bytes | None) -> Bookmark:
    """An empty bookmark where there is none yet."""
    return {} if text is None else BOOKMARK.validate_json(text)


def loaded_bookmark(exit_json: Any) -> Bookmark:
    """The bookmark that the load notebook returned."""
    return BOOKMARK.validate_python(exit_json)
