"""What every DAG of this project shares."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from airflow.sdk import Variable

from include import settings as settings_module
from include.settings import VARIABLE, Settings, parse_settings

TEMPLATES = Path(settings_module.__file__).parent / "templates"


class Tag(StrEnum):
    """What a DAG touches."""

    SETUP = "setup"
    BATCH = "batch"
    STREAM = "stream"


def settings() -> Settings:
    """The project's settings, read from the Airflow Variable: call it in a running task, never at parse."""
    return parse_settings(Variable.get(VARIABLE, default=None))


DAG_DEFAULTS: dict[str, Any] = {
    "start_date": datetime(2026, 1, 1, tzinfo=UTC),
    "catchup": False,
    "max_active_runs": 1,
    "default_args": {
        "owner": "data-platform",
        "retries": 1,
        "retry_delay": timedelta(seconds=15),
        "execution_timeout": timedelta(minutes=30),
    },
    "user_defined_macros": {"settings": settings},
    "template_searchpath": str(TEMPLATES),
}
