"""What is wrong with an Airflow connection, by itself."""

from __future__ import annotations

import json

import pytest

from include.doctor.connections import Connection, is_this_machine, of_aws, of_databricks, of_source

PASSWORD = "never shown"
SOURCE = {"conn_type": "mysql", "host": "db", "login": "reader", "schema": "posts"}
DATABRICKS = {"conn_type": "databricks", "host": "https://dbc-1.cloud.databricks.com"}


def made(parts, *, password=PASSWORD, extra=None, **changed):
    text = json.dumps(extra) if isinstance(extra, dict) else extra
    return Connection.of(password=password, extra=text, **(parts | changed))


@pytest.mark.parametrize(
    ("judged", "connection"),
    [
        (of_aws, None),
        (of_aws, made({"conn_type": "aws", "login": "AKIA"})),
        (of_aws, made({"conn_type": "aws"}, password=None, extra={"role_arn": "arn:aws:iam::123456789012:role/a"})),
        (of_source, made(SOURCE, extra={"ssl_mode": "DISABLED"})),
        (of_source, made(SOURCE, password=None)),
        (of_databricks, made(DATABRICKS)),
        (of_databricks, made(DATABRICKS, host="127.0.0.1", schema="http")),
        (of_databricks, made(DATABRICKS, password=None, extra={"token": PASSWORD})),
    ],
)
def test_a_connection_that_can_be_used_is_not_mentioned(judged, connection):
    assert list(judged(connection)) == []


@pytest.mark.parametrize(
    ("judged", "connection", "problems"),
    [
        (of_source, None, ["connection pinterest_source is missing"]),
        (of_databricks, None, ["connection databricks_default is missing"]),
        (of_source, made(SOURCE, host=None, schema=""), ["connection pinterest_source: it has no host, schema"]),
        (of_source, made(SOURCE, conn_type="postgres"), ["connection pinterest_source: its type is 'postgres'"]),
        (of_source, made(SOURCE, extra="{"), ["connection pinterest_source: its extra is no JSON object"]),
        (of_source, made(SOURCE, extra="[1]"), ["connection pinterest_source: its extra is no JSON object"]),
        (
            of_source,
            made(SOURCE, extra={"ssl_mode": "MAYBE"}),
            [
                "connection pinterest_source, extra: ssl_mode is 'MAYBE'; it must be one of DISABLED, PREFERRED, "
                "REQUIRED, VERIFY_CA, VERIFY_IDENTITY"
            ],
        ),
        (of_databricks, made(DATABRICKS, password=None), ["connection databricks_default: it has no token"]),
        (
            of_databricks,
            made(DATABRICKS, host="http://dbc.example.com"),
            ["connection databricks_default: the token goes to dbc.example.com in plain text"],
        ),
        (
            of_databricks,
            made(DATABRICKS, conn_type="http", host="", password=None),
            [
                "connection databricks_default: its type is 'http'",
                "connection databricks_default: it has no host",
                "connection databricks_default: it has no token",
            ],
        ),
        (
            of_aws,
            made({"conn_type": "aws", "login": "AKIA"}, password=None),
            ["connection aws_default: it has a login and no password"],
        ),
        (of_aws, made({"conn_type": "aws"}), ["connection aws_default: it has a password and no login"]),
    ],
)
def test_everything_that_is_wrong_with_it_is_said_at_once(judged, connection, problems):
    found = list(judged(connection))

    assert [one.problem for one in found] == problems
    assert all(one.fix for one in found)
    assert PASSWORD not in str(found)


def test_a_password_is_not_kept():
    assert PASSWORD not in repr(made(SOURCE))


@pytest.mark.parametrize(
    ("host", "here"), [("localhost", True), ("127.0.0.1", True), ("::1", True), ("10.0.0.1", False), ("db", False)]
)
def test_what_stays_on_the_machine(host, here):
    assert is_this_machine(host) is here
