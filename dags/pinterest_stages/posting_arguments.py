"""What both posting stages are given: which posts to make, and the REST API that takes them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

POSTING_ARGUMENTS: dict[str, Any] = {
    "posts": "{{ params.posts }}",
    "seed": "{{ params.seed }}",
    "start": "{{ params.start }}",
    "pace": "{{ params.pace }}",
    "batch_size": "{{ params.batch_size }}",
    "bucket": "{{ settings().bucket }}",
    "api_name": "{{ settings().rest_api_name }}",
    "stage_name": "{{ settings().rest_api.stage }}",
    "invoke_url_format": "{{ settings().rest_api.invoke_url_format }}",
    "api_key_parameter": "{{ settings().api_key_parameter }}",
    "retries": 3,
    "execution_timeout": timedelta(hours=2),
}
