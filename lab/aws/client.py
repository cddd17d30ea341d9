"""boto3 clients for the lab's account, for the lab's own use."""

from __future__ import annotations

import os
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from lab.state import REGION, State

NO_PROFILES = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


def aws(state: State, service: str) -> Any:
    """A boto3 client for the lab's account. It ignores this machine's AWS profiles."""
    session = boto3.Session(botocore_session=botocore.session.Session(session_vars=NO_PROFILES))
    return session.client(
        service,
        endpoint_url=f"http://127.0.0.1:{state.port('aws')}",
        region_name=REGION,
        aws_access_key_id=state.secret("aws_access_key_id"),
        aws_secret_access_key=state.secret("aws_secret_access_key"),
        config=Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 2}, proxies={}),
    )
