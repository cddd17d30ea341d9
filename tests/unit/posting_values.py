"""Values that a posting run may and may not be asked for."""

from __future__ import annotations

GOOD = [
    ("posts", 1),
    ("posts", 1_000_000),
    ("seed", 0),
    ("seed", 2**32 - 1),
    ("start", "continue"),
    ("start", "0"),
    ("start", 0),
    ("start", 12345),
    ("pace", "none"),
    ("pace", "emulated"),
    ("batch_size", 1),
    ("batch_size", 5000),
]


BAD = [
    ("posts", 0),
    ("posts", 1_000_001),
    ("posts", -5),
    ("posts", "many"),
    ("posts", None),
    ("posts", 1.5),
    ("seed", -1),
    ("seed", 2**32),
    ("seed", "x"),
    ("start", "resume"),
    ("start", ""),
    ("start", "-1"),
    ("start", -1),
    ("start", "1e3"),
    ("start", 100_000_000),
    ("pace", "fast"),
    ("pace", None),
    ("batch_size", 0),
    ("batch_size", 5001),
]
