"""MSK Connect (``kafkaconnect``): connectors, custom plugins, worker configurations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.providers.amazon.aws.utils.waiter_with_logging import wait
from airflow.providers.common.compat.sdk import AirflowException

from pinterest.hooks.aws import AwsBaseHook

CONNECTOR_STATUS = ["connectorState", "stateDescription.code", "stateDescription.message"]
OPERATION_STATUS = ["connectorOperationState", "errorInfo.code", "errorInfo.message"]


class MskConnectHook(AwsBaseHook):
    """Thin wrapper around ``boto3.client("kafkaconnect")``.

    boto3 ships no waiters for this service, and the base class looks only inside the provider, so
    ``waiters/kafkaconnect.json`` defines ours. The service matches names by prefix; the finders here match whole names.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "kafkaconnect"
        super().__init__(*args, **kwargs)

    @property
    def waiter_path(self) -> Path:
        return Path(__file__).parents[1] / "waiters" / "kafkaconnect.json"

    def find_connector(self, name: str) -> dict[str, Any] | None:
        """Summary of the connector, or None."""
        pages = self.conn.get_paginator("list_connectors").paginate(connectorNamePrefix=name)
        return next((c for page in pages for c in page["connectors"] if c["connectorName"] == name), None)

    def delete_connector(self, connector: Mapping[str, Any], *, waiter_delay: int, waiter_max_attempts: int) -> None:
        """Delete a connector, unless that has begun, and wait until it is gone.

        :param connector: the connector as the service describes it, or its summary
        """
        arn = connector["connectorArn"]
        if connector["connectorState"] != "DELETING":
            self.conn.delete_connector(connectorArn=arn)
        self.wait_for_connector(
            "connector_deleted",
            arn,
            connector["connectorName"],
            waiter_delay=waiter_delay,
            waiter_max_attempts=waiter_max_attempts,
        )

    def wait_for_connector(
        self, waiter: str, connector_arn: str, name: str, *, waiter_delay: int, waiter_max_attempts: int
    ) -> None:
        """Wait until a waiter succeeds. Raises AirflowException with the service's reason if it cannot."""
        try:
            wait(
                waiter=self.get_waiter(waiter),
                waiter_delay=waiter_delay,
                waiter_max_attempts=waiter_max_attempts,
                args={"connectorArn": connector_arn},
                failure_message=f"Connector {name}: {waiter} will not happen",
                status_message=f"Connector {name}",
                status_args=CONNECTOR_STATUS,
            )
        except AirflowException as error:
            found = self.conn.describe_connector(connectorArn=connector_arn)
            raise AirflowException(f"{error}: {state_of(found)}") from error

    def find_custom_plugin(self, name: str) -> dict[str, Any] | None:
        """Summary of the custom plugin, or None."""
        pages = self.conn.get_paginator("list_custom_plugins").paginate(namePrefix=name)
        return next((p for page in pages for p in page["customPlugins"] if p["name"] == name), None)

    def find_worker_configuration(self, name: str) -> dict[str, Any] | None:
        """Summary of the worker configuration, or None."""
        pages = self.conn.get_paginator("list_worker_configurations").paginate(namePrefix=name)
        return next((w for page in pages for w in page["workerConfigurations"] if w["name"] == name), None)

    def has_tags(self, arn: str, tags: Mapping[str, str]) -> bool:
        """Whether a resource has all of these tags."""
        found = self.conn.list_tags_for_resource(resourceArn=arn).get("tags", {})
        return all(found.get(name) == value for name, value in tags.items())

    def typed(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """The request with JSON text parsed wherever the service's model expects another type, a list or a number."""
        shape = self.conn.meta.service_model.operation_model(operation).input_shape
        return dict(_typed(shape, request))


def state_of(described: Mapping[str, Any]) -> str:
    """The state of a connector or a custom plugin in the service's own words."""
    reason = described.get("stateDescription", {})
    state = described.get("connectorState") or described.get("customPluginState") or "unknown"
    return " ".join(str(word) for word in (state, reason.get("code"), reason.get("message")) if word)


def outcome_of(operation: Mapping[str, Any]) -> str:
    """How the update of a connector ended, why, and at which steps, in the service's own words."""
    reason = operation.get("errorInfo", {})
    said = (operation["connectorOperationState"], reason.get("code"), reason.get("message"))
    steps = [
        f"{step['stepType']} {step['stepState']}"
        for step in operation.get("operationSteps", [])
        if step["stepState"] != "COMPLETED"
    ]
    return " ".join(str(word) for word in said if word) + (f" ({', '.join(steps)})" if steps else "")


def _typed(shape: Any, value: Any) -> Any:
    if isinstance(value, str) and shape.type_name not in ("string", "timestamp", "blob"):
        value = json.loads(value)
    if shape.type_name == "structure" and isinstance(value, dict):
        return {k: _typed(shape.members[k], v) if k in shape.members else v for k, v in value.items()}
    if shape.type_name == "map" and isinstance(value, dict):
        return {k: _typed(shape.value, v) for k, v in value.items()}
    if shape.type_name == "list" and isinstance(value, (list, tuple)):
        return [_typed(shape.member, v) for v in value]
    return value
