"""``make deploy``, ``verify`` and ``rollback`` by their command line, each invariant of a deployment broken once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mwaa import __main__ as command_line
from mwaa import package
from mwaa.releases import KEY
from tests.unit.mwaa.mwaa_parts import BUCKET, S3, Mwaa, quick, small_checkout

type Run = Callable[..., int]


@pytest.fixture
def s3() -> S3:
    return S3()


@pytest.fixture
def mwaa(s3) -> Mwaa:
    return Mwaa(s3)


@pytest.fixture
def checkout(tmp_path) -> Path:
    return small_checkout(tmp_path / "checkout")


@pytest.fixture
def run(checkout, s3, mwaa, monkeypatch) -> Iterator[Run]:
    monkeypatch.setattr(command_line, "CHECKOUT", checkout)
    monkeypatch.setattr(command_line, "TARGET", checkout / "build" / "mwaa")
    clients = {"s3": s3, "mwaa": mwaa}
    return lambda *arguments: command_line.main(arguments, clients.__getitem__, quick())


def change(checkout: Path, name: str, text: str = "\n# changed\n") -> None:
    path = checkout / name
    path.write_text(path.read_text() + text)


def state(s3: S3) -> str:
    return str(json.loads(s3.contents()[KEY])["state"])


def contents(s3: S3) -> dict[str, bytes]:
    """All but the document of the release."""
    return {key: content for key, content in s3.contents().items() if key != KEY}


def test_a_first_deployment_uploads_updates_verifies_and_says_so(run, s3, mwaa, capsys):
    assert run("deploy") == 0

    assert [sorted(update) for update in mwaa.updates] == [
        [
            f"{name}S3{what}"
            for name in ("Plugins", "Requirements", "StartupScript")
            for what in ("ObjectVersion", "Path")
        ]
    ]
    assert {"plugins.zip", "requirements.txt", "startup.sh", "dags/pinterest_batch.py", KEY} <= set(s3.contents())
    assert "dags/manifest.json" not in s3.contents()
    assert state(s3) == "verified"
    assert "It runs: nothing is missing or wrong." in capsys.readouterr().out
    assert run("verify") == 0


def test_dags_come_last_and_the_manifest_after_them(run, s3, mwaa):
    run("deploy")

    first_dag = next(number for number, key in enumerate(s3.written) if key.startswith("dags/"))
    assert set(s3.written[:first_dag]) == {"plugins.zip", "requirements.txt", "startup.sh"}
    assert [key for key in s3.written[first_dag:] if not key.startswith("dags/")] == [KEY, KEY]
    assert s3.written[-2:] == [KEY, KEY]


def test_a_second_deployment_of_the_same_writes_nothing_and_updates_nothing(run, s3, mwaa, capsys):
    run("deploy")
    before = len(s3.written), len(mwaa.updates)

    assert run("deploy") == 0

    assert (len(s3.written), len(mwaa.updates)) == before
    assert "nothing has changed since the last deployment" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "updates"),
    [
        ("dags/pinterest_batch.py", []),
        ("dags/pinterest_stages/posting.py", []),
        ("include/faults.py", ["Plugins"]),
        ("plugins/pinterest/settings.py", ["Plugins"]),
        ("requirements.txt", ["Requirements"]),
        ("mwaa/startup.sh", ["StartupScript"]),
    ],
)
def test_the_environment_is_updated_only_with_what_has_changed_of_the_three(run, checkout, mwaa, changed, updates):
    run("deploy")
    change(checkout, changed)

    assert run("deploy") == 0

    found = [name.removesuffix("S3Path") for update in mwaa.updates[1:] for name in update if name.endswith("Path")]
    assert found == updates


def test_a_dag_that_is_no_more_is_deleted_and_those_of_others_stay(run, checkout, s3):
    s3.upload("dags/of_others.py", b"")
    (checkout / "dags" / "pinterest_old.py").write_text("")
    run("deploy")
    (checkout / "dags" / "pinterest_old.py").unlink()

    assert run("deploy") == 0

    assert "dags/pinterest_old.py" not in s3.contents()
    assert "dags/of_others.py" in s3.contents()


def test_the_ignore_file_of_other_dags_gets_a_line_and_keeps_its_own(run, s3):
    s3.upload("dags/.airflowignore", b"helpers/\n")

    assert run("deploy") == 0

    assert s3.contents()["dags/.airflowignore"] == b"helpers/\npinterest_stages/\n"
    assert run("verify") == 0


def test_paths_are_those_that_the_environment_has(run, s3, mwaa):
    mwaa.described |= {"DagS3Path": "dags/", "PluginsS3Path": "airflow/p.zip", "PluginsS3ObjectVersion": "gone"}

    assert run("deploy") == 0

    assert {"airflow/p.zip", "dags/pinterest_batch.py"} <= set(s3.contents())
    assert "plugins.zip" not in s3.contents()


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (
            lambda s3, mwaa: setattr(s3, "region", "us-east-1"),
            "is in us-east-1, the environment pinterest-pipeline in eu-west-1",
        ),
        (lambda s3, mwaa: setattr(s3, "versioning", ""), "airflow-bucket keeps no versions"),
        (lambda s3, mwaa: setattr(s3, "blocked", False), "airflow-bucket does not block public access"),
        (lambda s3, mwaa: mwaa.described.update(Status="UPDATING"), "is UPDATING: wait until it is AVAILABLE"),
        (lambda s3, mwaa: mwaa.described.update(Status="UNAVAILABLE"), "is UNAVAILABLE: see its page"),
    ],
)
@pytest.mark.parametrize("command", ["deploy", "rollback"])
def test_nothing_is_written_to_what_cannot_run_it(run, s3, mwaa, capsys, spoil, named, command):
    spoil(s3, mwaa)

    assert run(command) == 1

    assert named in capsys.readouterr().err
    assert (s3.written, mwaa.updates) == ([], [])


def without_requirements(checkout: Path, mwaa: Mwaa, _patch: Any) -> None:
    change(checkout, "requirements.txt")
    mwaa.installs_requirements = False


def with_another_root(checkout: Path, _mwaa: Mwaa, patch: Any) -> None:
    patch.setattr(package, "PLUGINS", {name: f"plugins/{place}" for name, place in package.PLUGINS.items()})


def with_an_import_error(checkout: Path, _mwaa: Mwaa, _patch: Any) -> None:
    change(checkout, "dags/pinterest_stream.py", "\nraise ImportError\n")


def with_a_wrong_variable(checkout: Path, mwaa: Mwaa, _patch: Any) -> None:
    change(checkout, "dags/pinterest_stream.py")
    mwaa.variable_is = [{"problem": "Airflow Variable 'pinterest_pipeline': kafkaa: Extra inputs", "fix": "correct it"}]


def with_a_paused_check(checkout: Path, mwaa: Mwaa, _patch: Any) -> None:
    change(checkout, "dags/pinterest_stream.py")
    mwaa.paused = True


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (without_requirements, "the web server lacks apache-airflow-providers-databricks: MWAA did not install"),
        (
            without_requirements,
            "pinterest_batch.py cannot be imported: ModuleNotFoundError: No module named 'airflow",
        ),
        (with_another_root, "No module named 'pinterest'; plugins.zip is missing or has another root"),
        (with_an_import_error, "pinterest_stream.py cannot be imported: ImportError: broken"),
        (with_a_wrong_variable, "Airflow Variable 'pinterest_pipeline': kafkaa: Extra inputs"),
        (with_a_paused_check, "the DAG pinterest_check is paused"),
    ],
)
def test_what_does_not_run_is_named_and_what_ran_before_is_put_back(
    run, checkout, s3, mwaa, capsys, monkeypatch, spoil, named
):
    run("deploy")
    before, code = contents(s3), mwaa.code()
    with monkeypatch.context() as patch:
        spoil(checkout, mwaa, patch)

        assert run("deploy") == 1

    printed = capsys.readouterr().out
    assert named in printed
    assert "\n   fix: " in printed
    assert contents(s3) == before
    assert mwaa.code() == code
    assert json.loads(s3.contents()[KEY])["state"] == "verified"


def test_with_nothing_to_go_back_to_a_release_that_does_not_run_stays(run, checkout, s3, mwaa, capsys):
    with_an_import_error(checkout, mwaa, None)

    assert run("deploy") == 1

    assert "there is no earlier release that has run: correct this one" in capsys.readouterr().err
    assert state(s3) == "failed"


def test_what_was_uploaded_by_hand_before_the_first_deployment_is_put_back(run, checkout, s3, mwaa):
    package.build(checkout, checkout / "by_hand")
    for path in sorted((checkout / "by_hand").rglob("*")):
        if path.is_file() and path.name != "manifest.json":
            s3.upload(path.relative_to(checkout / "by_hand").as_posix(), path.read_bytes())
    mwaa.described |= {"PluginsS3Path": "plugins.zip", "PluginsS3ObjectVersion": "plugins.zip-1"}
    before = contents(s3)
    with_an_import_error(checkout, mwaa, None)
    change(checkout, "include/faults.py")

    assert run("deploy") == 1

    assert contents(s3) == before
    assert mwaa.plugins()["include/faults.py"] == b"# include/faults.py\n"


def test_an_update_that_fails_is_explained_and_the_bucket_is_as_it_was(run, checkout, s3, mwaa, capsys):
    run("deploy")
    before = contents(s3)
    change(checkout, "include/faults.py")
    change(checkout, "dags/pinterest_batch.py")
    mwaa.update_fails = {"ErrorCode": "INCORRECT_CONFIGURATION", "ErrorMessage": "The scheduler did not start."}

    assert run("deploy") == 1

    said = capsys.readouterr().err
    assert (
        "ended as UPDATE_FAILED: INCORRECT_CONFIGURATION: The scheduler did not start. It runs what it ran before"
        in said
    )
    assert contents(s3) == before

    mwaa.update_fails = None
    assert run("deploy") == 0


def half_uploaded(s3: S3, _mwaa: Mwaa) -> None:
    s3.upload("dags/pinterest_stages/posting.py", b"# of another release")


def object_deleted(s3: S3, _mwaa: Mwaa) -> None:
    s3.delete_object(Bucket=BUCKET, Key="dags/pinterest_batch.py")


def stale_plugins(s3: S3, mwaa: Mwaa) -> None:
    mwaa.described["PluginsS3ObjectVersion"] = "plugins.zip-1"


def plugins_uploaded_without_an_update(s3: S3, mwaa: Mwaa) -> None:
    s3.upload("plugins.zip", b"PK of somebody")


def old_manifest(s3: S3, _mwaa: Mwaa) -> None:
    first = s3.kept[KEY][0][1]
    assert first is not None
    s3.upload(KEY, first)


def no_manifest(s3: S3, _mwaa: Mwaa) -> None:
    s3.delete_object(Bucket=BUCKET, Key=KEY)


def another_airflow(_s3: S3, mwaa: Mwaa) -> None:
    mwaa.described["AirflowVersion"] = "3.0.6"


def dag_of_an_earlier_release(s3: S3, _mwaa: Mwaa) -> None:
    s3.upload("dags/pinterest_old.py", b"")


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (half_uploaded, "s3://airflow-bucket/dags/pinterest_stages/posting.py is another one: the upload is not whole"),
        (object_deleted, "s3://airflow-bucket/dags/pinterest_batch.py is missing: the upload is not whole"),
        (stale_plugins, "runs plugins.zip of plugins.zip-1, which is not the deployed one"),
        (plugins_uploaded_without_an_update, "s3://airflow-bucket/plugins.zip is another one"),
        (old_manifest, "pinterest-pipeline has 0.1.0 ("),
        (no_manifest, "nothing was deployed to pinterest-pipeline by make deploy"),
        (another_airflow, "pinterest-pipeline has Airflow 3.0.6, not 3.3.1"),
        (dag_of_an_earlier_release, "the DAG pinterest_old is not of this release"),
        (lambda s3, mwaa: setattr(s3, "region", "us-east-1"), "airflow-bucket is in us-east-1"),
    ],
)
def test_verify_names_what_has_changed_since(run, checkout, s3, mwaa, capsys, spoil, named):
    run("deploy")
    change(checkout, "include/faults.py")
    run("deploy")
    capsys.readouterr()
    spoil(s3, mwaa)
    before = len(s3.written), len(mwaa.updates)

    assert run("verify") == 1

    printed = capsys.readouterr().out
    assert named in printed
    assert "\n   fix: " in printed
    assert (len(s3.written), len(mwaa.updates)) == before


@pytest.mark.parametrize("spoil", [half_uploaded, object_deleted, stale_plugins, plugins_uploaded_without_an_update])
def test_a_deployment_puts_right_what_verify_names(run, checkout, s3, mwaa, spoil):
    run("deploy")
    change(checkout, "include/faults.py")
    run("deploy")
    spoil(s3, mwaa)

    assert run("deploy") == 0
    assert run("verify") == 0


def test_a_rollback_goes_to_the_release_before_and_to_none_that_failed(run, checkout, s3, mwaa, capsys):
    run("deploy")
    first = contents(s3)
    change(checkout, "include/faults.py")
    change(checkout, "dags/pinterest_batch.py")
    run("deploy")
    second = contents(s3)
    with_an_import_error(checkout, mwaa, None)
    run("deploy")
    assert contents(s3) == second

    assert run("rollback") == 0

    assert contents(s3) == first
    assert mwaa.plugins()["include/faults.py"] == b"# include/faults.py\n"
    assert "pinterest-pipeline runs 0.1.0 (" in capsys.readouterr().out


def test_without_an_earlier_release_a_rollback_says_so(run, s3, capsys):
    run("deploy")
    before = s3.contents()

    assert run("rollback") == 1

    assert "there is no earlier release that has run" in capsys.readouterr().err
    assert s3.contents() == before


def test_a_name_that_no_environment_has_is_named_with_its_region(run, capsys):
    assert run("deploy", "--environment", "other") == 1

    assert "there is no environment other in eu-west-1" in capsys.readouterr().err
