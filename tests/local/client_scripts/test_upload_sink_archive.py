"""The script that copies the connector's archive to the bucket."""

from __future__ import annotations

from tests.local.client_scripts.client_machine import BLANK, UPLOAD


def test_upload_carries_the_signed_headers(run, web, home):
    environment = web.offer("/sink.zip", b"zip" * 1000) | UPLOAD

    code, line, _ = run(
        "s3_sink/upload_sink_archive.sh", environment, {"UPLOAD_URL": f"{web.url}/bucket/key?Signature=a%2Bb&x=1"}
    )

    assert (code, line) == (0, "changed: sink.zip is in the bucket")
    [(path, headers, body)] = web.puts
    assert path == "/bucket/key?Signature=a%2Bb&x=1"
    assert (headers["x-amz-meta-sha256"], headers["x-amz-checksum-sha256"]) == ("abc", "def=")
    assert body == b"zip" * 1000
    assert list(home.iterdir()) == []


def test_upload_that_the_bucket_refuses(run, web):
    web.put_status = 403
    environment = web.offer("/sink.zip", b"zip") | UPLOAD

    code, _, stderr = run(
        "s3_sink/upload_sink_archive.sh", environment, {"UPLOAD_URL": f"{web.url}/bucket/key?Signature=s3cret"}
    )

    assert code != 0
    assert "HTTP 403 AccessDenied, Not yours" in stderr
    assert "s3cret" not in stderr


def test_nothing_with_a_wrong_checksum_is_uploaded(run, web):
    environment = web.offer("/sink.zip", b"zip") | UPLOAD | {"SHA256": BLANK}

    assert run("s3_sink/upload_sink_archive.sh", environment, {"UPLOAD_URL": f"{web.url}/bucket/key"})[0] != 0
    assert web.puts == []
