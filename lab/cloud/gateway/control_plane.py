"""A deployed REST API, read with boto3 from API Gateway's control plane."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.cloud.gateway.responses import GatewayResponses
from lab.cloud.gateway.validation import Validation, compiled
from lab.cloud.gateway.vpc_links import read_links

CAUGHT_PATH = re.compile(r"\{([\w.-]+)(\+?)\}")


class TokenBucket:
    """A token bucket: ``rate`` requests per second, ``burst`` at once."""

    def __init__(self, rate: float, burst: int) -> None:
        self.rate = rate
        self.burst = burst
        self.tokens = float(burst)
        self.filled = time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self.tokens = min(self.burst, self.tokens + (now - self.filled) * self.rate)
        self.filled = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass(frozen=True)
class Method:
    """One HTTP method of a resource. ``integration`` is the control plane's own description."""

    integration: dict[str, Any]
    key_required: bool
    validation: Validation
    signed: bool = False

    @classmethod
    def of(cls, described: dict[str, Any], validation: Validation) -> Method:
        return cls(
            described.get("methodIntegration") or {},
            described.get("apiKeyRequired", False),
            validation,
            described.get("authorizationType") == "AWS_IAM",
        )


@dataclass(frozen=True)
class Route:
    """A resource: its path with ``{name}`` and ``{name+}``, as a pattern over the raw (percent-encoded) path."""

    path: str
    pattern: re.Pattern[str]
    names: tuple[str, ...]
    methods: dict[str, Method]

    @classmethod
    def of(cls, resource: dict[str, Any], validation: Callable[[dict[str, Any]], Validation]) -> Route:
        path = resource["path"]
        names = []
        pattern = ""
        end = 0
        for caught in CAUGHT_PATH.finditer(path):
            names.append(caught[1])
            pattern += re.escape(path[end : caught.start()]) + ("(.+)" if caught[2] else "([^/]+)")
            end = caught.end()
        pattern += re.escape(path[end:])
        methods = {
            name: Method.of(method, validation(method)) for name, method in resource.get("resourceMethods", {}).items()
        }
        return cls(path, re.compile(pattern + "/?"), tuple(names), methods)

    @property
    def precedence(self) -> list[int]:
        """Sort key, segment by segment: literal text comes before ``{name}``, and that before ``{name+}``."""
        segments = self.path.split("/")
        return [0 if "{" not in s else 2 if s.endswith("+}") else 1 for s in segments]


@dataclass(frozen=True)
class Deployment:
    """An API's resources as deployed: later changes are not served before the next deployment."""

    id: str
    routes: tuple[Route, ...]
    responses: GatewayResponses

    @property
    def uses_links(self) -> bool:
        methods = (method for route in self.routes for method in route.methods.values())
        return any(method.integration.get("connectionType") == "VPC_LINK" for method in methods)

    def find(self, method: str, path: str) -> tuple[Method, dict[str, str]] | None:
        """The method that serves a raw path, and the values of its path parameters."""
        for route in self.routes:
            match = route.pattern.fullmatch(path)
            if match:
                found = route.methods.get(method) or route.methods.get("ANY")
                return (found, dict(zip(route.names, match.groups(), strict=True))) if found else None
        return None


@dataclass(frozen=True)
class Stage:
    """A stage: its deployment, its variables, who may call it and how often.

    ``keys``: the value of each enabled key in a usage plan for this stage, with its bucket (None if the plan sets no
    throttle). ``bucket``: the stage's own throttle, shared by all callers. ``links``: where VPC links lead.
    """

    deployment: Deployment
    variables: dict[str, str]
    keys: dict[str, TokenBucket | None]
    bucket: TokenBucket | None
    links: dict[str, dict[int, int]]


class ControlPlane:
    """Reads stages. A bucket keeps its level across readings as long as its limits stay the same."""

    def __init__(self, client: Any, load_balancers: Any) -> None:
        self.client = client
        self.load_balancers = load_balancers
        self.buckets: dict[tuple[Any, ...], TokenBucket] = {}

    def read_stage(self, api_id: str, name: str, known: Stage | None) -> Stage | None:
        """The current stage, or None if it does not exist. ``known``: the stage as read before."""
        try:
            stage = self.client.get_stage(restApiId=api_id, stageName=name)
        except self.client.exceptions.NotFoundException:
            return None
        if known and known.deployment.id == stage["deploymentId"]:
            deployment = known.deployment
        else:
            deployment = self.read_deployment(api_id, stage["deploymentId"])
        limits = stage.get("methodSettings", {}).get("*/*", {})
        return Stage(
            deployment,
            stage.get("variables", {}),
            self.read_keys(api_id, name),
            self.bucket((api_id, name), limits.get("throttlingRateLimit"), limits.get("throttlingBurstLimit")),
            read_links(self.client, self.load_balancers) if deployment.uses_links else {},
        )

    def read_deployment(self, api_id: str, deployment_id: str) -> Deployment:
        resources = self.items("get_resources", restApiId=api_id, embed=["methods"])
        validation = self.read_validation(api_id)
        routes = sorted((Route.of(resource, validation) for resource in resources), key=lambda route: route.precedence)
        responses = GatewayResponses.of(self.client.get_gateway_responses(restApiId=api_id)["items"])
        return Deployment(deployment_id, tuple(routes), responses)

    def read_validation(self, api_id: str) -> Callable[[dict[str, Any]], Validation]:
        """The validation that a method's description demands."""
        validators = {one["id"]: one for one in self.items("get_request_validators", restApiId=api_id)}
        models = {one["name"]: compiled(one["schema"]) for one in self.items("get_models", restApiId=api_id)}

        def validation(method: dict[str, Any]) -> Validation:
            validator = validators.get(method.get("requestValidatorId", ""))
            return Validation.of(method, validator, models) if validator else Validation()

        return validation

    def read_keys(self, api_id: str, stage: str) -> dict[str, TokenBucket | None]:
        enabled = {key["id"] for key in self.items("get_api_keys") if key["enabled"]}
        keys: dict[str, TokenBucket | None] = {}
        for plan in self.items("get_usage_plans"):
            if not any((s["apiId"], s["stage"]) == (api_id, stage) for s in plan.get("apiStages", [])):
                continue
            limits = plan.get("throttle") or {}
            for key in self.items("get_usage_plan_keys", usagePlanId=plan["id"]):
                if key["id"] in enabled:
                    bucket = self.bucket((plan["id"], key["id"]), limits.get("rateLimit"), limits.get("burstLimit"))
                    keys[key["value"]] = bucket
        return keys

    def bucket(self, owner: tuple[str, str], rate: float | None, burst: int | None) -> TokenBucket | None:
        if not rate:
            return None
        limits = (float(rate), int(burst or 1))
        return self.buckets.setdefault((owner, *limits), TokenBucket(*limits))

    def items(self, operation: str, **arguments: Any) -> list[dict[str, Any]]:
        pages = self.client.get_paginator(operation).paginate(**arguments)
        return [item for page in pages for item in page["items"]]
