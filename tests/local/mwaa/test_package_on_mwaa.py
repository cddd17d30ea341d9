"""MWAA's own steps with the package: its requirements in the image's environment, its folders in each component.

The environment is made anew from the image's list of packages, under the image's two constraint files. uv takes the
packages from its cache, which set-up has filled; the few that only MWAA's image has are fetched once.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mwaa import package
from tests.builders import ROOT

pytestmark = pytest.mark.slow

UV = Path(sys.executable).parent / "uv"
CONSTRAINTS = ROOT / "mwaa" / "airflow_constraints.txt"
ESSENTIAL = ROOT / "mwaa" / "mwaa_essential_constraints.txt"
COMPONENT = Path(__file__).with_name("component.py")
IMAGE = (  # without psycopg2 and pycurl, which need a compiler, and stubs
    "apache-airflow[celery,statsd]==3.3.1",
    "apache-airflow-core[gunicorn]==3.3.1",
    "apache-airflow-providers-amazon[aiobotocore]",
    "apache-airflow-providers-fab",
    "apache-airflow-providers-postgres",
    "apache-airflow-providers-standard",
    "celery[sqs]",
    "fluent-logger",
    "virtualenv",
    "watchtower",
)
DAGS = [
    "pinterest_batch",
    "pinterest_check",
    "pinterest_maintenance",
    "pinterest_pipeline",
    "pinterest_provision",
    "pinterest_replay",
    "pinterest_stream",
    "pinterest_teardown",
]
CPU_SECONDS_TO_PARSE = 5  # about 1 with the imports, and 0.1 without; the margin is for slow machines


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    target = tmp_path_factory.mktemp("package")
    package.build(ROOT, target)
    return target


@pytest.fixture(scope="module")
def manifest(built):
    return json.loads((built / "manifest.json").read_text())


@pytest.fixture(scope="module")
def kept(pytestconfig):
    """A folder that outlives the tests. Environment and package are made anew in it, and Python's bytecode is kept."""
    return pytestconfig.cache.mkdir("mwaa-image")


@pytest.fixture(scope="module")
def image(kept):
    """Python 3.12 with what MWAA's image has before it installs a user's requirements."""
    environment = kept / "env"
    uv("venv", "--clear", "--python", sys.executable, str(environment))
    install(environment, *IMAGE, "--constraint", str(CONSTRAINTS))
    return environment


@pytest.fixture(scope="module")
def added(image, built):
    """What the package's requirements added to the image, and what they changed there."""
    before = installed(image)
    install(image, "--requirement", str(built / "requirements.txt"))
    after = installed(image)
    return {
        "added": {name: version for name, version in after.items() if name not in before},
        "changed": {name: version for name, version in before.items() if after.get(name) != version},
    }


@pytest.fixture(scope="module")
def components(image, kept, added, built):
    """What each component found in ``/usr/local/airflow``: ``dags/`` synchronized, ``plugins.zip`` unzipped."""
    home = kept / "usr-local-airflow"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(built / "dags", home / "dags")
    with zipfile.ZipFile(built / "plugins.zip") as archive:
        archive.extractall(home / "plugins")
    run = subprocess.run(
        [image / "bin" / "python", "-P", "-c", COMPONENT.read_text()],
        cwd=home,
        env={
            "PATH": f"{image / 'bin'}:/usr/bin:/bin",
            "HOME": str(home),
            "PYTHONPYCACHEPREFIX": str(kept / "bytecode"),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        },
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-4000:]
    return json.loads(run.stdout)


def uv(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "AIRFLOW_CONSTRAINTS_FILE": str(CONSTRAINTS)}
    return subprocess.run([UV, *arguments], env=environment, capture_output=True, text=True)


def install(environment: Path, *arguments: str) -> None:
    """As ``safe-pip-install`` does. The cache alone first: a package that is pinned needs no look at PyPI."""
    command = ["pip", "install", "--python", str(environment), "--constraint", str(ESSENTIAL), *arguments]
    if uv(*command, "--offline").returncode != 0:
        run = uv(*command)
        if "error sending request" in run.stderr:
            pytest.skip("PyPI cannot be reached, and uv's cache lacks a package of MWAA's image")
        assert run.returncode == 0, run.stderr


def installed(environment: Path) -> dict[str, str]:
    listed = uv("pip", "list", "--format", "json", "--python", str(environment))
    return {one["name"]: one["version"] for one in json.loads(listed.stdout)}


def test_the_requirements_install_and_change_nothing_of_the_image(added):
    assert added["changed"] == {}
    assert {
        "apache-airflow-providers-databricks": "7.18.1",
        "apache-airflow-providers-ssh": "6.0.1",
        "pymysql": "1.1.3",
    }.items() <= added["added"].items()


def test_every_component_loads_the_plugin_and_executes_no_module_by_its_bare_name(components):
    for name, found in components.items():
        assert (name, found["plugins"], found["plugin_errors"], found["misnamed"]) == (name, ["pinterest"], {}, [])


def test_only_the_web_server_has_the_page(components):
    has_it = [name for name, found in components.items() if any("pipeline_page" in file for file in found["files"])]

    assert has_it == ["web_server"]
    assert components["web_server"]["addresses"] == ["/", "/run", "/report"]
    assert "<h1>Nothing has been counted yet.</h1>" in components["web_server"]["page"]


def test_every_component_runs_from_the_package_alone(components, kept):
    for name, found in components.items():
        files = [Path(file) for file in found["files"]]
        reached = [file for file in files if file.is_relative_to(ROOT) and not file.is_relative_to(kept)]
        assert (name, reached) == (name, [])
        assert any(file.is_relative_to(kept / "usr-local-airflow" / "plugins") for file in files)


def test_only_what_parses_dags_finds_their_modules(components):
    assert {name for name, found in components.items() if found["stages_found"]} == {"dag_processor", "worker"}
    assert [name for name, found in components.items() if found["dags_on_path"]] == []


def test_the_dag_processor_parses_every_dag_soon(components):
    found = components["dag_processor"]

    assert (found["dags"], found["import_errors"]) == (DAGS, {})
    assert [file for file, seconds in found["seconds"].items() if seconds > CPU_SECONDS_TO_PARSE] == []


def test_every_dag_is_parsed_from_the_code_that_the_manifest_names(components, manifest):
    assert components["dag_processor"]["code"] == {dag_id: [manifest["code"]] for dag_id in DAGS}
    assert components["worker"]["code_tag"] == manifest["code"]
    assert manifest["dags"] == DAGS


def test_a_worker_finds_the_templates_and_the_code_for_databricks(components):
    from include.lake.code_bundle import CodeBundle

    found = components["worker"]
    assert (found["dags"], found["templates_not_found"]) == (DAGS, [])
    assert found["code"] == CodeBundle().content_hash


def test_the_triggerer_imports_every_trigger(components):
    assert components["triggerer"]["triggers"] == [
        "pinterest.triggers.ec2.HostKeysPrintedTrigger",
        "pinterest.triggers.ec2.InstanceOkTrigger",
        "pinterest.triggers.kinesis.KinesisStreamActiveTrigger",
        "pinterest.triggers.msk.MskClusterTrigger",
        "pinterest.triggers.msk_connect.MskConnectConnectorRunningTrigger",
        "pinterest.triggers.msk_connect.MskConnectOperationTrigger",
        "pinterest.triggers.vpc_link.LoadBalancerActiveTrigger",
        "pinterest.triggers.vpc_link.VpcLinkAvailableTrigger",
    ]
    assert components["triggerer"]["callbacks"] == ["pinterest.notifier.DeadlineNotifier"]


@pytest.mark.parametrize("name", ["scheduler", "web_server"])
def test_what_serves_dags_reads_them_without_their_files(components, name):
    assert components[name]["dags"] == DAGS
