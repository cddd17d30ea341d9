"""Whether what is installed is new enough."""

from __future__ import annotations

from collections.abc import Iterator

from include.doctor.remark import Finding

OLDEST_KAFKA = (4, 2)
OLDEST_JAVA = (17,)
"""As the scripts in ``templates/kafka_client`` want them."""


def of_client_machine(said: str) -> Iterator[Finding]:
    """The client machine's Java and Kafka, by lines ``java 21`` and ``kafka 4.3.1``; a run installs what is missing."""
    found = dict(line.split(" ", 1) for line in said.splitlines() if " " in line)
    for name, oldest, setting in (("kafka", OLDEST_KAFKA, "downloads.kafka"), ("java", OLDEST_JAVA, "downloads.java")):
        version = found.get(name, "")
        if version and _parts(version) < oldest:
            wanted = ".".join(map(str, oldest))
            yield Finding(
                f"the client machine has {name.capitalize()} {version}; it must be {wanted} or newer",
                f"set {setting} to a newer archive, and run pinterest_pipeline",
            )


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
