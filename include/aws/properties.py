"""Java properties as the MSK Connect console accepts them: ``key=value`` lines, no escapes, no continuation."""

from __future__ import annotations


def parse_properties(text: str) -> dict[str, str]:
    """Parse properties. The last value of a key wins; blank lines and ``#`` lines are ignored.

    Raises ValueError for any other line without a ``=``.
    """
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
