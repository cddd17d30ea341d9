from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException
from airflow.providers.databricks.exceptions import DatabricksApiError
from airflow.sdk import RetryAction
from airflow.sdk.exceptions import AirflowRuntimeError, AirflowTaskTimeout, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from jinja2 import UndefinedError

from include.posting.order import PostingOrderError
from include.posting.sender import PostingError, PostingStoppedError
from include.settings import SettingsError
from pinterest.retry_policy import RetryWhatMayPass


def aws(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "…"}}, "GetObject")


def databricks(status: int | None) -> DatabricksApiError:
    return DatabricksApiError("…", http_status_code=status)


LASTING = [
    SettingsError("region: got 7"),
    PostingOrderError("posts: got -1"),
    TypeError("Object of type Decimal is not JSON serializable"),
    UndefinedError("'settings' is undefined"),
    AirflowNotFoundException("The conn_id `pinterest_source` isn't defined"),
    AirflowRuntimeError(ErrorResponse(error=ErrorType.CONNECTION_NOT_FOUND)),
    NoCredentialsError(),
    aws("AccessDenied"),
    aws("NoSuchBucket"),
    aws("UnrecognizedClientException"),
    *map(aws, ("LimitExceeded", "ParameterLimitExceeded", "VcpuLimitExceeded", "VpcEndpointLimitExceeded")),
    databricks(403),
    databricks(404),
]
PASSING = [
    AirflowException("a service that is not ready"),
    AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR)),
    AirflowTaskTimeout("execution_timeout"),
    ConnectionResetError("reset by peer"),
    TimeoutError("no answer"),
    PostingError("500"),
    PostingStoppedError("killed"),
    EndpointConnectionError(endpoint_url="https://kinesis"),
    aws("ThrottlingException"),
    aws("LimitExceededException"),  # a quota or, of Kinesis, too many new data streams at a time
    aws("BadRequestException"),  # a role that was made a moment ago
    aws("ServiceUnavailable"),
    databricks(503),
    databricks(None),
]


@pytest.mark.parametrize("error", LASTING, ids=repr)
def test_a_fault_that_lasts_is_not_tried_again(error):
    assert RetryWhatMayPass().evaluate(error, 1, 3).action is RetryAction.FAIL


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_a_fault_that_may_pass_is_left_to_the_tasks_retries(error):
    assert RetryWhatMayPass().evaluate(error, 1, 3).action is RetryAction.DEFAULT
