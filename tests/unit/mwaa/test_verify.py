"""What a verification sees that no change of the objects shows; the rest is in ``test_deploy.py``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mwaa import __main__ as command_line
from mwaa.airflow_api import AirflowApi
from mwaa.environment import Environment
from mwaa.objects import VersionedBucket
from mwaa.releases import Releases
from mwaa.verify import REQUIREMENTS_LOG, START_UP_LOG, Verification, of_import, of_versions
from tests.unit.mwaa.mwaa_parts import BUCKET, NAME, S3, Mwaa, error, quick, small_checkout

CHECK = "/dags/pinterest_check/dagRuns"


@pytest.fixture
def mwaa(tmp_path, monkeypatch) -> Mwaa:
    """With a release that runs."""
    checkout = small_checkout(tmp_path)
    monkeypatch.setattr(command_line, "CHECKOUT", checkout)
    monkeypatch.setattr(command_line, "TARGET", checkout / "build" / "mwaa")
    s3 = S3()
    mwaa = Mwaa(s3)
    assert command_line.main(["deploy"], {"s3": s3, "mwaa": mwaa}.__getitem__, quick()) == 0
    return mwaa


def findings(mwaa: Mwaa) -> list[str]:
    bucket = VersionedBucket(mwaa.s3, BUCKET)
    verification = Verification(Environment(mwaa, NAME), bucket, AirflowApi(mwaa, NAME), clock=quick())
    release = Releases(bucket).current()
    assert release
    return [one.problem for one in verification.findings(release)]


def answering(monkeypatch: Any, asked: str, answer: Any) -> None:
    """``answer`` to one path, or an error; a function is given the right answer."""
    right = Mwaa._answer

    def answered(self: Mwaa, method: str, path: str, body: Any) -> Any:
        if not f"{method} {path}".startswith(asked):
            return right(self, method, path, body)
        if isinstance(answer, Exception):
            raise answer
        return answer(right(self, method, path, body)) if callable(answer) else answer

    monkeypatch.setattr(Mwaa, "_answer", answered)


def test_a_release_that_runs_has_no_findings(mwaa):
    assert findings(mwaa) == []


def test_a_provider_of_another_version_is_named(mwaa, monkeypatch):
    listed = {"providers": [{"package_name": "apache-airflow-providers-ssh", "version": "5.0.0"}], "total_entries": 1}
    answering(monkeypatch, "GET /providers", listed)

    assert findings(mwaa) == [
        "the web server lacks apache-airflow-providers-databricks: MWAA did not install the requirements",
        "the web server has apache-airflow-providers-ssh 5.0.0, not 6.0.1",
    ]


def test_a_worker_that_runs_something_else_is_named(mwaa, monkeypatch):
    extra = {"code": "code 00000000.00000000", "versions": {**mwaa.installed(), "pymysql": "1.0.0"}, "findings": []}
    answering(monkeypatch, "GET /assets/events", {"asset_events": [{"extra": extra}]})

    assert findings(mwaa) == [
        "a worker has pymysql 1.0.0, not 1.1.3",
        f"a worker runs code 00000000.00000000, not {mwaa.code()}",
    ]


def test_a_plugin_of_ours_that_cannot_be_loaded_is_named_and_one_of_others_is_noted(mwaa, monkeypatch, capsys):
    errors = [
        {"source": "$PLUGINS_FOLDER/pinterest_plugin.py", "error": "Traceback\nImportError: no page"},
        {"source": "$PLUGINS_FOLDER/of_others.py", "error": "Traceback\nImportError: theirs"},
    ]
    answering(monkeypatch, "GET /plugins/importErrors", {"import_errors": errors, "total_entries": 2})

    assert findings(mwaa) == ["the plugin $PLUGINS_FOLDER/pinterest_plugin.py cannot be loaded: ImportError: no page"]
    assert "note: a plugin of others cannot be loaded: $PLUGINS_FOLDER/of_others.py" in capsys.readouterr().out


def test_a_run_that_never_ends_is_named(mwaa, monkeypatch):
    answering(monkeypatch, f"GET {CHECK}/", {"state": "queued"})

    [problem] = findings(mwaa)

    assert problem.endswith("of pinterest_check is still queued after 15 minutes")


def test_a_run_that_fails_and_says_nothing_is_named(mwaa, monkeypatch):
    answering(monkeypatch, f"GET {CHECK}/", {"state": "failed"})

    [problem] = findings(mwaa)

    assert problem.endswith("of pinterest_check failed")


def test_a_run_whose_answer_was_lost_is_waited_for(mwaa, monkeypatch):
    right = Mwaa._answer

    def lost(self: Mwaa, method: str, path: str, body: Any) -> Any:
        found = right(self, method, path, body)
        if method == "POST":
            raise error("RestApiClientException", "InvokeRestApi", RestApiStatusCode=409, RestApiResponse={})
        return found

    monkeypatch.setattr(Mwaa, "_answer", lost)

    assert findings(mwaa) == []


def test_dags_that_take_their_time_are_waited_for(mwaa, monkeypatch):
    looks: Iterator[int] = iter(range(100))
    late = {"dags": [], "total_entries": 0}
    answering(monkeypatch, "GET /dags", lambda found: late if "dags" in found and next(looks) < 4 else found)

    assert findings(mwaa) == []
    assert next(looks) > 4


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ("ModuleNotFoundError: No module named 'airflow.providers.ssh'", REQUIREMENTS_LOG),
        ("ModuleNotFoundError: No module named 'include.settings'", START_UP_LOG),
        ("ModuleNotFoundError: No module named 'pinterest'", START_UP_LOG),
        ("ModuleNotFoundError: No module named 'pinterest_stages'", "correct it, and run make deploy"),
        ("SyntaxError: invalid syntax", "correct it, and run make deploy"),
    ],
)
def test_an_import_error_says_where_to_look(said, fix):
    assert of_import("pinterest_batch.py", said).fix == fix


def test_versions_that_are_those_of_the_pins_are_no_findings():
    assert list(of_versions("a worker", {"a": "1"}, {"a": "1", "b": "2"})) == []
