"""The REST API: it turns requests to ``/topics/<topic>`` or ``/streams/<stream>/record`` into records.

Seed steps: create a REST API with CORS, add the resource ``{proxy+}`` with the method ANY as an HTTP proxy to the
client machine's port 8082, add the resources below ``/streams`` with mapping templates to Kinesis actions that run
with the Kinesis role, deploy the API to a stage, and note the invoke URL. Beyond the seeds: callers need a key, the API
reaches no more of the proxy than it has to, by a VPC link if the settings say so, and refuses a body without data or
partition key itself.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from airflow.sdk import chain, task, task_group

from include.aws.api_gateway import (
    VALIDATOR,
    gateway_responses,
    proxy_resources,
    rest_api_request,
    usage_plan_request,
)
from include.aws.kinesis_api import REQUEST_MODELS, kinesis_resources
from include.settings import ENTITIES
from pinterest.operators.api_gateway import (
    RestApiCreateOperator,
    RestApiDeployOperator,
    RestApiInvokeUrlOperator,
    RestApiPutResourcesOperator,
    RestApiUsagePlanOperator,
)
from pinterest.operators.api_gateway_backend import RestApiBackendOperator
from pinterest.operators.api_gateway_validation import RestApiPutValidationOperator
from pinterest.operators.iam import IamCreateRoleOperator
from pinterest.rest_proxy_address import rest_proxy_address
from pinterest.sensors.rest_api import RestApiStreamsSensor, RestApiTopicsSensor
from pinterest.sensors.rest_proxy_target import RestProxyTargetSensor
from pinterest.settings import settings
from pinterest_stages.tags import OWNER_TAGS, TAGS


@task(multiple_outputs=True)
def backend() -> dict[str, Any]:
    """Where API Gateway reaches the REST proxy, by which VPC link, and the resources that lead there."""
    current = settings()
    address = rest_proxy_address(current)
    paths = proxy_resources(current.rest_api.proxy_paths, current.rest_proxy.scheme, current.exposure)
    return {"url": address.url, "vpc_link": address.vpc_link, "paths": paths}


def target() -> RestProxyTargetSensor:
    """The load balancer sends requests to the REST proxy; on the Internet, the log says what that means."""
    return RestProxyTargetSensor(
        task_id="target",
        exposure="{{ settings().exposure }}",
        group_name="{{ settings().vpc_link }}",
        port="{{ settings().rest_proxy.port }}",
        poke_interval=5,
        timeout=timedelta(minutes=5),
    )


@task_group(group_id="rest_api")
def rest_api() -> None:
    address = cast("Any", backend())  # its keys are XComs of their own
    api = RestApiCreateOperator(
        task_id="api",
        api_name="{{ settings().rest_api_name }}",
        api=rest_api_request("{{ settings().user_id }}", TAGS),
        adopt_tags=OWNER_TAGS,
    )
    api_id = cast("str", api.output)  # a str once the task runs
    kinesis_role = IamCreateRoleOperator(
        task_id="kinesis_role",
        role_name="{{ settings().kinesis_role }}",
        trust="policies/kinesis_api.trust.json",
        policy_name="kinesis-streams",
        policy="policies/kinesis_api.json",
        tags=TAGS,
    )
    validation = RestApiPutValidationOperator(
        task_id="validation",
        api_id=api_id,
        validator_name=VALIDATOR,
        models=REQUEST_MODELS,
        responses=gateway_responses(),
    )
    content = kinesis_resources(
        region="{{ settings().region }}", role_arn=kinesis_role.output, validator_id=validation.output
    )
    proxy_paths = address["paths"]
    resources = RestApiPutResourcesOperator(task_id="resources", api_id=api_id, paths=content, proxy_paths=proxy_paths)
    deployment = RestApiDeployOperator(
        task_id="deployment",
        api_id=api_id,
        stage_name="{{ settings().rest_api.stage }}",
        content={
            "paths": content,
            "proxy": proxy_paths,
            "models": REQUEST_MODELS,
            "responses": gateway_responses(),
        },
        backend_url=address["url"],
        vpc_link=address["vpc_link"],
    )
    usage_plan = RestApiUsagePlanOperator(
        task_id="usage_plan",
        api_id=api_id,
        stage_name="{{ settings().rest_api.stage }}",
        plan_name="{{ settings().user_id }}-usage-plan",
        key_name="{{ settings().user_id }}-api-key",
        key_parameter="{{ settings().api_key_parameter }}",
        throttle=usage_plan_request("{{ settings().rest_api.requests_per_second }}", "{{ settings().rest_api.burst }}"),
        tags=TAGS,
    )
    invoke_url = RestApiInvokeUrlOperator(
        task_id="invoke_url",
        api_name="{{ settings().rest_api_name }}",
        stage_name="{{ settings().rest_api.stage }}",
        url_format="{{ settings().rest_api.invoke_url_format }}",
    )
    url = cast("str", invoke_url.output)
    answers = RestApiTopicsSensor(
        task_id="answers",
        invoke_url=url,
        api_key_parameter="{{ settings().api_key_parameter }}",
        topics=[f"{{{{ settings().topic('{entity}') }}}}" for entity in ENTITIES],
        poke_interval=2,
        timeout=timedelta(minutes=5),
    )

    answers_for_kinesis = RestApiStreamsSensor(
        task_id="answers_for_kinesis",
        invoke_url=url,
        api_key_parameter="{{ settings().api_key_parameter }}",
        poke_interval=2,
        timeout=timedelta(minutes=5),
    )

    chain(target(), address, resources, deployment, usage_plan, invoke_url, [answers, answers_for_kinesis])


@task_group(group_id="rest_api_backend")
def rest_api_backend() -> None:
    """Have the API point to where the REST proxy is, for example after the machine was stopped and started again."""
    address = cast("Any", backend())  # its keys are XComs of their own
    api = RestApiBackendOperator(
        task_id="api",
        api_name="{{ settings().rest_api_name }}",
        stage_name="{{ settings().rest_api.stage }}",
        backend_url=address["url"],
        vpc_link=address["vpc_link"],
        proxy_paths=address["paths"],
    )
    chain(target(), address, api)
