"""Airflow's metadata database: created once, then migrated whenever the installed Airflow changes."""

from __future__ import annotations

from importlib.metadata import version

from lab import airflow_environment
from lab.progress import Work
from lab.state import State


def migrate(state: State, work: Work) -> None:
    """Write ``airflow.env``, then bring the database to the installed version. A second call only writes the file."""
    airflow_environment.write(state)
    home = state.path("airflow")
    home.mkdir(exist_ok=True)
    migrated_to = home / "database-version"
    if migrated_to.exists() and migrated_to.read_text() == version("apache-airflow"):
        return
    work.note = "migrating Airflow's database"
    work.command(*airflow_environment.command("db", "migrate"), environment=airflow_environment.env_file(state))
    migrated_to.write_text(version("apache-airflow"))
