"""The REST API in front of the Kafka REST proxy: what is posted to ``/topics/<topic>`` becomes records.

Seed steps: create a REST API with CORS, add the resource ``/{proxy+}`` with the method ANY as an HTTP proxy to the
client machine's port 8082, deploy it to a stage, note the invoke URL. Beyond the seeds: callers need a key.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import task, task_group

from include.requests.api_gateway import PROXY_PATH_PART, proxy_methods, rest_api_request, usage_plan_request
from include.settings import STREAMS
from pinterest.defaults import settings
from pinterest.operators.api_gateway import (
    RestApiCreateOperator,
    RestApiDeployOperator,
    RestApiInvokeUrlOperator,
    RestApiPutResourceOperator,
    RestApiUsagePlanOperator,
)
from pinterest.sensors.rest_api import RestApiTopicsSensor

OWNER_TAGS = {"project": "pinterest-pipeline", "user_id": "{{ settings().user_id }}"}
TAGS = {**OWNER_TAGS, "dag_id": "{{ dag.dag_id }}", "run_id": "{{ run_id }}"}


@task
def backend() -> str:
    """Where API Gateway reaches the REST proxy."""
    from pinterest.hooks.rest_proxy import rest_proxy_url

    return rest_proxy_url(settings())


@task_group(group_id="rest_api")
def rest_api() -> None:
    address = backend()
    methods = proxy_methods(f"{address}")

    api = RestApiCreateOperator(
        task_id="api",
        api_name="{{ settings().rest_api_name }}",
        api=rest_api_request("{{ settings().user_id }}", TAGS),
        adopt_tags=OWNER_TAGS,
    )
    resources = RestApiPutResourceOperator(
        task_id="resources", api_id=api.output, path_part=PROXY_PATH_PART, methods=methods
    )
    deployment = RestApiDeployOperator(
        task_id="deployment", api_id=api.output, stage_name="{{ settings().rest_api.stage }}", methods=methods
    )
    usage_plan = RestApiUsagePlanOperator(
        task_id="usage_plan",
        api_id=api.output,
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
    answers = RestApiTopicsSensor(
        task_id="answers",
        invoke_url=invoke_url.output,
        api_key_parameter="{{ settings().api_key_parameter }}",
        topics=[f"{{{{ settings().topic('{stream}') }}}}" for stream in STREAMS],
        poke_interval=2,
        timeout=timedelta(minutes=5),
    )

    address >> resources >> deployment >> usage_plan >> invoke_url >> answers
