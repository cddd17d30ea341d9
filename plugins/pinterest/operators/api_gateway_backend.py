"""Where a REST API finds its backend, which moves when its instance is stopped and started."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.common.compat.sdk import Context

from include.aws.api_gateway import BACKEND_VARIABLE, MADE_BY, PROXY_PATH, proxy_methods, stage_variables
from pinterest.hooks.api_gateway import ApiGatewayHook, RestApiError


class RestApiBackendOperator(AwsBaseOperator[ApiGatewayHook]):
    """Have a deployed API point to where its backend is. Returns ``unchanged``, or ``changed: …`` with both addresses.

    The address is a variable of the stage: a change takes effect at once, without a deployment. A proxy method that
    names another address itself, because somebody or an earlier version made it so, is put right and deployed. Raises
    RestApiError if the API does not exist, has no proxy method or is not deployed.

    :param api_name: name of the API (templated)
    :param stage_name: the stage (templated)
    :param backend_url: where API Gateway reaches the backend (templated)
    """

    aws_hook_class = ApiGatewayHook
    template_fields: Sequence[str] = aws_template_fields("api_name", "stage_name", "backend_url")

    def __init__(self, *, api_name: str, stage_name: str, backend_url: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.api_name = api_name
        self.stage_name = stage_name
        self.backend_url = backend_url

    def execute(self, context: Context) -> str:
        api_id, stage = self.hook.deployed_api(self.api_name, self.stage_name)
        changed = self._put_right(api_id, stage)
        if changed is None:
            return "unchanged"
        changed += self.hook.set_stage_variables(api_id, stage, stage_variables(self.backend_url))
        result = f"changed: {', '.join(changed)}" if changed else "unchanged"
        self.log.info("REST API %s (%s): %s", self.api_name, api_id, result)
        return result

    def _put_right(self, api_id: str, stage: dict[str, Any]) -> list[str] | None:
        """Make the deployed proxy method take its address from the stage. None if it names the right one itself."""
        resource = self.hook.resources(api_id).get(PROXY_PATH, {})
        method = resource.get("resourceMethods", {}).get("ANY", {})
        if "methodIntegration" not in method:
            raise RestApiError(
                f"REST API {self.api_name!r} ({api_id}) has no method ANY {PROXY_PATH} that calls the REST proxy: "
                "run the DAG pinterest_pipeline"
            )
        wanted = proxy_methods(urlsplit(self.backend_url).scheme)["ANY"]["integration"]
        found = method["methodIntegration"].get("uri")
        deployment = self.hook.find_deployment(api_id, stage["deploymentId"]) or {}
        is_ours = deployment.get("description", "").startswith(MADE_BY)
        if is_ours and found == f"{self.backend_url.rstrip('/')}/{{proxy}}":
            return None
        if is_ours and found == wanted["uri"] and BACKEND_VARIABLE in stage.get("variables", {}):
            return []
        if found != wanted["uri"]:
            self.hook.conn.put_integration(restApiId=api_id, resourceId=resource["id"], httpMethod="ANY", **wanted)
        self.hook.conn.create_deployment(
            restApiId=api_id,
            stageName=self.stage_name,
            description=f"{MADE_BY}backend {self.backend_url}",
            variables=stage_variables(self.backend_url),
        )
        return [f"ANY {PROXY_PATH}: {found} → {wanted['uri']}, deployed"]
