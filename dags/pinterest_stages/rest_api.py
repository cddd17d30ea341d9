"""The REST API: it turns requests to ``/topics/<topic>`` or ``/streams/<stream>/record`` into records.

Seed steps: create a REST API with CORS, add the resource ``/{proxy+}`` with the method ANY as an HTTP proxy to the
client machine's port 8082, add the resources below ``/streams`` with mapping templates to Kinesis actions that run
with the Kinesis role, deploy the API to a stage, and note the invoke URL. Beyond the seeds: callers need a key, and the
API itself refuses a body without data or partition key.
"""

from __future__ import annotations

from datetime import timedelta
from typing import cast

from airflow.sdk import task, task_group

from include.aws.api_gateway import (
    PROXY_PATH,
    VALIDATOR,
    gateway_responses,
    proxy_methods,
    rest_api_request,
    usage_plan_request,
)
from include.aws.kinesis_api import REQUEST_MODELS, kinesis_resources
from include.settings import ENTITIES
from pinterest.hooks.kafka_client import KafkaClientHook
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
from pinterest.sensors.rest_api import RestApiStreamsSensor, RestApiTopicsSensor
from pinterest.settings import settings
from pinterest_stages.tags import OWNER_TAGS, TAGS


@task
def backend() -> str:
    """Where API Gateway reaches the REST proxy."""
    return KafkaClientHook(settings()).rest_proxy_url


@task_group(group_id="rest_api")
def rest_api() -> None:
    address = backend()
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
    content = {
        PROXY_PATH: proxy_methods("{{ settings().rest_proxy.scheme }}"),
        **kinesis_resources(
            region="{{ settings().region }}", role_arn=kinesis_role.output, validator_id=validation.output
        ),
    }
    resources = RestApiPutResourcesOperator(task_id="resources", api_id=api_id, paths=content)
    deployment = RestApiDeployOperator(
        task_id="deployment",
        api_id=api_id,
        stage_name="{{ settings().rest_api.stage }}",
        content={"paths": content, "models": REQUEST_MODELS, "responses": gateway_responses()},
        backend_url=cast("str", address),
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

    address >> resources >> deployment >> usage_plan >> invoke_url >> [answers, answers_for_kinesis]


@task_group(group_id="rest_api_backend")
def rest_api_backend() -> None:
    """Have the API point to where the REST proxy is, for example after the machine was stopped and started again."""
    RestApiBackendOperator(
        task_id="api",
        api_name="{{ settings().rest_api_name }}",
        stage_name="{{ settings().rest_api.stage }}",
        backend_url=cast("str", backend()),
    )
