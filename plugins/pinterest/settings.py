"""The project's settings, in a running task."""

from __future__ import annotations

from airflow.sdk import Variable

from include.settings import VARIABLE, Settings, parse_settings


def settings() -> Settings:
    """Read the Airflow Variable: call it in a running task, never while a DAG file is parsed.

    Templates have it as ``settings()``. Raises :class:`~include.settings.SettingsError`, which names every bad key.
    """
    return parse_settings(Variable.get(VARIABLE, default=None))
