"""The Variable: what it needs, what it leaves out, and what it says when it is wrong."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from include.settings import Download, Section, Settings, SettingsError, parse_settings
from pinterest.settings import settings as read_settings
from tests.builders import ROOT, variable

SMALLEST = variable()
CREDENTIAL = {"service_credential": "kinesis"}


def parsed(**changes) -> Settings:
    return parse_settings(json.dumps({**SMALLEST, **changes}))


def test_names_carry_the_user_id():
    settings = parsed()

    assert settings.topics == {s: f"0e36c8cd403d.{s}" for s in ("pin", "geo", "user")}
    assert settings.dead_letter_topic == "0e36c8cd403d-dead-letters"
    assert (settings.bucket, settings.key_pair) == ("user-0e36c8cd403d-bucket", "0e36c8cd403d-key-pair")
    assert (settings.plugin, settings.connector) == ("0e36c8cd403d-plugin", "0e36c8cd403d-connector")
    assert settings.role == "0e36c8cd403d-ec2-access-role"
    assert settings.sink_archive_key == "kafka-connect-s3/0e36c8cd403d-abababababab.zip"


def test_what_is_left_out_is_an_account_on_aws():
    settings = parsed()

    assert (settings.kafka_client.login, settings.kafka_client.host, settings.kafka_client.port) == (
        "ec2-user", None, 22,
    )  # fmt: skip
    assert (settings.kafka.authentication, settings.kafka.role_arn) == ("iam", None)
    assert (settings.rest_proxy.listen_host, settings.rest_proxy.port, settings.rest_proxy.url) == (
        "0.0.0.0", 8082, None,
    )  # fmt: skip
    assert settings.s3_sink.connector_class == "io.confluent.connect.s3.S3SinkConnector"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(None, "is not set; see docs/settings.md", id="missing"),
        pytest.param("", "text: Invalid JSON", id="empty"),
        pytest.param("{user_id: 1}", "text: Invalid JSON", id="not JSON"),
        pytest.param("[]", r"text: Input should be an object, got \[\]", id="not an object"),
        pytest.param("{}", "user_id: Field required; downloads: Field required", id="nothing in it"),
    ],
)
def test_a_variable_that_is_none(text, said):
    with pytest.raises(SettingsError, match=f"Airflow Variable 'pinterest_pipeline'.*{said}"):
        parse_settings(text)


@pytest.mark.parametrize("user_id", ["0e36c8cd403", "0E36C8CD403D", "0e36c8cd403d\n", "xyzxyzxyzxyz", "", 123456789012])
def test_user_id_that_is_not_12_hex_digits(user_id):
    with pytest.raises(SettingsError, match=f"user_id: .*got {re.escape(repr(user_id))}"):
        parsed(user_id=user_id)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"regoin": "x"}, "regoin: Extra inputs are not permitted;", id="unknown key"),
        pytest.param({"kafka": {"partition": 3}}, "kafka.partition: Extra inputs", id="unknown key in a section"),
        pytest.param({"kafka": {"authentication": "ssl"}}, "kafka.authentication: .*'iam' or 'none'", id="choice"),
        pytest.param({"kafka": {"brokers": 5}}, "kafka.brokers: .*do not spread evenly", id="uneven brokers"),
        pytest.param({"kafka": {"brokers": 1}}, "kafka.brokers: .*greater than or equal to 2", id="one broker"),
        pytest.param({"kafka": {"version": "newest"}}, "kafka.version: .*got 'newest'", id="version"),
        pytest.param({"kafka": {"instance_type": "t3.small"}}, "kafka.instance_type: .*'t3.small'", id="no broker"),
        pytest.param(
            {"kafka": {"mode": "self_hosted", "authentication": "iam"}},
            "kafka: .*knows no IAM: leave",
            id="IAM of its own",
        ),
        pytest.param(
            {"kafka": {"mode": "self_hosted", "replication_factor": 2}}, "kafka: .*keeps one copy: leave", id="copies"
        ),
        pytest.param({"kafka": {"mode": "zookeeper"}}, "kafka.mode: .*'msk' or 'self_hosted'", id="mode"),
        pytest.param({"kafka_client": {"host_key": "k", "port": 0}}, "kafka_client.port: .*got 0", id="port"),
        pytest.param({"rest_proxy": {"port": 70000}}, "rest_proxy.port: .*got 70000", id="port too high"),
        pytest.param({"network": {"ssh_from": ["0.0.0.0/0"]}}, "network.ssh_from.0: .*open to too many", id="anyone"),
        pytest.param({"network": {"ssh_from": ["128.0.0.0/1"]}}, "network.ssh_from.0: .*at most a /8", id="half of it"),
        pytest.param({"network": {"ssh_from": ["::/0"]}}, "network.ssh_from.0: .*at most a /32", id="anyone by IPv6"),
        pytest.param({"network": {"ssh_from": ["10.1.2.3/8"]}}, "network.ssh_from.0: .*host bits set", id="no block"),
        pytest.param(
            {"rest_proxy": {"exposure": "vpc_link", "url": "http://x"}}, "rest_proxy: .*needs no url", id="two ways"
        ),
        pytest.param({"rest_api": {"proxy_paths": []}}, "rest_api.proxy_paths: .*at least 1", id="no path"),
        pytest.param(
            {"rest_api": {"proxy_paths": ["topics"]}}, "rest_api.proxy_paths.0: .*got 'topics'", id="no slash"
        ),
        pytest.param({"rest_api": {"proxy_paths": ["/{proxy+}/x"]}}, "rest_api.proxy_paths.0: ", id="greedy inside"),
        pytest.param({"network": {"vpc_id": "default"}}, "network.vpc_id: .*got 'default'", id="no VPC"),
        pytest.param(
            {"downloads": SMALLEST["downloads"] | {"java": {"url": "ftp://x", "sha256": "12"}}},
            "downloads.java.url: .*got 'ftp://x'; downloads.java.sha256: .*got '12'",
            id="two at once",
        ),
    ],
)
def test_a_value_that_will_not_do(changes, said):
    with pytest.raises(SettingsError, match=said):
        parsed(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"databricks": {"token": "c4n4ry"}},
        {"password": "c4n4ry"},
        {"downloads": SMALLEST["downloads"] | {"java": {"url": "https://me:c4n4ry@x/a b", "sha256": "12"}}},
        {"downloads": SMALLEST["downloads"] | {"java": {"url": "ftp://x/java.tgz?token=c4n4ry", "sha256": "12"}}},
    ],
    ids=["unknown key", "unknown section", "login", "query"],
)
def test_what_may_be_a_secret_is_in_no_message(changes):
    with pytest.raises(SettingsError) as error:
        parsed(**changes)

    assert "c4n4ry" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "holds"),
    [
        ("https://archive.apache.org/dist/kafka/4.3.1/kafka_2.13-4.3.1.tgz", False),
        ("https://me:secret@mirror.example.com/kafka.tgz", True),
        ("https://bucket.s3.amazonaws.com/kafka.tgz?X-Amz-Signature=0", True),
    ],
)
def test_an_address_with_a_login_or_a_query_may_hold_a_secret(url, holds):
    assert Download(url=url, sha256="0" * 64).holds_secret is holds


def test_who_may_enter_the_client_machine():
    network = {"ssh_from": ["203.0.113.7", "10.0.0.0/8", "sg-0123456789abcdef0"]}

    assert parsed(network=network).network.ssh_from == ("203.0.113.7/32", "10.0.0.0/8", "sg-0123456789abcdef0")


@pytest.mark.parametrize(
    ("sections", "role"),
    [
        ({}, "0e36c8cd403d-ec2-access-role"),
        ({"account": {"provision": True}}, "0e36c8cd403d-s3-sink-role"),
        ({"account": {"provision": True}, "s3_sink": {"role": "theirs"}}, "theirs"),
    ],
)
def test_a_sink_whose_role_is_made_has_one_of_its_own(sections, role):
    assert parsed(**sections).sink_role == role


@pytest.mark.parametrize(
    ("sections", "exposure"),
    [
        ({}, "internet"),
        ({"account": {"provision": True}}, "vpc_link"),
        ({"account": {"provision": True}, "rest_proxy": {"url": "http://proxy"}}, "internet"),
        ({"account": {"provision": True}, "rest_proxy": {"exposure": "internet"}}, "internet"),
        ({"rest_proxy": {"exposure": "vpc_link"}}, "vpc_link"),
    ],
)
def test_a_proxy_whose_machine_is_made_is_not_on_the_internet(sections, exposure):
    assert parsed(**sections).exposure == exposure


def test_of_the_proxy_callers_reach_what_the_pipeline_needs():
    assert parsed().rest_api.proxy_paths == ("/topics", "/topics/{proxy+}", "/consumers/{proxy+}")
    assert parsed(rest_api={"proxy_paths": ["/{proxy+}"]}).rest_api.proxy_paths == ("/{proxy+}",)


def test_what_a_run_makes_is_kept_for_as_long_as_the_settings_say():
    start = datetime(2026, 1, 1, tzinfo=UTC)

    assert parsed().expires_at(start) == ""
    assert parsed(account={"lifetime_hours": 8}).expires_at(start) == "2026-01-01T08:00:00Z"
    assert parsed(account={"lifetime_hours": 8}).expires_at(None) == ""


def test_a_missing_key_does_not_show_the_section_it_is_missing_from():
    sink = {"s3_sink": {"properties": {"aws.secret.access.key": "s3cret"}}}

    with pytest.raises(SettingsError) as error:
        parse_settings(json.dumps(sink))

    assert "s3cret" not in str(error.value)


def test_one_broker_of_our_own_has_what_it_can_have():
    own = parsed(kafka={"mode": "self_hosted"}, account={"provision": True})

    assert (own.kafka.authentication, own.kafka.replication_factor) == ("none", 1)
    assert (own.broker_port, own.kafka.controller_port, own.makes_cluster) == (9092, 9093, False)
    assert parsed(account={"provision": True}).makes_cluster


def test_the_variable_is_read_when_asked_for(monkeypatch):
    monkeypatch.setattr("airflow.sdk.Variable.get", lambda name, default: json.dumps(SMALLEST | {"region": name[:4]}))

    assert read_settings().region == "pint"


def test_a_task_says_that_the_variable_is_missing(monkeypatch):
    monkeypatch.setattr("airflow.sdk.Variable.get", lambda name, default: default)

    with pytest.raises(SettingsError, match=r"Variable 'pinterest_pipeline' is not set; see docs/settings\.md"):
        read_settings()


def keys(model: type[Section], prefix: str = "") -> set[str]:
    found = set()
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            found |= keys(section, f"{key}.")
        else:
            found.add(key)
    return found


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        (
            {"lake_stream": {"trigger": "processing_time"}},
            "settings: .*: set databricks.warehouse_id to a SQL warehouse",
        ),
        ({"databricks": {"catalog": "a-b"}}, "databricks.catalog: .*, got 'a-b'"),
        ({"databricks": {"data_security_mode": "NONE"}}, "databricks: .*NONE, which knows no Unity Catalog"),
        (
            {"databricks": {"catalog": "hive_metastore", "data_security_mode": "NONE", "kinesis": CREDENTIAL}},
            "no kinesis.service_credential",
        ),
        ({"databricks": {"data_security_mode": "USER_ISOLATION"}}, "databricks: .*: set kinesis.service_credential"),
    ],
)
def test_what_databricks_cannot_do_together_is_refused_before_a_run(sections, said):
    with pytest.raises(SettingsError, match=said):
        parse_settings(json.dumps(variable(**sections)))


@pytest.mark.parametrize(
    "databricks",
    [
        {"catalog": "hive_metastore", "data_security_mode": "NONE"},
        {"data_security_mode": "USER_ISOLATION", "kinesis": CREDENTIAL},
        {"data_security_mode": "USER_ISOLATION", "storage": "secret_scope"},
    ],
)
def test_every_way_to_the_lake_that_works_is_a_setting(databricks):
    assert parse_settings(json.dumps(variable(databricks=databricks)))


def test_the_catalog_is_named_by_nobody_but_the_user():
    with pytest.raises(SettingsError, match=r"databricks\.catalog: Field required"):
        parse_settings(json.dumps(variable() | {"databricks": {}}))


def test_a_job_that_goes_on_is_counted_by_the_warehouse():
    sections = {"lake_stream": {"trigger": "processing_time"}, "databricks": {"warehouse_id": "w"}}

    assert parse_settings(json.dumps(variable(**sections))).databricks.warehouse_id == "w"


def test_every_setting_is_documented_and_no_other():
    text = (ROOT / "docs/settings.md").read_text()
    documented = set(re.findall(r"^\| `([a-z0-9_.]+)`", text, re.MULTILINE))

    expected = {re.sub(r"^downloads\.\w+\.", "downloads.archive.", key) for key in keys(Settings)}
    assert documented == {key.replace("downloads.archive", "downloads.name") for key in expected}


def test_the_documented_example_is_valid():
    example = re.search(r"```json\n(.*?)```", (ROOT / "docs/settings.md").read_text(), re.DOTALL)

    assert parse_settings(example[1]).user_id == "0e36c8cd403d"
