"""The dead-letter topic, read by the console consumer on the client machine."""

from __future__ import annotations

from include.landing.console_consumer import Framing, parse_partitions
from include.landing.dead_letters import DeadLetters
from pinterest.hooks.kafka_tools import KafkaToolsHook


class DeadLetterTopic:
    """Reads what is new on the topic, at most ``limit`` records of each partition at a time.

    :param script: ``read_dead_letters.sh``, rendered
    :param idle_seconds: how long the consumer waits for the next record
    """

    def __init__(self, hook: KafkaToolsHook, script: str, *, limit: int, idle_seconds: int) -> None:
        self.hook = hook
        self.script = script
        self.limit = limit
        self.idle_seconds = idle_seconds

    def read_new(self, letters: DeadLetters) -> None:
        """Add every letter from ``letters.next_offsets`` to the end of the topic.

        Raises KafkaClientError if the script fails, ConsoleConsumerError if a record is missing or cut off.
        """
        while printed := self._read(letters):
            for partition in parse_partitions(*printed, letters.topic):
                letters.add(partition)

    def _read(self, letters: DeadLetters) -> tuple[str, Framing] | None:
        """What the script printed; None for nothing."""
        framing = Framing.draw()
        completed = self.hook.run(
            self.script,
            {
                "TOPIC": letters.topic,
                "POSITIONS": "\n".join(f"{number} {offset}" for number, offset in letters.next_offsets.items()),
                "LIMIT": str(self.limit),
                "IDLE_SECONDS": str(self.idle_seconds),
                **framing.environment(),
            },
            quiet=True,
        ).check("Reading the dead letters")
        return (completed.stdout, framing) if completed.stdout.strip() else None
