"""How long a call of AWS is tried again while the service throttles, or cannot be reached."""

from __future__ import annotations

from typing import Any

RETRIES: dict[str, Any] = {"mode": "standard", "total_max_attempts": 16}
"""For botocore's ``Config``. The waits before the attempts double up to 20 seconds, each shortened at random: two
minutes on average, and more than one in 999 of 1000 calls. botocore's own default gives up after seven seconds.

A minute is what AWS itself may take: API Gateway deletes one API in 30 seconds and changes one usage plan in 20.
"""
