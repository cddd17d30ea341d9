"""Addresses in the AWS console."""

from __future__ import annotations

from urllib.parse import quote

from include.settings import Settings

DOMAINS = {"cn-": "amazonaws.cn", "us-gov-": "amazonaws-us-gov.com"}
"""By how a region's name begins; all others are in the domain of AWS itself."""


def console_url(region: str, path: str) -> str:
    domain = next((name for prefix, name in DOMAINS.items() if region.startswith(prefix)), "aws.amazon.com")
    return f"https://console.{domain}/{path.replace('{region}', quote(region))}"


def bucket_url(region: str, bucket: str, prefix: str = "") -> str:
    """The objects whose keys begin so."""
    return console_url(region, f"s3/buckets/{quote(bucket)}?region={{region}}&prefix={quote(prefix, safe='')}")


def console_urls(settings: Settings) -> dict[str, str]:
    """Where a user's parts are, by what they are. MSK Connect and the REST API have ids, so these are their lists."""
    region = settings.region
    streams = {
        f"data stream {name}": console_url(region, f"kinesis/home?region={{region}}#/streams/details/{name}/monitoring")
        for name in settings.data_streams.values()
    }
    return {
        f"bucket {settings.bucket}": bucket_url(region, settings.bucket),
        f"connector {settings.connector}": console_url(region, "msk/home?region={region}#/connectors"),
        f"REST API {settings.rest_api_name}": console_url(region, "apigateway/main/apis?region={region}"),
        **streams,
    }
