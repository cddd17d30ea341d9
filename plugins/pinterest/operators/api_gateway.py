"""Operators for API Gateway's REST APIs. Each finds what exists, changes what differs and logs what it changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow.providers.amazon.aws.links.base_aws import BASE_AWS_CONSOLE_LINK, BaseAwsLink
from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.common.compat.sdk import Context

from include.aws.api_gateway import (
    MADE_BY,
    Methods,
    Resources,
    fingerprint,
    is_in_place,
    leads_to_proxy,
    stage_variables,
)
from include.aws.ownership import given
from pinterest.hooks.api_gateway import ApiGatewayHook


class RestApiLink(BaseAwsLink):
    """The REST API in the AWS console."""

    name = "REST API"
    key = "rest_api"
    format_str = BASE_AWS_CONSOLE_LINK + "/apigateway/main/apis/{api_id}/resources?api={api_id}&region={region_name}"


class RestApiCreateOperator(AwsBaseOperator[ApiGatewayHook]):
    """Create a REST API. Returns its id.

    An API of the same name is adopted, so a rerun, or a retry after a lost response, does not create a second one.

    :param api_name: name of the API (templated)
    :param api: the other arguments of ``CreateRestApi``, as boto3 takes them (templated)
    :param adopt_tags: tags of the API to adopt if several have the name (templated)
    """

    aws_hook_class = ApiGatewayHook
    template_fields: Sequence[str] = aws_template_fields("api_name", "api", "adopt_tags")
    template_fields_renderers: ClassVar[dict[str, str]] = {"api": "json"}
    operator_extra_links = (RestApiLink(),)

    def __init__(
        self, *, api_name: str, api: dict[str, Any], adopt_tags: Mapping[str, str] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.api_name = api_name
        self.api = api
        self.adopt_tags = adopt_tags

    def execute(self, context: Context) -> str:
        found = self.hook.find_rest_api(self.api_name, tags=self.adopt_tags)
        if found is None:
            found = self.hook.conn.create_rest_api(
                name=self.api_name, **{**self.api, "tags": given(self.api.get("tags", {}))}
            )
            self.log.info("REST API %s created: %s", self.api_name, found["id"])
        else:
            self.log.info("REST API %s exists: %s adopted", self.api_name, found["id"])
        RestApiLink.persist(
            context=context,
            operator=self,
            region_name=self.hook.conn_region_name,
            aws_partition=self.hook.conn_partition,
            api_id=found["id"],
        )
        return str(found["id"])


class RestApiPutResourcesOperator(AwsBaseOperator[ApiGatewayHook]):
    """Create the API's resources and their methods. Returns the methods it created or replaced, as ``VERB path``.

    A method that differs in anything that ``paths`` specifies is replaced. Methods that an earlier run made for the
    REST proxy are deleted if their path is not in ``proxy_paths`` any more. Other resources and methods are left alone;
    the log names those that lead somewhere over HTTP. Callers see no change before the next deployment.

    :param api_id: the API (templated)
    :param proxy_paths: the same as ``paths`` for the resources that lead to the REST proxy, known only when the task
        runs (templated)
    :param paths: methods by path, then by verb, as :func:`~include.aws.api_gateway.proxy_methods` describes them; a
        name that ends in ``.vtl`` stands for that mapping template (templated)
    """

    aws_hook_class = ApiGatewayHook
    template_fields: Sequence[str] = aws_template_fields("api_id", "paths", "proxy_paths")
    template_ext: Sequence[str] = (".vtl",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"paths": "json", "proxy_paths": "json"}

    def __init__(self, *, api_id: str, paths: Resources, proxy_paths: Resources | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.api_id = api_id
        self.paths = paths
        self.proxy_paths = proxy_paths or {}

    def execute(self, context: Context) -> list[str]:
        there = self.hook.resources(self.api_id)
        wanted = {**self.paths, **self.proxy_paths}
        changed = []
        for path, methods in wanted.items():
            resource = self._resource(path, there)
            changed += [f"{verb} {path}" for verb in self._put_methods(resource, methods)]
        self.log.info("Methods: %s", f"{', '.join(changed)} put" if changed else "unchanged")
        for path in sorted(there.keys() - wanted.keys()):
            self._look_at_other(there[path])
        return changed

    def _look_at_other(self, resource: Mapping[str, Any]) -> None:
        """Delete a way to the REST proxy that the settings do not name any more; name those of others."""
        methods, path = resource.get("resourceMethods", {}), resource["path"]
        if self.proxy_paths and any(leads_to_proxy(method) for method in methods.values()):
            for verb in sorted(methods, key=lambda verb: leads_to_proxy(methods[verb])):  # by the last one it is known
                self.hook.conn.delete_method(restApiId=self.api_id, resourceId=resource["id"], httpMethod=verb)
            self.log.info("%s led to the REST proxy, and is not in rest_api.proxy_paths: deleted", path)
            return
        for verb, method in methods.items():
            uri = (method.get("methodIntegration") or {}).get("uri", "")
            if uri.startswith("http"):
                self.log.warning("%s %s was made by others, leads to %s, and is left", verb, path, uri)

    def _resource(self, path: str, there: dict[str, dict[str, Any]]) -> dict[str, Any]:
        """The resource of a path. It and its parents are created if they do not exist."""
        if path not in there:
            parent_path, _, path_part = path.rpartition("/")
            parent = self._resource(parent_path or "/", there)
            created = self.hook.conn.create_resource(restApiId=self.api_id, parentId=parent["id"], pathPart=path_part)
            there[path] = dict(created)
        return there[path]

    def _put_methods(self, resource: Mapping[str, Any], methods: Methods) -> list[str]:
        found = resource.get("resourceMethods", {})
        changed = [verb for verb, method in methods.items() if not is_in_place(method, found.get(verb))]
        for verb in changed:
            where = {"restApiId": self.api_id, "resourceId": resource["id"], "httpMethod": verb}
            if verb in found:
                self.hook.conn.delete_method(**where)
            self._put_method(where, methods[verb])
        return changed

    def _put_method(self, where: Mapping[str, str], method: Mapping[str, Any]) -> None:
        self.hook.conn.put_method(**where, **method["method"])
        self.hook.conn.put_integration(**where, **method["integration"])
        for status, response in method["responses"].items():
            self.hook.conn.put_method_response(**where, statusCode=status, **response["method"])
            self.hook.conn.put_integration_response(**where, statusCode=status, **response["integration"])


class RestApiDeployOperator(AwsBaseOperator[ApiGatewayHook]):
    """Deploy the API to a stage, unless the stage already serves exactly this content. Returns the deployment's id.

    A deployment's description carries the fingerprint of its content, so a rerun after any failure can tell.

    :param api_id: the API (templated)
    :param stage_name: the stage; created if it does not exist (templated)
    :param content: everything that the API is made of (templated, with mapping templates)
    :param backend_url: where API Gateway reaches the backend; a variable of the stage (templated)
    :param vpc_link: id of the VPC link by which it is reached, another variable; empty for none (templated)
    """

    aws_hook_class = ApiGatewayHook
    template_fields: Sequence[str] = aws_template_fields("api_id", "stage_name", "content", "backend_url", "vpc_link")
    template_ext: Sequence[str] = (".vtl",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"content": "json"}

    def __init__(
        self,
        *,
        api_id: str,
        stage_name: str,
        content: Mapping[str, Any],
        backend_url: str,
        vpc_link: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.api_id = api_id
        self.stage_name = stage_name
        self.content = content
        self.backend_url = backend_url
        self.vpc_link = vpc_link

    def execute(self, context: Context) -> str:
        description = f"{MADE_BY}content {fingerprint(self.content)}"
        variables = stage_variables(self.backend_url, self.vpc_link)
        stage = self.hook.find_stage(self.api_id, self.stage_name)
        deployed = None
        if stage is not None:
            for change in self.hook.set_stage_variables(self.api_id, stage, variables):
                self.log.info("Stage %s: %s", self.stage_name, change)
            deployed = self.hook.find_deployment(self.api_id, stage["deploymentId"])
        if deployed is not None and deployed.get("description") == description:
            self.log.info("Stage %s serves deployment %s: unchanged", self.stage_name, deployed["id"])
            return str(deployed["id"])
        deployment = self.hook.conn.create_deployment(
            restApiId=self.api_id, stageName=self.stage_name, description=description, variables=variables
        )
        self.log.info("Stage %s now serves deployment %s", self.stage_name, deployment["id"])
        return str(deployment["id"])


class RestApiUsagePlanOperator(AwsBaseOperator[ApiGatewayHook]):
    """Let callers with a key use the API's stage, at a limited rate. Returns the usage plan's id.

    Plan and key are adopted by name. The key's value goes from API Gateway straight to Parameter Store.

    :param api_id: the API (templated)
    :param stage_name: the deployed stage (templated)
    :param plan_name: name of the usage plan (templated)
    :param key_name: name of the key (templated)
    :param key_parameter: SecureString that keeps the key's value (templated)
    :param throttle: ``rateLimit`` (requests per second) and ``burstLimit``, as numbers or text (templated)
    :param tags: tags for what is created (templated)
    """

    aws_hook_class = ApiGatewayHook
    template_fields: Sequence[str] = aws_template_fields(
        "api_id", "stage_name", "plan_name", "key_name", "key_parameter", "throttle", "tags"
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"throttle": "json", "tags": "json"}

    def __init__(
        self,
        *,
        api_id: str,
        stage_name: str,
        plan_name: str,
        key_name: str,
        key_parameter: str,
        throttle: dict[str, Any],
        tags: dict[str, str],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.api_id = api_id
        self.stage_name = stage_name
        self.plan_name = plan_name
        self.key_name = key_name
        self.key_parameter = key_parameter
        self.throttle = throttle
        self.tags = tags

    def execute(self, context: Context) -> str:
        changes: list[str] = []
        plan_id = self._plan(changes)
        key_id = self._key(changes)
        if not self.hook.is_in_usage_plan(plan_id, key_id):
            self.hook.conn.create_usage_plan_key(usagePlanId=plan_id, keyId=key_id, keyType="API_KEY")
            changes.append("key added to the plan")
        if self.hook.keep_api_key(key_id, self.key_parameter, self.tags):
            changes.append(f"key stored in {self.key_parameter}")
        self.log.info("Usage plan %s (%s): %s", self.plan_name, plan_id, ", ".join(changes) or "unchanged")
        return plan_id

    def _plan(self, changes: list[str]) -> str:
        throttle = {"rateLimit": float(self.throttle["rateLimit"]), "burstLimit": int(self.throttle["burstLimit"])}
        found = self.hook.find_usage_plan(self.plan_name)
        if found is None:
            changes.append("created")
            created = self.hook.conn.create_usage_plan(
                name=self.plan_name,
                throttle=throttle,
                apiStages=[{"apiId": self.api_id, "stage": self.stage_name}],
                tags=given(self.tags),
            )
            return str(created["id"])
        patches = [
            {"op": "replace", "path": f"/throttle/{name}", "value": str(value)}
            for name, value in throttle.items()
            if float(found.get("throttle", {}).get(name, -1)) != value
        ]
        stages = {(stage["apiId"], stage["stage"]) for stage in found.get("apiStages", [])}
        if (self.api_id, self.stage_name) not in stages:
            patches.append({"op": "add", "path": "/apiStages", "value": f"{self.api_id}:{self.stage_name}"})
        if patches:
            self.hook.conn.update_usage_plan(usagePlanId=found["id"], patchOperations=patches)
            changes.append("updated")
        return str(found["id"])

    def _key(self, changes: list[str]) -> str:
        found = self.hook.find_api_key(self.key_name)
        if found is None:
            changes.append("key created")
            created = self.hook.conn.create_api_key(name=self.key_name, enabled=True, tags=given(self.tags))
            return str(created["id"])
        if not found.get("enabled", False):
            self.hook.conn.update_api_key(
                apiKey=found["id"], patchOperations=[{"op": "replace", "path": "/enabled", "value": "true"}]
            )
            changes.append("key enabled")
        return str(found["id"])


class RestApiInvokeUrlOperator(AwsBaseOperator[ApiGatewayHook]):
    """Look up the API's URL and return it.

    :param api_name, stage_name, url_format: see
        :meth:`~pinterest.hooks.api_gateway.ApiGatewayHook.find_invoke_url` (templated)
    """

    aws_hook_class = ApiGatewayHook
    template_fields: Sequence[str] = aws_template_fields("api_name", "stage_name", "url_format")

    def __init__(self, *, api_name: str, stage_name: str, url_format: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.api_name = api_name
        self.stage_name = stage_name
        self.url_format = url_format

    def execute(self, context: Context) -> str:
        url = self.hook.find_invoke_url(self.api_name, stage_name=self.stage_name, url_format=self.url_format)
        self.log.info("The REST API answers at %s", url)
        return url
