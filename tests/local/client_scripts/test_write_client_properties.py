"""The script that writes client.properties."""

from __future__ import annotations

import pytest

from tests.local.client_scripts.client_machine import IAM_PROPERTIES


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
