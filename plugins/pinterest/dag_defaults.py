"""What all DAGs of this project share.

Settings reach an operator in one of two ways. Operators of a service (AWS, Databricks) take plain arguments, and a
stage passes templates such as ``{{ settings().bucket }}``, so the Airflow UI shows the rendered values. Code that works
on the run as a whole, or with values that must not be shown, calls :func:`pinterest.settings.settings` at run time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import include
from pinterest.account import account_id
from pinterest.retry_policy import RetryWhatMayPass
from pinterest.settings import settings

TEMPLATES = Path(include.__path__[0]) / "templates"


class Tag(StrEnum):
    """What a DAG touches."""

    SETUP = "setup"
    BATCH = "batch"
    STREAM = "stream"
    MAINTENANCE = "maintenance"


NO_BACKFILL: dict[str, Any] = {"allowed_run_types": ["scheduled", "manual", "operator_triggered", "asset_triggered"]}
"""For DAGs that post: a run posts what is next, whatever its day, so a backfill would post new posts for days that are
gone. Airflow refuses it."""

DAG_DEFAULTS: dict[str, Any] = {
    "start_date": datetime(2026, 1, 1, tzinfo=UTC),
    "catchup": False,
    "max_active_runs": 1,
    "default_args": {
        "owner": "data-platform",
        "retries": 1,
        "retry_delay": timedelta(seconds=15),
        "retry_policy": RetryWhatMayPass(),
        "execution_timeout": timedelta(minutes=30),
        "region_name": "{{ settings().region }}",  # the connection's own region does not count
    },
    "user_defined_macros": {"settings": settings, "account_id": account_id},
    "template_searchpath": str(TEMPLATES),
}
