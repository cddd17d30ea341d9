"""Operators for MSK Connect, in the style of the amazon provider: prepare, one main call, wait."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from airflow.providers.amazon.aws.links.base_aws import BASE_AWS_CONSOLE_LINK, BaseAwsLink
from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.amazon.aws.utils.waiter_with_logging import wait
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, Context, conf

from include.aws.msk_connect import log_destinations
from include.aws.ownership import given
from include.aws.properties import parse_properties
from pinterest.hooks.msk_connect import OPERATION_STATUS, MskConnectHook, outcome_of, state_of
from pinterest.hooks.sink_logs import SinkLogsHook
from pinterest.triggers.msk_connect import MskConnectConnectorRunningTrigger, MskConnectOperationTrigger

PLUGIN_STATUS = ["customPluginState", "stateDescription.code", "stateDescription.message"]
LAYOUT = (
    "topics",
    "s3.bucket.name",
    "s3.compression.type",
    "format.class",
    "partitioner.class",
    "file.delim",
    "directory.delim",
    "value.converter",
    "transforms",
    "predicates",
)
IN_PROGRESS = ("CREATING", "UPDATING")


class MskConnectConnectorLink(BaseAwsLink):
    """The connector in the AWS console."""

    name = "MSK Connect connector"
    key = "msk_connect_connector"
    format_str = BASE_AWS_CONSOLE_LINK + "/msk/home?region={region_name}#/connector/{connector_arn}/view"


class MskConnectCreateCustomPluginOperator(AwsBaseOperator[MskConnectHook]):
    """Create a custom plugin and wait until it is ACTIVE. Returns its ARN.

    A plugin's content cannot be changed, so choose a name that changes with the content. A plugin of the same name is
    adopted; one whose creation failed is removed first.

    :param plugin_name: name of the plugin, unique in the account and region (templated)
    :param plugin: the other arguments of ``CreateCustomPlugin``, as boto3 takes them (templated)
    """

    aws_hook_class = MskConnectHook
    template_fields: Sequence[str] = aws_template_fields("plugin_name", "plugin")
    template_fields_renderers: ClassVar[dict[str, str]] = {"plugin": "json"}

    def __init__(
        self,
        *,
        plugin_name: str,
        plugin: dict[str, Any],
        waiter_delay: int = 2,
        waiter_max_attempts: int = 300,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.plugin_name = plugin_name
        self.plugin = plugin
        self.waiter_delay = waiter_delay
        self.waiter_max_attempts = waiter_max_attempts

    def execute(self, context: Context) -> str:
        plugin_arn = self._adopt() or self._create()
        try:
            self._wait("custom_plugin_active", plugin_arn)
        except AirflowException as error:
            state = self.hook.conn.describe_custom_plugin(customPluginArn=plugin_arn)
            raise AirflowException(f"{error}: {state_of(state)}") from error
        return plugin_arn

    def _adopt(self) -> str | None:
        found = self.hook.find_custom_plugin(self.plugin_name)
        if found is None:
            return None
        plugin_arn = str(found["customPluginArn"])
        if found["customPluginState"] == "CREATE_FAILED":
            self.log.info("Custom plugin %s could not be created before: removing it", self.plugin_name)
            self.hook.conn.delete_custom_plugin(customPluginArn=plugin_arn)
        elif found["customPluginState"] != "DELETING":
            self.log.info("Custom plugin %s exists (%s): adopted", self.plugin_name, found["customPluginState"])
            return plugin_arn
        self._wait("custom_plugin_deleted", plugin_arn)
        return None

    def _create(self) -> str:
        request = {**self.plugin, "tags": given(self.plugin.get("tags", {}))}
        return str(self.hook.conn.create_custom_plugin(name=self.plugin_name, **request)["customPluginArn"])

    def _wait(self, waiter: str, plugin_arn: str) -> None:
        wait(
            waiter=self.hook.get_waiter(waiter),
            waiter_delay=self.waiter_delay,
            waiter_max_attempts=self.waiter_max_attempts,
            args={"customPluginArn": plugin_arn},
            failure_message=f"Custom plugin {self.plugin_name}: {waiter} will not happen",
            status_message=f"Custom plugin {self.plugin_name}",
            status_args=PLUGIN_STATUS,
        )


class MskConnectCreateWorkerConfigurationOperator(AwsBaseOperator[MskConnectHook]):
    """Create a worker configuration. Returns its ARN.

    MSK Connect cannot change one, so its name is ``configuration_name`` plus the digest of its properties: a
    configuration with the same properties is adopted, and different properties create another one.

    :param configuration_name: beginning of the name (templated)
    :param properties: the worker's properties, or the name of a ``.properties`` template (templated)
    :param tags: tags of a new one (templated)
    """

    aws_hook_class = MskConnectHook
    template_fields: Sequence[str] = aws_template_fields("configuration_name", "properties", "tags")
    template_ext: Sequence[str] = (".properties",)

    def __init__(self, *, configuration_name: str, properties: str, tags: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.configuration_name = configuration_name
        self.properties = properties
        self.tags = tags

    def execute(self, context: Context) -> str:
        content = self.properties.strip().encode() + b"\n"
        name = f"{self.configuration_name}-{hashlib.sha256(content).hexdigest()[:12]}"
        found = self.hook.find_worker_configuration(name)
        if found is not None:
            self.log.info("Worker configuration %s exists: adopted", name)
            return str(found["workerConfigurationArn"])
        created = self.hook.conn.create_worker_configuration(
            name=name, propertiesFileContent=base64.b64encode(content).decode(), tags=given(self.tags)
        )
        return str(created["workerConfigurationArn"])


class MskConnectCreateConnectorOperator(AwsBaseOperator[MskConnectHook]):
    """Create a connector, or update the one of that name, and wait until it is RUNNING. Returns its ARN.

    A connector of that name that others have made is adopted if its objects look like ours: it is updated and tagged.
    Otherwise the task fails and names what differs; nothing is replaced.

    A rerun, or a retry after a lost response, creates no second one. What MSK Connect can change (configuration and
    capacity) is updated, and the update is followed to its end: MSK Connect rolls one that fails back, and then says
    why. A connector that failed, or differs in what cannot be changed (plugin, worker configuration, network, role,
    version, and where one of ours logs to), is deleted and recreated: its consumer group is named after it, so it
    continues where it was. RUNNING means that the workers are up, not that the tasks read. If it fails, the error has
    the end of the worker log.

    :param connector_name: name of the connector, unique in the account and region (templated)
    :param configuration: the connector's properties, or the name of a ``.properties`` template (templated)
    :param connector: the other arguments of ``CreateConnector``, as boto3 takes them; a list or a number may be
        given as JSON text, and the role by its name instead of its ARN (templated)
    :param more_configuration: called when the task runs; the properties it returns are added to the configuration and
        take precedence. They are not templated, so they are not shown anywhere
    :param owner_tags: tags that a connector of ours has; every connector is ours if there are none (templated)
    :param deferrable: wait in the triggerer; creation takes 5 to 15 minutes on AWS
    :param waiter_delay: seconds between two checks
    :param waiter_max_attempts: checks before the task fails
    """

    aws_hook_class = MskConnectHook
    template_fields: Sequence[str] = aws_template_fields("connector_name", "configuration", "connector", "owner_tags")
    template_ext: Sequence[str] = (".properties",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"connector": "json"}
    operator_extra_links = (MskConnectConnectorLink(),)

    def __init__(
        self,
        *,
        connector_name: str,
        configuration: str,
        connector: dict[str, Any],
        more_configuration: Callable[[], Mapping[str, str]] = dict,
        owner_tags: Mapping[str, str] | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        waiter_delay: int = 5,
        waiter_max_attempts: int = 360,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.connector_name = connector_name
        self.configuration = configuration
        self.connector = connector
        self.more_configuration = more_configuration
        self.owner_tags = owner_tags or {}
        self.deferrable = deferrable
        self.waiter_delay = waiter_delay
        self.waiter_max_attempts = waiter_max_attempts
        self._operation: str | None = None

    def execute(self, context: Context) -> str:
        self._operation = None
        request = self._request()
        connector_arn = self._adopt(request) or self._create(request)
        MskConnectConnectorLink.persist(
            context=context,
            operator=self,
            region_name=self.hook.conn_region_name,
            aws_partition=self.hook.conn_partition,
            connector_arn=connector_arn,
        )
        if self._operation is not None:
            self._wait_until_updated(connector_arn, self._operation)
        return self._running(connector_arn)

    def execute_updated(self, context: Context, event: dict[str, Any] | None = None) -> str:
        """The update of a connector has ended: wait until it runs again."""
        if event is None:
            raise AirflowException(f"Connector {self.connector_name}: the trigger ended without an event")
        connector_arn, operation = str(event["update"]["connector_arn"]), str(event["update"]["operation_arn"])
        if event["status"] != "success":
            raise AirflowException(self._why_not_updated(connector_arn, operation, str(event["message"])))
        return self._running(connector_arn)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> str:
        if event is None:
            raise AirflowException(f"Connector {self.connector_name}: the trigger ended without an event")
        connector_arn = str(event["connector_arn"])
        if event["status"] != "success":
            raise AirflowException(f"{event['message']}: {self._explained(connector_arn)}")
        return self._verified(connector_arn)

    def _running(self, connector_arn: str) -> str:
        """The ARN once the connector is RUNNING with the wanted configuration."""
        if self.deferrable:
            self.defer(
                trigger=MskConnectConnectorRunningTrigger(connector_arn=connector_arn, **self._waiting),
                method_name="execute_complete",
            )
        self._wait_until_running(connector_arn)
        return self._verified(connector_arn)

    @property
    def _waiting(self) -> dict[str, Any]:
        """What every trigger takes."""
        return {
            "waiter_delay": self.waiter_delay,
            "waiter_max_attempts": self.waiter_max_attempts,
            "aws_conn_id": self.aws_conn_id,
            "region_name": self.region_name,
            "verify": self.verify,
            "botocore_config": self.botocore_config,
        }

    def _wait_until_updated(self, connector_arn: str, operation: str) -> None:
        if self.deferrable:
            self.defer(
                trigger=MskConnectOperationTrigger(
                    connector_arn=connector_arn, operation_arn=operation, **self._waiting
                ),
                method_name="execute_updated",
            )
        self._follow(connector_arn, operation)

    def _follow(self, connector_arn: str, operation: str) -> None:
        """Wait for the end of an update in this process."""
        try:
            wait(
                waiter=self.hook.get_waiter("operation_complete"),
                waiter_delay=self.waiter_delay,
                waiter_max_attempts=self.waiter_max_attempts,
                args={"connectorOperationArn": operation},
                failure_message=f"Connector {self.connector_name}: the update failed",
                status_message=f"Update of connector {self.connector_name}",
                status_args=OPERATION_STATUS,
            )
        except AirflowException as error:
            raise AirflowException(self._why_not_updated(connector_arn, operation, str(error))) from error

    def _why_not_updated(self, connector_arn: str, operation: str, message: str) -> str:
        found = self.hook.conn.describe_connector_operation(connectorOperationArn=operation)
        return f"{message}: {outcome_of(found)}. The connector is {self._explained(connector_arn)}"

    def _explained(self, connector_arn: str) -> str:
        """The connector's state in the service's own words, and the end of its worker log."""
        found = self._describe(connector_arn)
        return f"{state_of(found)}\n{self._log_end(found)}"

    def _log_end(self, connector: Mapping[str, Any]) -> str:
        return SinkLogsHook(aws_conn_id=self.aws_conn_id, region_name=self.region_name).end(connector)

    def _request(self) -> dict[str, Any]:
        request = self.hook.typed(
            "CreateConnector",
            {
                "connectorName": self.connector_name,
                "connectorConfiguration": self._wanted(),
                **self.connector,
            },
        )
        request |= {"tags": given(request["tags"])} if "tags" in request else {}
        request["serviceExecutionRoleArn"] = self.hook.expand_role(request["serviceExecutionRoleArn"])
        return request

    def _wanted(self) -> dict[str, str]:
        return {**parse_properties(self.configuration), **self.more_configuration()}

    def _create(self, request: dict[str, Any]) -> str:
        self.log.info("Creating connector %s", self.connector_name)
        return str(self.hook.conn.create_connector(**request)["connectorArn"])

    def _adopt(self, request: dict[str, Any]) -> str | None:
        found = self.hook.find_connector(self.connector_name)
        if found is None:
            return None
        connector_arn = str(found["connectorArn"])
        if found["connectorState"] == "DELETING":
            self._delete(found)
            return None
        current = self._describe(connector_arn)
        fixed = _fixed_differences(current, request)
        if self.owner_tags and not self.hook.has_tags(connector_arn, self.owner_tags):
            self._take_over(current, request, fixed)
        elif log_destinations(current) != log_destinations(request):
            fixed.append("logDelivery")
        if current["connectorState"] != "FAILED" and not fixed:
            return self._update(current, request)
        if current["connectorState"] in IN_PROGRESS:
            self._wait_until_running(connector_arn)
        reason = ", ".join(fixed) or f"{state_of(current)}\n{self._log_end(current)}"
        self.log.warning("Replacing connector %s: %s", self.connector_name, reason)
        self._delete(current)
        return None

    def _take_over(self, current: dict[str, Any], request: dict[str, Any], fixed: Sequence[str]) -> None:
        """Make a connector of others ours. Raises AirflowFailException if it cannot be brought to our configuration, or
        has written objects that say something else."""
        state = [state_of(current)] if current["connectorState"] == "FAILED" else []
        differ = [*state, *fixed, *_layout_differences(current["connectorConfiguration"], self._wanted())]
        if differ:
            raise AirflowFailException(
                f"Connector {self.connector_name} exists, and this pipeline did not make it. It differs in "
                f"{', '.join(differ)}. Rename or delete it, or run the DAG with the param replace_connector: then it "
                "is deleted, its objects are set aside in the bucket, and everything on the topics is written again"
            )
        self.log.warning("Connector %s was made by others: adopted", self.connector_name)
        self.hook.conn.tag_resource(resourceArn=current["connectorArn"], tags=request["tags"])

    def _update(self, current: dict[str, Any], request: dict[str, Any]) -> str:
        connector_arn = str(current["connectorArn"])
        if current["connectorState"] in IN_PROGRESS and _changes(current, request):
            self._wait_until_running(connector_arn)
            current = self._describe(connector_arn)
        changes = _changes(current, request)
        if not changes:
            self.log.info("Connector %s exists (%s): adopted", self.connector_name, current["connectorState"])
            return connector_arn
        wanted, found = request["connectorConfiguration"], current["connectorConfiguration"]
        changed = sorted(key for key in {*wanted, *found} if wanted.get(key) != found.get(key))
        changed += ["capacity"] if "capacity" in changes else []
        self.log.info("Updating connector %s: %s", self.connector_name, ", ".join(changed))
        for number, (name, value) in enumerate(changes.items()):  # MSK Connect takes one at a time
            if number:
                if self._operation is not None:
                    self._follow(connector_arn, self._operation)
                self._wait_until_running(connector_arn)
                current = self._describe(connector_arn)
            answer = self.hook.conn.update_connector(
                connectorArn=connector_arn, currentVersion=current["currentVersion"], **{name: value}
            )
            self._operation = answer.get("connectorOperationArn")
        return connector_arn

    def _verified(self, connector_arn: str) -> str:
        """The ARN, if the connector has the wanted configuration: MSK Connect rolls a failed update back."""
        current = self._describe(connector_arn)
        if current["connectorConfiguration"] != self._wanted():
            raise AirflowException(
                f"Connector {self.connector_name} runs, but not with its configuration: the update was rolled back; "
                "its operations in the MSK console say why"
            )
        return connector_arn

    def _delete(self, connector: dict[str, Any]) -> None:
        self.hook.delete_connector(
            connector, waiter_delay=self.waiter_delay, waiter_max_attempts=self.waiter_max_attempts
        )

    def _wait_until_running(self, connector_arn: str) -> None:
        try:
            self.hook.wait_for_connector(
                "connector_running",
                connector_arn,
                self.connector_name,
                waiter_delay=self.waiter_delay,
                waiter_max_attempts=self.waiter_max_attempts,
            )
        except AirflowException as error:
            raise AirflowException(f"{error}\n{self._log_end(self._describe(connector_arn))}") from error

    def _describe(self, connector_arn: str) -> dict[str, Any]:
        return dict(self.hook.conn.describe_connector(connectorArn=connector_arn))


def _changes(current: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """What ``UpdateConnector`` would change, by its argument. Capacity that somebody made scale by itself stays so."""
    changes = {}
    if current["connectorConfiguration"] != request["connectorConfiguration"]:
        changes["connectorConfiguration"] = request["connectorConfiguration"]
    if "provisionedCapacity" in current.get("capacity", {}) and current["capacity"] != request["capacity"]:
        changes["capacity"] = request["capacity"]
    return changes


def _fixed_differences(current: dict[str, Any], request: dict[str, Any]) -> list[str]:
    """Arguments of ``CreateConnector`` that differ and that ``UpdateConnector`` cannot change."""
    fixed = (
        "kafkaClusterClientAuthentication",
        "kafkaClusterEncryptionInTransit",
        "kafkaConnectVersion",
        "plugins",
        "serviceExecutionRoleArn",
        "workerConfiguration",
    )
    differ = [name for name in fixed if name in current and current[name] != request.get(name)]
    if "kafkaCluster" in current and _other_cluster(current, request):
        differ.append("kafkaCluster")
    return differ


def _layout_differences(current: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """Properties that decide where an object lies and what its lines look like."""
    return sorted(key for key in {*wanted, *current} if key.startswith(LAYOUT) and wanted.get(key) != current.get(key))


def _other_cluster(current: dict[str, Any], request: dict[str, Any]) -> bool:
    """Whether brokers or network differ. One common broker is enough: MSK lists only some, and in any order."""
    old, new = (c["kafkaCluster"]["apacheKafkaCluster"] for c in (current, request))
    brokers = set(old["bootstrapServers"].split(",")) & set(new["bootstrapServers"].split(","))
    networks = [
        [frozenset(cluster.get("vpc", {}).get(kind, ())) for kind in ("subnets", "securityGroups")]
        for cluster in (old, new)
    ]
    return not brokers or networks[0] != networks[1]
