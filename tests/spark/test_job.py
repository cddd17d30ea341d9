"""How a notebook's queries are planned: by the rows that the run has landed, and by what silver holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pinterest_lake.bronze import load_all
from pinterest_lake.job import Job
from pinterest_lake.manifest import read_manifest
from pinterest_lake.session_settings import MANY
from pinterest_lake.silver import refresh
from tests.spark.source_rows import GEO

COMPILES = "spark.sql.codegen.wholeStage"


@pytest.fixture
def job_of(lake, bucket, compiling_sessions):
    """Makes the job of a run of two records whose offsets are ``apart``, in a session of its own."""

    def job(apart=1):
        bucket.put("geo", [GEO, GEO | {"ind": 7}])
        manifest = read_manifest(lake.spark, bucket.manifest({"geo": {0: (0, 1 + apart)}}))
        return Job(replace(lake, spark=compiling_sessions()), manifest, "run")

    return job


def compiles(job):
    return job.lake.spark.conf.get(COMPILES) == "true"


@pytest.mark.parametrize(("apart", "compiled"), [(1, False), (MANY, True)])
def test_a_small_run_is_not_compiled(job_of, apart, compiled):
    job = job_of(apart)

    job.plan_load()
    assert compiles(job) == compiled


def test_what_silver_holds_counts_too(job_of, monkeypatch):
    small = job_of()
    small.plan_clean("geo")
    assert not compiles(small)

    monkeypatch.setattr("pinterest_lake.job.MANY", 4)
    first = job_of()
    first.plan_clean("geo")
    assert not compiles(first), "two rows of the run"

    load_all(first.lake, first.manifest, "run")
    refresh(first.lake, first.manifest.topics["geo"], "geo", "run")
    again = job_of()
    again.plan_clean("geo")
    assert compiles(again), "two rows of the run, and two of silver"
