from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from include.aws.console import bucket_url, console_urls
from tests.builders import BUCKET, USER_ID, settings


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-1", "console.aws.amazon.com"),
        ("cn-north-1", "console.amazonaws.cn"),
        ("us-gov-west-1", "console.amazonaws-us-gov.com"),
    ],
)
def test_every_part_is_found_in_the_region_of_the_settings(region, host):
    urls = console_urls(settings(region=region))

    assert list(urls) == [
        f"bucket {BUCKET}",
        f"connector {USER_ID}-connector",
        f"REST API {USER_ID}",
        *(f"data stream streaming-{USER_ID}-{entity}" for entity in ("pin", "geo", "user")),
    ]
    assert {urlsplit(url).netloc for url in urls.values()} == {host}
    assert [url for url in urls.values() if f"region={region}" not in url] == []


def test_a_run_id_is_part_of_the_prefix():
    assert bucket_url("us-east-1", "b", "reports/pinterest_batch/scheduled__2026-11-28T00:00:00+00:00/") == (
        "https://console.aws.amazon.com/s3/buckets/b?region=us-east-1"
        "&prefix=reports%2Fpinterest_batch%2Fscheduled__2026-11-28T00%3A00%3A00%2B00%3A00%2F"
    )
