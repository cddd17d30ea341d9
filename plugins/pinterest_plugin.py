"""What Airflow itself loads of this folder."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from pinterest import last_word


class PinterestPlugin(AirflowPlugin):
    """A failed ``airflow dags test`` ends with the error that made it fail."""

    name = "pinterest"
    listeners: list[Any] = [last_word]  # noqa: RUF012 as in the base class
