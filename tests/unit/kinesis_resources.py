"""The REST API's resources in front of Kinesis, for a role of the smallest settings."""

from __future__ import annotations

from include.aws.kinesis_api import kinesis_resources
from tests.builders import USER_ID

ROLE = f"{USER_ID}-kinesis-access-role"
ROLE_ARN = f"arn:aws:iam::000000000000:role/{ROLE}"
PATHS = kinesis_resources(region="eu-west-1", role_arn=ROLE_ARN, validator_id="v1")
METHODS = [
    (path, verb, method) for path, methods in PATHS.items() for verb, method in methods.items() if verb != "OPTIONS"
]
