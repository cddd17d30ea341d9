"""Methods for callers who sign with IAM credentials (``authorizationType`` is ``AWS_IAM``)."""

from __future__ import annotations

import hmac
import re

from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lab.cloud.gateway.integrations import GatewayError
from lab.state import REGION

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/\d+/[^/]+/execute-api/aws4_request, "
    r"SignedHeaders=(?P<headers>[^,]+), Signature=(?P<signature>[0-9a-f]{64})"
)


def admit_signed(request: web.Request, body: bytes, secret: str) -> None:
    """Raise GatewayError unless the call is signed with the account's secret key, whoever signs."""
    signed = AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
    if signed is None:
        token = ("Missing Authentication Token", "MissingAuthenticationTokenException")
        raise GatewayError(403, *token, "MISSING_AUTHENTICATION_TOKEN")
    if not hmac.compare_digest(signature(request, body, signed["key"], signed["headers"], secret), signed["signature"]):
        message = "The request signature we calculated does not match the signature you provided."
        raise GatewayError(403, message, "InvalidSignatureException", "INVALID_SIGNATURE")


def signature(request: web.Request, body: bytes, key: str, headers: str, secret: str) -> str:
    """The signature that these headers of the call should have."""
    url = f"http://{request.headers['Host']}{request.raw_path}"
    said = {name: request.headers.get(name, "") for name in headers.split(";")}
    call = AWSRequest(method=request.method, url=url, data=body, headers=said)
    call.context["timestamp"] = request.headers.get("X-Amz-Date", "")
    auth = SigV4Auth(Credentials(key, secret), "execute-api", REGION)
    return str(auth.signature(auth.string_to_sign(call, auth.canonical_request(call)), call))
