"""The project's settings, for a running task."""

from __future__ import annotations

from airflow.sdk import Variable

from include.settings import VARIABLE, Settings, parse_settings


def settings() -> Settings:
    """Read the Airflow Variable. Call this in a running task, never while a DAG file is parsed.

    Templates can call it as ``settings()``. Raises :class:`~include.settings.SettingsError`, which names every bad key.
    """
    return parse_settings(Variable.get(VARIABLE, default=None))
