"""Real SSH, real shells and real HTTP on the loopback address, and no lab: each test starts what it talks to."""

from __future__ import annotations

import pytest

from tests.isolated_airflow import isolate_airflow

isolate_airflow()


@pytest.fixture
def bucket():
    from tests.builders import Bucket

    return Bucket()


@pytest.fixture
def source(tmp_path, monkeypatch):
    """The three source tables, every key in them, behind the connection that the posting tasks read."""
    from tests.local.posting_parts import serve_source

    serve_source(tmp_path, monkeypatch)
