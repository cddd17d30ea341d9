"""Waits for the load balancer to find the REST proxy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.providers.common.compat.sdk import AirflowSensorTimeout, BaseSensorOperator, Context

from include.aws.load_balancer import problem
from pinterest.hooks.load_balancer import LoadBalancerHook
from pinterest.operators.load_balancer import VPC_LINK


class RestProxyTargetSensor(BaseSensorOperator):
    """Succeeds when the load balancer sends requests to the REST proxy on the client machine.

    When the time is up, the error says in which state the target is, why, and what to do. Nothing is waited for unless
    ``exposure`` is ``vpc_link``; on the Internet, the log says what that means.

    :param exposure: how API Gateway reaches the REST proxy (templated)
    :param group_name: name of the load balancer's target group (templated)
    :param port: the REST proxy's port (templated)
    """

    template_fields: Sequence[str] = ("exposure", "group_name", "port", "region_name")

    def __init__(
        self,
        *,
        exposure: str,
        group_name: str,
        port: str,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.exposure = exposure
        self.group_name = group_name
        self.port = port
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self._problem = ""

    def execute(self, context: Context) -> Any:
        try:
            return super().execute(context)
        except AirflowSensorTimeout as error:
            raise AirflowSensorTimeout(
                f"After {self.timeout:g} s, the load balancer sends nothing to the REST proxy: {self._problem}"
            ) from error

    def poke(self, context: Context) -> bool:
        if self.exposure != VPC_LINK:
            self.log.warning(
                "rest_proxy.exposure is internet: API Gateway needs port %s open to everybody, and whoever finds it "
                "can write to the topics without a key. With vpc_link, only the REST API gets there",
                self.port,
            )
            return True
        self._problem = self._look()
        self.log.info("Target group %s: %s", self.group_name, self._problem or "the REST proxy is healthy")
        return not self._problem

    def _look(self) -> str:
        hook = LoadBalancerHook(aws_conn_id=self.aws_conn_id, region_name=self.region_name)
        group = hook.find_target_group(self.group_name)
        if group is None:
            return f"there is no target group {self.group_name}: run pinterest_pipeline"
        targets = hook.targets(str(group["TargetGroupArn"]))
        problems = [problem(target) for target in targets] or [problem(None)]
        return "" if "" in problems else "; ".join(problems)
