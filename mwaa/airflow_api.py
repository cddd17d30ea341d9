"""Airflow's REST API in an MWAA environment, through ``InvokeRestApi``: by IAM, from anywhere, without a password.

MWAA takes paths of 64 characters and fewer, without ``/api/v2``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from mwaa.faults import DeployError

PAGE = 100
LONGEST_PATH = 64
OF_AIRFLOW = {"RestApiClientException", "RestApiServerException"}


class AirflowApiError(DeployError):
    """Airflow answered with an error. ``status`` is HTTP's."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class AirflowApi:
    """:param client: of MWAA"""

    def __init__(self, client: Any, environment: str) -> None:
        self.client = client
        self.environment = environment

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        return self.call("GET", path, QueryParameters=query)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self.call("POST", path, Body=body)

    def every(self, path: str, key: str, **query: Any) -> Iterator[dict[str, Any]]:
        """What all pages of a collection hold."""
        seen = 0
        while True:
            page = self.get(path, limit=PAGE, offset=seen, **query)
            yield from page[key]
            seen += len(page[key])
            if not page[key] or seen >= page["total_entries"]:
                return

    def call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """Raises AirflowApiError for what Airflow refuses, DeployError for what IAM does."""
        if len(path) > LONGEST_PATH:
            raise ValueError(f"{path} is longer than {LONGEST_PATH} characters, which MWAA refuses")
        try:
            answer = self.client.invoke_rest_api(Name=self.environment, Method=method, Path=path, **request)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in OF_AIRFLOW:
                status = int(error.response.get("RestApiStatusCode") or 500)
                said = error.response.get("RestApiResponse") or error.response["Error"].get("Message")
                raise AirflowApiError(f"Airflow answers {method} {path} with {status}: {said}", status) from None
            if code == "AccessDeniedException":
                raise DeployError(
                    f"IAM refuses airflow:InvokeRestApi on {self.environment}: allow it for this role on "
                    f"arn:aws:airflow:REGION:ACCOUNT:role/{self.environment}/Admin"
                ) from None
            raise
        found: dict[str, Any] = answer.get("RestApiResponse") or {}
        return found
