"""API Gateway (REST APIs): the API that receives posts, its stage, usage plan and key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from airflow.sdk.log import mask_secret

from include.aws.ownership import as_pairs
from include.faults import LastingError
from pinterest.hooks.aws import AwsBaseHook, SsmHook

VPC_LINK_STATUS = ["status", "statusMessage"]


class RestApiError(LastingError, RuntimeError):
    """The REST API is missing, ambiguous or not deployed. The message says what to do."""


class ApiGatewayHook(AwsBaseHook):
    """Thin wrapper around ``boto3.client("apigateway")``, and the API's key in Parameter Store.

    It has waiters of ours (``waiters/apigateway.json``).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "apigateway"
        super().__init__(*args, **kwargs)

    @property
    def waiter_path(self) -> Path:
        return Path(__file__).parents[1] / "waiters" / "apigateway.json"

    def find_rest_api(self, name: str, *, tags: Mapping[str, str] | None = None) -> dict[str, Any] | None:
        """The API with exactly this name, or None. Of several, the one with these tags.

        Raises RestApiError if several have the name and not exactly one has the tags.
        """
        named = [api for api in self._all("get_rest_apis") if api.get("name") == name]
        tagged = [api for api in named if tags and tags.items() <= api.get("tags", {}).items()]
        found = named if len(named) == 1 else tagged
        if named and len(found) != 1:
            ids = ", ".join(sorted(api["id"] for api in named))
            raise RestApiError(
                f"{len(named)} REST APIs are named {name!r} ({ids}): delete or rename all but the one to use"
            )
        return found[0] if found else None

    def find_vpc_links(self, name: str) -> list[dict[str, Any]]:
        """All VPC links with exactly this name, which need not be unique; an AVAILABLE one is the first."""
        named = [link for link in self._all("get_vpc_links") if link.get("name") == name]
        return sorted(named, key=lambda link: (link.get("status") != "AVAILABLE", link["id"]))

    def resources(self, api_id: str) -> dict[str, dict[str, Any]]:
        """All resources by path, with their methods and the methods' integrations."""
        resources = self._all("get_resources", restApiId=api_id, embed=["methods"])
        return {resource["path"]: resource for resource in resources}

    def find_request_validator(self, api_id: str, name: str) -> dict[str, Any] | None:
        validators = self._all("get_request_validators", restApiId=api_id)
        return next((validator for validator in validators if validator.get("name") == name), None)

    def models(self, api_id: str) -> dict[str, dict[str, Any]]:
        """All models by name; each one's schema is JSON text."""
        return {model["name"]: model for model in self._all("get_models", restApiId=api_id)}

    def find_stage(self, api_id: str, stage_name: str) -> dict[str, Any] | None:
        try:
            return dict(self.conn.get_stage(restApiId=api_id, stageName=stage_name))
        except self.conn.exceptions.NotFoundException:
            return None

    def find_deployment(self, api_id: str, deployment_id: str) -> dict[str, Any] | None:
        try:
            return dict(self.conn.get_deployment(restApiId=api_id, deploymentId=deployment_id))
        except self.conn.exceptions.NotFoundException:
            return None

    def find_usage_plan(self, name: str) -> dict[str, Any] | None:
        return next((plan for plan in self._all("get_usage_plans") if plan.get("name") == name), None)

    def find_api_key(self, name: str) -> dict[str, Any] | None:
        """The key with exactly this name, without its value, or None. The service itself matches by prefix."""
        return next((key for key in self._all("get_api_keys", nameQuery=name) if key.get("name") == name), None)

    def is_in_usage_plan(self, plan_id: str, key_id: str) -> bool:
        return any(key["id"] == key_id for key in self._all("get_usage_plan_keys", usagePlanId=plan_id))

    def find_invoke_url(self, api_name: str, *, stage_name: str, url_format: str) -> str:
        """The API's URL. Raises RestApiError if the API does not exist or is not deployed to the stage.

        :param url_format: format string with the fields ``api_id``, ``region`` and ``stage``
        """
        api_id, _ = self.deployed_api(api_name, stage_name)
        return url_format.format(api_id=api_id, region=self.conn_region_name, stage=stage_name)

    def deployed_api(self, api_name: str, stage_name: str) -> tuple[str, dict[str, Any]]:
        """The API's id and its stage. Raises RestApiError if one of them does not exist."""
        api = self.find_rest_api(api_name)
        if api is None:
            raise RestApiError(f"No REST API {api_name!r} in {self.conn_region_name}: run the DAG pinterest_pipeline")
        stage = self.find_stage(api["id"], stage_name)
        if stage is None:
            raise RestApiError(
                f"REST API {api_name!r} ({api['id']}) is not deployed to the stage {stage_name!r}: "
                "run the DAG pinterest_pipeline"
            )
        return str(api["id"]), stage

    def set_stage_variables(self, api_id: str, stage: Mapping[str, Any], variables: Mapping[str, str]) -> list[str]:
        """Give the stage these variables; others stay. Returns what changed, as ``name: before → after``."""
        before = stage.get("variables", {})
        changed = {name: value for name, value in variables.items() if before.get(name) != value}
        if changed:
            patches = [{"op": "replace", "path": f"/variables/{name}", "value": v} for name, v in changed.items()]
            self.conn.update_stage(restApiId=api_id, stageName=stage["stageName"], patchOperations=patches)
        return [f"{name}: {before.get(name, 'none')} → {value}" for name, value in changed.items()]

    def keep_api_key(self, key_id: str, parameter: str, tags: Mapping[str, str]) -> bool:
        """Store the key's value in Parameter Store, encrypted. Returns False if it was already there.

        Parameter Store takes tags only with a new parameter; one that is there is tagged before its value changes.
        """
        value = str(self.conn.get_api_key(apiKey=key_id, includeValue=True)["value"])
        mask_secret(value)
        kept = self._ssm.get_parameter_value(parameter, default="")
        if kept == value:
            return False
        ssm, pairs, secret = self._ssm.conn, as_pairs(tags), {"Name": parameter, "Value": value, "Type": "SecureString"}
        if kept:
            ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=parameter, Tags=pairs)
            ssm.put_parameter(**secret, Overwrite=True)
        else:
            ssm.put_parameter(**secret, Tags=pairs)
        return True

    def kept_api_key(self, parameter: str) -> str:
        """The key's value from Parameter Store, masked in logs from then on."""
        value = str(self._ssm.get_parameter_value(parameter, default=""))
        if not value:
            raise RestApiError(
                f"Parameter Store has no {parameter}, where the REST API's key is kept: run the DAG pinterest_pipeline"
            )
        mask_secret(value)
        return value

    @cached_property
    def _ssm(self) -> SsmHook:
        return SsmHook(
            aws_conn_id=self.aws_conn_id, region_name=self._region_name, verify=self._verify, config=self._config
        )

    def _all(self, operation: str, **arguments: Any) -> Iterable[dict[str, Any]]:
        for page in self.conn.get_paginator(operation).paginate(**arguments):
            yield from page["items"]
