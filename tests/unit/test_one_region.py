"""Everything is asked of the region that the settings name, whatever region the AWS connection has."""

from __future__ import annotations

import ast
import json
from pathlib import Path

from pinterest.hooks.api_gateway import ApiGatewayHook
from pinterest.operators.kafka_client import KafkaClientUploadOperator

PLUGINS = Path(__file__).parents[2] / "plugins" / "pinterest"
MADE_BY_HOOKS_FOR_AWS = ("airflow.providers.amazon", "pinterest.hooks")
WHEREVER = {"S3Hook"}  # S3 finds a bucket in any region


def hooks_made() -> dict[str, set[str | None]]:
    """Where a hook for AWS is made, with the keywords that it is given."""
    found = {}
    for path in sorted(PLUGINS.rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        imported = {
            alias.name
            for node in nodes
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(MADE_BY_HOOKS_FOR_AWS)
            for alias in node.names
        }
        for node in nodes:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in imported - WHEREVER:
                keywords = {keyword.arg for keyword in node.keywords}
                if keywords & {"aws_conn_id", "client_type"}:
                    found[f"{path.relative_to(PLUGINS)}:{node.lineno} {node.func.id}"] = keywords
    return found


def test_every_hook_is_given_a_region():
    made = hooks_made()

    assert len(made) >= 8
    assert [where for where, keywords in made.items() if "region_name" not in keywords] == []


def test_the_region_that_a_hook_is_given_wins_over_the_connections(monkeypatch):
    connection = {"conn_type": "aws", "login": "x", "password": "x", "extra": {"region_name": "eu-west-1"}}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_ELSEWHERE", json.dumps(connection))

    assert ApiGatewayHook(aws_conn_id="aws_elsewhere", region_name="us-east-1").conn_region_name == "us-east-1"
    assert ApiGatewayHook(aws_conn_id="aws_elsewhere").conn_region_name == "eu-west-1"


def test_the_address_for_uploading_names_the_region(monkeypatch):
    connection = {"conn_type": "aws", "login": "x", "password": "x"}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    upload = KafkaClientUploadOperator(
        task_id="archive", script="x.sh", download="s3_sink", sha256="", bucket="bucket", key="k.zip"
    )

    address = upload._s3("eu-west-1").generate_presigned_url("put_object", Params={"Bucket": "bucket", "Key": "k.zip"})

    assert address.startswith("https://bucket.s3.eu-west-1.amazonaws.com/k.zip?")
