"""Java properties as the console of MSK Connect takes them: ``key=value`` lines, no escapes, no continuation."""

from __future__ import annotations


def parse_properties(text: str) -> dict[str, str]:
    """The last line of a key wins. Empty lines and ``#`` lines are left out; any other line needs a ``=``."""
    properties: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        key, separator, value = line.partition("=")
        if not separator or not key.strip():
            raise ValueError(f"Properties, line {number}: expected key=value, got {line!r}")
        properties[key.strip()] = value.strip()
    return properties
