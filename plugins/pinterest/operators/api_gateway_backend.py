"""Where a REST API finds its backend, which moves when its instance is stopped and started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.common.compat.sdk import Context

from include.aws.api_gateway import (
    INTERNET,
    MADE_BY,
    PROXY_PATH,
    Resources,
    holds,
    proxy_methods,
    stage_variables,
)
from pinterest.hooks.api_gateway import ApiGatewayHook, RestApiError


class RestApiBackendOperator(AwsBaseOperator[ApiGatewayHook]):
    """Have a deployed API point to where its backend is. Returns ``unchanged``, or ``changed: …`` with both addresses.

    The address and the VPC link are variables of the stage: a change takes effect at once, without a deployment. A
    method that names another address itself, or leads there by another way, because somebody or an earlier version made
    it so, is put right and deployed. Raises RestApiError if the API does not exist, lacks a method or is not deployed.

    :param api_name: name of the API (templated)
    :param stage_name: the stage (templated)
    :param backend_url: where API Gateway reaches the backend (templated)
    :param vpc_link: id of the VPC link by which it is reached; empty for none (templated)
    :param proxy_paths: the resources that lead to the backend, with their methods (templated)
    """

    aws_hook_class = ApiGatewayHook
    template_fields: Sequence[str] = aws_template_fields(
        "api_name", "stage_name", "backend_url", "vpc_link", "proxy_paths"
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"proxy_paths": "json"}

    def __init__(
        self,
        *,
        api_name: str,
        stage_name: str,
        backend_url: str,
        proxy_paths: Resources,
        vpc_link: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.api_name = api_name
        self.stage_name = stage_name
        self.backend_url = backend_url
        self.proxy_paths = proxy_paths
        self.vpc_link = vpc_link

    def execute(self, context: Context) -> str:
        api_id, stage = self.hook.deployed_api(self.api_name, self.stage_name)
        variables = stage_variables(self.backend_url, self.vpc_link)
        changed = self._put_right(api_id, stage, variables)
        if changed is None:
            return "unchanged"
        changed += self.hook.set_stage_variables(api_id, stage, variables)
        result = f"changed: {', '.join(changed)}" if changed else "unchanged"
        self.log.info("REST API %s (%s): %s", self.api_name, api_id, result)
        return result

    def _put_right(self, api_id: str, stage: dict[str, Any], variables: Mapping[str, str]) -> list[str] | None:
        """Make the deployed methods take the way from the stage. None if they name the right address themselves."""
        methods = self._methods(api_id)
        deployment = self.hook.find_deployment(api_id, stage["deploymentId"]) or {}
        is_ours = deployment.get("description", "").startswith(MADE_BY)
        uris = [found.get("uri") for _, _, found, _ in methods]
        if is_ours and not self.vpc_link and uris == [f"{self.backend_url.rstrip('/')}/{{proxy}}"]:
            return None
        wrong = [one for one in methods if not holds({"connectionType": INTERNET, **one[2]}, _way(one[3]))]
        if is_ours and not wrong and variables.keys() <= stage.get("variables", {}).keys():
            return []
        for _, resource_id, _, wanted in wrong:
            self.hook.conn.put_integration(restApiId=api_id, resourceId=resource_id, httpMethod="ANY", **wanted)
        self.hook.conn.create_deployment(
            restApiId=api_id,
            stageName=self.stage_name,
            description=f"{MADE_BY}backend {self.backend_url}",
            variables=dict(variables),
        )
        put = [f"ANY {path}: {_told(found)} → {_told(wanted)}" for path, _, found, wanted in wrong or methods]
        return [f"{', '.join(put)}, deployed"]

    def _methods(self, api_id: str) -> list[tuple[str, str, dict[str, Any], dict[str, Any]]]:
        """Path, id of the resource, integration as found and as wanted. An API of an earlier version has one for all
        paths."""
        there = self.hook.resources(api_id)
        wanted = {path: methods["ANY"]["integration"] for path, methods in self.proxy_paths.items()}
        if PROXY_PATH in there and not wanted.keys() & there.keys():
            self.log.warning("ANY %s leads everywhere in the REST proxy: run the DAG pinterest_pipeline", PROXY_PATH)
            wanted = {PROXY_PATH: self._of_all_paths(wanted)}
        found = []
        for path, integration in wanted.items():
            resource = there.get(path, {})
            method = resource.get("resourceMethods", {}).get("ANY", {})
            if "methodIntegration" not in method:
                raise RestApiError(
                    f"REST API {self.api_name!r} ({api_id}) has no method ANY {path} that calls the REST proxy: "
                    "run the DAG pinterest_pipeline"
                )
            found.append((path, str(resource["id"]), dict(method["methodIntegration"]), dict(integration)))
        return found

    def _of_all_paths(self, wanted: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """The integration of ``/{proxy+}`` that leads the same way as those that are wanted."""
        one = next(iter(wanted.values()))
        scheme = one["uri"].partition("://")[0]
        exposure = "internet" if one["connectionType"] == INTERNET else "vpc_link"
        return dict(proxy_methods(scheme, PROXY_PATH, exposure)["ANY"]["integration"])


def _way(integration: Mapping[str, Any]) -> dict[str, Any]:
    return {name: integration[name] for name in ("uri", "connectionType", "connectionId") if name in integration}


def _told(integration: Mapping[str, Any]) -> str:
    """An integration's way, for the log."""
    by = "" if integration.get("connectionType", INTERNET) == INTERNET else f" by {integration.get('connectionId')}"
    return f"{integration.get('uri')}{by}"
