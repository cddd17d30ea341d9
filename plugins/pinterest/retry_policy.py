"""When Airflow tries a task again: only after an error that may pass."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException
from airflow.providers.databricks.exceptions import DatabricksApiError
from airflow.sdk import Context, RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from botocore.exceptions import (
    ClientError,
    DataNotFoundError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
)
from jinja2 import TemplateError
from pydantic import ValidationError

from include.faults import LastingError

LASTING = (
    LastingError,
    AirflowNotFoundException,
    # a document, a template or a setting that does not parse, and mistakes in the code
    ValidationError,
    TemplateError,
    TypeError,
    AttributeError,
    NameError,
    ImportError,
    # what AWS is not even asked for
    DataNotFoundError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
)
NOT_FOUND_IN_AIRFLOW = frozenset({ErrorType.CONNECTION_NOT_FOUND, ErrorType.VARIABLE_NOT_FOUND})

LASTING_AWS_CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "BucketAlreadyExists",
        "ForbiddenException",
        "InstanceLimitExceeded",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "LimitExceeded",
        "NoSuchBucket",
        "OptInRequired",
        "ParameterLimitExceeded",
        "RulesPerSecurityGroupLimitExceeded",
        "SecurityGroupLimitExceeded",
        "SignatureDoesNotMatch",
        "TooManyBuckets",
        "TooManyListeners",
        "TooManyLoadBalancers",
        "TooManyTargetGroups",
        "UnauthorizedException",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
        "VcpuLimitExceeded",
        "VpcEndpointLimitExceeded",
    }
)
"""Who we are, what we may do, how much of it, and a bucket that is not there or somebody else's. AWS' other refusals
may pass: what was made a moment ago is not known everywhere yet."""

LASTING_DATABRICKS_STATUSES = frozenset({400, 401, 403, 404})


class RetryWhatMayPass(RetryPolicy):
    """Fail a task at once for an error that lasts; after any other, its ``retries`` count.

    Errors of ``include`` say themselves whether they last, see :class:`~include.faults.LastingError`; what AWS,
    Databricks and Airflow raise is sorted here.
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        if lasts(exception):
            return RetryDecision.fail(f"{type(exception).__name__} lasts until its cause is changed: not tried again")
        return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        return {"__type": type(self).__name__}


def lasts(error: BaseException) -> bool:
    """Whether the same attempt would fail again, until somebody changes something."""
    match error:
        case ClientError():
            return error.response.get("Error", {}).get("Code") in LASTING_AWS_CODES
        case DatabricksApiError():
            return error.http_status_code in LASTING_DATABRICKS_STATUSES
        case AirflowRuntimeError():
            return error.error.error in NOT_FOUND_IN_AIRFLOW
    return isinstance(error, LASTING)
