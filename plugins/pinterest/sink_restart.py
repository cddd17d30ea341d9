"""Makes the S3 sink write topics again, from their first record."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from include import bucket_layout
from include.settings import Settings
from pinterest.hooks.kafka_tools import KafkaToolsHook
from pinterest.hooks.msk_connect import MskConnectHook

log = logging.getLogger(__name__)

COPIES = 16


@dataclass(frozen=True)
class SinkRestart:
    """Objects that another topic of the same name, or another connector, has left cannot be told from the sink's own.

    So the connector is deleted, what lies under its topics is set aside, and its consumer group is set to the topics'
    beginning. The next connector of that name writes everything that the topics hold. Each step can be repeated.

    :param s3: a boto3 client
    :param script: ``restart_group.sh``, rendered
    """

    settings: Settings
    connect: MskConnectHook
    kafka: KafkaToolsHook
    s3: Any
    script: str
    waiter_delay: int = 5
    waiter_max_attempts: int = 360

    def restart(self, topics: Mapping[str, str]) -> int:
        """Set aside what is under each topic, under ``set_aside/<label>/``. Returns the number of objects.

        :param topics: labels by topic
        """
        self._delete_connector()
        moved = sum(self._set_aside(bucket_layout.topic_prefix(topic), label) for topic, label in topics.items())
        places = ", ".join(sorted({bucket_layout.set_aside(label, "") for label in topics.values()}))
        log.warning("%d objects of s3://%s are now under %s", moved, self.settings.bucket, places)
        self.kafka.run(
            self.script,
            {"GROUP": f"connect-{self.settings.connector}", "TOPICS": " ".join(topics), "WAIT_SECONDS": "180"},
        ).check("Setting the sink's group to the beginning of the topics")
        return moved

    def _delete_connector(self) -> None:
        found = self.connect.find_connector(self.settings.connector)
        if found is not None:
            log.warning("Deleting connector %s, so that its topics are written again", self.settings.connector)
            self.connect.delete_connector(
                found, waiter_delay=self.waiter_delay, waiter_max_attempts=self.waiter_max_attempts
            )

    def _set_aside(self, prefix: str, label: str) -> int:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.settings.bucket, Prefix=prefix)
        keys: Iterable[str] = [item["Key"] for page in pages for item in page.get("Contents", [])]
        with ThreadPoolExecutor(COPIES) as copies:
            return len(list(copies.map(partial(self._move, label), keys)))

    def _move(self, label: str, key: str) -> None:
        bucket = self.settings.bucket
        self.s3.copy_object(
            Bucket=bucket, Key=bucket_layout.set_aside(label, key), CopySource={"Bucket": bucket, "Key": key}
        )
        self.s3.delete_object(Bucket=bucket, Key=key)
