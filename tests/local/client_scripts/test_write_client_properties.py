"""The script that writes client.properties."""

from __future__ import annotations

import pytest

from pinterest.hooks.kafka_client import LASTING
from tests.local.client_scripts.client_machine import IAM_PROPERTIES, tree

SCRIPT = "kafka_client/write_client_properties.sh"
PLAIN = {"kafka": {"authentication": "none"}}


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        pytest.param({}, IAM_PROPERTIES.format(role=""), id="iam"),
        pytest.param(
            {"role_arn": "arn:aws:iam::1:role/r"},
            IAM_PROPERTIES.format(role=' awsRoleArn="arn:aws:iam::1:role/r"'),
            id="iam with a role",
        ),
        pytest.param({"authentication": "none"}, "security.protocol=PLAINTEXT\n", id="none"),
    ],
)
def test_client_properties(run, kafka, section, expected):
    file = kafka / "bin/client.properties"
    for first in ("changed: ", "unchanged"):
        code, line, _ = run("kafka_client/write_client_properties.sh", sections={"kafka": section})
        assert (code, line[:9]) == (0, first)
        assert file.read_text() == expected
        assert file.stat().st_mode & 0o777 == 0o644
    assert [p.name for p in (kafka / "bin").iterdir()] == ["client.properties"]


def test_a_change_of_the_settings_replaces_what_was_written(run, kafka):
    file = kafka / "bin/client.properties"
    run(SCRIPT)

    assert run(SCRIPT, sections=PLAIN)[1].startswith("changed: ")
    assert file.read_text() == "security.protocol=PLAINTEXT\n"
    assert [p.name for p in (kafka / "bin").iterdir()] == ["client.properties"]


@pytest.mark.parametrize(
    "mine",
    [
        pytest.param("# Sets up TLS\n" + IAM_PROPERTIES.format(role=""), id="with a comment"),
        pytest.param("security.protocol=PLAINTEXT\nretries=3\n", id="with a key of their own"),
        pytest.param("", id="empty"),
    ],
)
def test_a_file_of_the_user_is_in_the_way(run, kafka, mine):
    (kafka / "bin/client.properties").write_text(mine)
    before = tree(kafka)

    code, _, stderr = run(SCRIPT)

    assert code == LASTING
    assert f"{kafka}/bin/client.properties is in the way" in stderr
    assert tree(kafka) == before


def test_a_file_that_the_user_changed_since_is_in_the_way(run, kafka):
    file = kafka / "bin/client.properties"
    run(SCRIPT)
    file.write_text(file.read_text() + "retries=3\n")

    assert run(SCRIPT, sections=PLAIN)[0] == LASTING
    assert "retries=3" in file.read_text()


def test_a_link_of_the_user_is_in_the_way(run, kafka):
    (kafka / "mine").write_text("security.protocol=PLAINTEXT\n")
    (kafka / "bin/client.properties").symlink_to("../mine")

    assert run(SCRIPT)[0] == LASTING
    assert run(SCRIPT, sections=PLAIN)[:2] == (0, "unchanged")
    assert (kafka / "mine").read_text() == "security.protocol=PLAINTEXT\n"


def test_a_file_of_an_earlier_version_is_kept_beside_its_replacement(run, kafka):
    earlier = IAM_PROPERTIES.format(role=' awsRoleArn="arn:aws:iam::1:role/r"')
    (kafka / "bin/client.properties").write_text(earlier)

    assert run(SCRIPT)[1].startswith("changed: ")
    assert (kafka / "bin/client.properties").read_text() == IAM_PROPERTIES.format(role="")
    assert (kafka / "bin/client.properties.replaced.1").read_text() == earlier
