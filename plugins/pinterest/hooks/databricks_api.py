"""Calls to Databricks endpoints that the provider's hook has no method for."""

from __future__ import annotations

from typing import Any

from airflow.providers.databricks.hooks.databricks import DatabricksHook


class DatabricksApiHook(DatabricksHook):
    """The provider's hook with one more method: any endpoint, with the connection's credentials and retries."""

    def call(self, method: str, endpoint: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send ``arguments`` as the query of a GET and as the JSON body of anything else. Return the answer.

        Raises ``DatabricksApiError`` for an HTTP error that is not worth retrying.
        """
        # The provider has no public method for this. This is the only place that uses its private one.
        answer: dict[str, Any] = self._do_api_call((method, endpoint), arguments)
        return answer
