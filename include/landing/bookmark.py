"""How far the lake has loaded every partition: where the next run starts."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import Field, TypeAdapter

from include.identity import Difference, compare
from include.lake.identity import LakeIdentity, lake_differences
from include.landing.document import Document, Offset


class Place(Document):
    """How far a partition is loaded. ``object`` holds the last loaded offset; a listing continues there, inclusive."""

    next_offset: Offset
    object: str | None = None

    def after(self, next_offset: int) -> Place:
        """Further on without a new object: everything in between was dead letters."""
        return Place(next_offset=next_offset, object=self.object)


type Places = dict[str, dict[str, Place]]
"""By topic and partition."""

PLACES: TypeAdapter[Places] = TypeAdapter(dict[str, dict[str, Place]])


class Bookmark(Document):
    """How far each partition is loaded, and which cluster, topics and lake that is true of.

    ``topic_ids`` has every id that Kafka gave to a topic of this name, the present one last. The bookmark of an earlier
    version knows no identities; it gets those that its next run finds. ``cluster_removed``: a teardown has removed the
    cluster, so that another one with other topics is expected.
    """

    cluster: str | None = None
    cluster_removed: bool = False
    topic_ids: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    lake: LakeIdentity | None = None
    topics: Places = Field(default_factory=dict)

    def place(self, topic: str, partition: int) -> Place | None:
        return self.topics.get(topic, {}).get(str(partition))

    def topic_id(self, topic: str) -> str | None:
        known = self.topic_ids.get(topic)
        return known[-1] if known else None

    def stored_as(self, topic: str) -> str:
        """The topic's name in the lake.

        A topic that was made again starts at offset 0 again, so its id makes the name another one: no offset of it
        meets the same offset of the topic before.
        """
        known = self.topic_ids.get(topic, ())
        return f"{topic}#{known[-1]}" if len(known) > 1 else topic

    def kafka_differences(self, cluster: str, topic_ids: Mapping[str, str]) -> list[Difference]:
        """Topics that are others than the remembered ones. If the whole cluster is another one, only that."""
        known = {topic: ids[-1] for topic, ids in self.topic_ids.items() if ids}
        differences = compare("topic", known, topic_ids)
        if differences and self.cluster not in (None, cluster):
            return [Difference("the Kafka cluster", str(self.cluster), cluster)]
        return differences

    def without_cluster(self) -> Bookmark:
        """The bookmark after a teardown has removed the cluster with all topics."""
        return self.model_copy(update={"cluster_removed": True})

    def expects(self, cluster: str) -> bool:
        """Whether this cluster may have other topics, because the one before is gone as it should be."""
        return self.cluster_removed and self.cluster != cluster

    def lake_differences(self, found: LakeIdentity) -> list[Difference]:
        return lake_differences(self.lake, found)

    def renewed_topics(self, topic_ids: Mapping[str, str]) -> list[str]:
        """Topics that were deleted and made again."""
        return [topic for topic, found in topic_ids.items() if self.topic_id(topic) not in (None, found)]

    def of_topics(self, cluster: str, topic_ids: Mapping[str, str]) -> Bookmark:
        """The bookmark of the topics that were found. The places of those that were made again are forgotten."""
        forgotten = self.renewed_topics(topic_ids)
        known = {topic: self.topic_ids.get(topic, ()) for topic in topic_ids}
        ids = {t: known[t] if known[t][-1:] == (found,) else (*known[t], found) for t, found in topic_ids.items()}
        places = {topic: places for topic, places in self.topics.items() if topic not in forgotten}
        found = {"cluster": cluster, "cluster_removed": False, "topic_ids": {**self.topic_ids, **ids}}
        return self.model_copy(update={**found, "topics": places})

    def in_lake(self, lake: LakeIdentity) -> Bookmark:
        """The bookmark of the lake that was found. If it is another one, all places are forgotten."""
        if self.lake_differences(lake):
            return self.model_copy(update={"lake": lake, "topics": {}})
        return self.model_copy(update={"lake": lake.completed(self.lake)})

    def without_objects(self, topics: Collection[str]) -> Bookmark:
        """The same places, with nothing known of the objects of these topics: listings begin with the first one."""
        places = {
            topic: {n: Place(next_offset=one.next_offset) for n, one in of_topic.items()}
            if topic in topics
            else of_topic
            for topic, of_topic in self.topics.items()
        }
        return self.model_copy(update={"topics": places})

    def advanced(self, loaded: Places, tables: Mapping[str, str] | None = None) -> Bookmark:
        """The bookmark after a load. It never goes back, so two runs that end in another order do no harm."""
        merged = {topic: dict(places) for topic, places in self.topics.items()}
        for topic, places in loaded.items():
            for partition, place in places.items():
                known = merged.setdefault(topic, {}).get(partition)
                if known is None or place.next_offset > known.next_offset:
                    merged[topic][partition] = (
                        place if place.object or known is None else known.after(place.next_offset)
                    )
        lake = self.lake.at(tables).completed(self.lake) if self.lake and tables else self.lake
        return self.model_copy(update={"topics": merged, "lake": lake})


def parse_bookmark(text: str | bytes | None) -> Bookmark:
    """An empty bookmark where there is none yet. Bookmarks of earlier versions held only the places."""
    if text is None:
        return Bookmark()
    if "topics" in json.loads(text):
        return Bookmark.model_validate_json(text)
    return Bookmark(topics=PLACES.validate_json(text))


def loaded_places(exit_json: Any) -> Places:
    """How far the load notebook says that it has loaded."""
    return PLACES.validate_python(exit_json)
