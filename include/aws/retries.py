"""How long a call of AWS is tried again while the service throttles, or cannot be reached."""

from __future__ import annotations

from typing import Any

RETRIES: dict[str, Any] = {"mode": "standard", "total_max_attempts": 16}
"""For botocore's ``Config``. The waits between the attempts double up to 20 seconds, each shortened at random: two
minutes on average, and at least one in 999 of 1000 calls. By default, botocore gives up after seven seconds.

A minute is what AWS may take: API Gateway deletes one API in 30 seconds and changes one usage plan in 20. A client that
has tried again a hundred times more often than it succeeded tries no more: botocore has a budget for that.
"""
