"""What differs between accounts, or between an account and the lab: one Airflow Variable, validated as a whole."""

from __future__ import annotations

import re
from datetime import datetime
from ipaddress import ip_network
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails

from include import bucket_layout
from include.aws import ownership
from include.aws.msk_connect import log_delivery
from include.faults import LastingError

VARIABLE = "pinterest_pipeline"

Entity = Literal["pin", "geo", "user"]
ENTITIES: tuple[Entity, ...] = ("pin", "geo", "user")
AWS_KEY = "alias/aws/kinesis"
HIVE_METASTORE = "hive_metastore"
"""The legacy catalog of a workspace without Unity Catalog."""

UserId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$")]
SqlName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+$")]
RoleName = Annotated[str, StringConstraints(pattern=r"^[\w+=,.@-]{1,64}$")]
Port = Annotated[int, Field(ge=1, le=65535)]
Share = Annotated[float, Field(ge=0, le=1)]
Exposure = Literal["vpc_link", "internet"]
ProxyPath = Annotated[str, StringConstraints(pattern=r"^(/[A-Za-z0-9._-]+)*(/\{proxy\+\}|/[A-Za-z0-9._-]+)$")]
WIDEST_PREFIX = {4: 8, 6: 32}
"""The largest part of the Internet that may reach the client machine, by the version of IP."""


def _caller(value: str) -> str:
    """A security group's id, or a block of addresses that is not half the world."""
    if value.startswith("sg-"):
        return value
    block = ip_network(value)
    if block.prefixlen < WIDEST_PREFIX[block.version]:
        raise ValueError(f"{value} is open to too many: at most a /{WIDEST_PREFIX[block.version]}")
    return str(block)


Caller = Annotated[str, AfterValidator(_caller)]


def _brokers(value: int) -> int:
    """MSK has as many brokers in each of two or three zones."""
    if value % 2 and value % 3:
        raise ValueError(f"{value} brokers do not spread evenly over two or three zones")
    return value


Brokers = Annotated[int, Field(ge=2, le=15), AfterValidator(_brokers)]


class SettingsError(LastingError, ValueError):
    """The Variable is missing or invalid. The message names every bad key, its value and what is expected."""


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Download(Section):
    """An archive and its SHA-256. An archive with a different digest is deleted and never unpacked."""

    url: Url
    sha256: Sha256

    @property
    def holds_secret(self) -> bool:
        """Whether the address may hold one: a login, or a token in the query."""
        address = urlsplit(self.url)
        return bool(address.username or address.query)


class Downloads(Section):
    """The archives that the Kafka client machine downloads."""

    java: Download
    kafka: Download
    iam_auth: Download
    s3_sink: Download
    rest_proxy: Download


class Account(Section):
    """Whether ``pinterest_pipeline`` and ``pinterest_provision`` make what the pipeline stands on, where it is missing:
    security groups, the way to S3, key pair, roles, client machine, MSK cluster and bucket. Otherwise all of it must be
    there.

    What is made may be deleted ``lifetime_hours`` after its run began; null is never.
    """

    provision: bool = False
    lifetime_hours: Annotated[int, Field(ge=1)] | None = None


class Network(Section):
    """Where the client machine is launched, and who may enter it.

    ``vpc_id`` defaults to the VPC with the tag ``project=pinterest-pipeline``, else the region's default VPC.
    ``ssh_from``: blocks of addresses (``203.0.113.7/32``) and security groups (that of Airflow) that may reach port 22.
    """

    vpc_id: Annotated[str, StringConstraints(pattern=r"^vpc-[0-9a-f]{8,17}$")] | None = None
    ssh_from: tuple[Caller, ...] = ()


class KafkaClient(Section):
    """The EC2 instance that runs the Kafka command line tools and the REST proxy.

    ``host`` defaults to the instance's public DNS name. ``host_key`` is the key that the machine's SSH server must
    prove it owns, written as in ``known_hosts`` without the host name: ``ssh-ed25519 AAAA…``; by default it is learned
    from what the instance printed to its console when it first started. ``instance_type`` is what is launched.
    """

    login: str = "ec2-user"
    host: str | None = None
    port: Port = 22
    host_key: str | None = None
    instance_type: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+\.[a-z0-9-]+$")] = "t3.small"


class Kafka(Section):
    """Where Kafka is: on MSK, or as one broker on the client machine (``mode: self_hosted``).

    The MSK cluster goes by its name. ``authentication`` decides how every Kafka client logs in. A broker of our own
    listens at ``host``, by default the machine's private address, and ``port``, knows no IAM and keeps one copy.
    ``role_arn`` is the role that clients assume for IAM authentication; by default they use the instance's own role.
    ``version``, ``brokers``, ``instance_type``, ``storage_gib`` (of each broker) and ``subnets`` are those of a cluster
    that is created.
    """

    mode: Literal["msk", "self_hosted"] = "msk"
    cluster_name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,63}$")] = (
        "pinterest-msk-cluster"
    )
    authentication: Literal["iam", "none"] = "iam"
    role_arn: str | None = None
    partitions: Annotated[int, Field(ge=1, le=100)] = 3
    replication_factor: Annotated[int, Field(ge=1, le=5)] = 2
    version: Annotated[str, StringConstraints(pattern=r"^\d+\.[\dx]+(\.[\dx]+)?(\.kraft)?$")] = "3.9.x"
    brokers: Brokers = 2
    instance_type: Annotated[str, StringConstraints(pattern=r"^kafka\.[a-z0-9-]+\.[a-z0-9]+$")] = "kafka.t3.small"
    storage_gib: Annotated[int, Field(ge=1, le=16384)] = 20
    subnets: tuple[str, ...] = ()
    host: str | None = None
    port: Annotated[int, Field(ge=1, le=65534)] = 9092

    @property
    def controller_port(self) -> int:
        """Where a broker of our own finds its controller, which is itself, on the machine."""
        return self.port + 1

    @model_validator(mode="before")
    @classmethod
    def _of_one_broker(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("mode") == "self_hosted":
            return {"authentication": "none", "replication_factor": 1, **given}
        return given

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.mode == "self_hosted" and self.authentication != "none":
            raise ValueError("a self-hosted broker knows no IAM: leave authentication out, or set it to none")
        if self.mode == "self_hosted" and self.replication_factor > 1:
            raise ValueError("one self-hosted broker keeps one copy: leave replication_factor out, or set it to 1")
        return self


class S3Sink(Section):
    """The S3 sink connector. It closes an object after ``flush_size`` records or ``rotate_ms`` milliseconds.

    ``role`` is the name of the role that it acts in; by default one of its own where the pipeline makes the roles, and
    else the client machine's, as in the seeds.
    ``properties`` are added to the connector's configuration unchanged, for what only one environment needs.
    ``logs`` is where MSK Connect delivers what its workers write: a log group, the bucket, or nowhere. A connector has
    ``mcus`` (1 vCPU and 4 GiB of memory each) in each of its ``workers``.
    """

    connector_class: str = "io.confluent.connect.s3.S3SinkConnector"
    kafka_connect_version: str = "3.7.x"
    tasks: Annotated[int, Field(ge=1, le=30)] = 3
    flush_size: Annotated[int, Field(ge=1)] = 1000
    rotate_ms: Annotated[int, Field(ge=100)] = 10_000
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    role: RoleName | None = None
    properties: dict[str, str] = {}
    logs: Literal["log_group", "bucket", "none"] = "log_group"
    workers: Annotated[int, Field(ge=1, le=10)] = 1
    mcus: Literal[1, 2, 4, 8] = 1


class RestProxy(Section):
    """The Kafka REST proxy on the client machine, and how API Gateway reaches it.

    ``exposure``: ``vpc_link`` leads through a VPC link and an internal load balancer, so that nobody else gets there;
    ``internet`` to the machine's public name, as in the seeds, so that whoever finds the port can write to the topics.
    By default, it is a VPC link where the pipeline makes the machine. One that others made stays on the Internet: the
    load balancer bills by the hour, and the rule that lets it in belongs to a security group that is not ours.

    ``url`` is for a proxy that is reached at another address than ``http://<public DNS name>:<port>``. ``listen_host``
    defaults to all addresses, because the proxy is called from outside the machine.
    """

    exposure: Exposure | None = None
    listen_host: str = "0.0.0.0"  # noqa: S104
    port: Port = 8082
    url: Url | None = None

    @model_validator(mode="after")
    def _one_way(self) -> RestProxy:
        if self.exposure == "vpc_link" and self.url is not None:
            raise ValueError("exposure is vpc_link, which needs no url: leave one of them out")
        return self

    @property
    def scheme(self) -> str:
        return self.url.partition("://")[0] if self.url else "http"


class RestApi(Section):
    """The REST API in front of the proxy. ``invoke_url_format`` takes ``api_id``, ``region`` and ``stage``.

    ``proxy_paths``: what of the proxy callers with a key can reach; ``/{proxy+}`` is everything, as in the seeds.
    """

    stage: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,128}$")] = "prod"
    proxy_paths: Annotated[tuple[ProxyPath, ...], Field(min_length=1)] = (
        "/topics",
        "/topics/{proxy+}",
        "/consumers/{proxy+}",
    )
    invoke_url_format: str = "https://{api_id}.execute-api.{region}.amazonaws.com/{stage}"
    requests_per_second: Annotated[float, Field(gt=0)] = 500
    burst: Annotated[int, Field(ge=1)] = 1000


class Kinesis(Section):
    """The three data streams. Without a ``mode``, new ones are provisioned, and those that are there keep their mode
    and shards. ``shards`` applies only in provisioned mode, ``kms_key`` only with encryption.
    """

    mode: Literal["on_demand", "provisioned"] | None = None
    shards: Annotated[int, Field(ge=1, le=500)] = 1
    retention_hours: Annotated[int, Field(ge=24, le=8760)] = 24
    encryption: Literal["none", "kms"] = "kms"
    kms_key: str = AWS_KEY

    @property
    def is_provisioned(self) -> bool:
        """Whether a data stream that is created has shards that are paid for by the hour."""
        return self.mode != "on_demand"

    @property
    def has_own_key(self) -> bool:
        """Whether a key of the account encrypts: then the roles need it, too."""
        return self.encryption == "kms" and self.kms_key != AWS_KEY


class LakeStream(Section):
    """How Spark reads the data streams: in runs that end when nothing is left to read, or continuously.

    With ``processing_time`` the job commits every ``interval_seconds``. ``checkpoints`` is the folder that records how
    far each data stream has been read, by default in the bucket; it must outlive every run. A running job that commits
    nothing for ``stalled_minutes`` while records are waiting has stalled.
    """

    trigger: Literal["available_now", "processing_time"] = "available_now"
    interval_seconds: Annotated[int, Field(ge=1)] = 5
    checkpoints: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+:/")] | None = None
    stalled_minutes: Annotated[float, Field(gt=0)] = 10


class Ledger(Section):
    """What a run may leave aside and still be reconciled, as shares of an entity's records on a route, from 0 to 1.

    Refused records are those that the source does not have or the REST API does not take. Records of other producers
    count among the quarantined.
    """

    max_refused_share: Share = 0.01
    max_quarantined_share: Share = 0.01


class Notify(Section):
    """Who is told of a run that is not reconciled: an SNS topic, or nobody."""

    topic_arn: (
        Annotated[str, StringConstraints(pattern=r"^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$")] | None
    ) = None


class Maintenance(Section):
    """How long what runs leave behind is kept, and who looks after the lake's tables.

    ``by``: ``pipeline``, ``databricks``, or ``detect`` for each table whether Databricks does. Files of a table's
    earlier versions stay for ``version_days``, by default as long as the table itself says, which is a week. Documents
    of a run in the bucket and rows of ``stream_batches`` stay for ``run_days``; null is for ever.
    """

    by: Literal["detect", "pipeline", "databricks"] = "detect"
    version_days: Annotated[int, Field(ge=7)] | None = None
    run_days: Annotated[int, Field(ge=30)] | None = 90


class DatabricksKinesis(Section):
    """What job clusters read Kinesis with: a service credential of Unity Catalog, by its name; else with what they read
    the bucket with, keys or the instance profile."""

    service_credential: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$")] | None = None


class Databricks(Section):
    """Where the lake is, and what the job clusters consist of.

    ``catalog`` is one of Unity Catalog, or ``hive_metastore``, which new accounts do not have. ``policy_id`` is the
    compute policy of the clusters: without one, only users who may create any cluster can run the jobs.
    ``data_security_mode`` is ``SINGLE_USER`` (dedicated), ``USER_ISOLATION`` (standard) or ``NONE`` (legacy: no Unity
    Catalog). ``storage`` says how notebooks get access to the bucket: ``instance_profile`` (or a Unity Catalog external
    location; nothing to configure), ``secret_scope`` (keys from the scope ``secret_scope``), ``credentials_table`` (the
    seeds' Delta table) or ``mount``. ``instance_profile_arn`` is the instance profile of the cluster's machines.
    ``warehouse_id`` is the SQL warehouse that is asked how far a streaming job has got that goes on. A teardown
    that deletes data drops the tables on it, or on the first in the workspace. Nothing else needs one.
    """

    catalog: SqlName
    schema_name: Annotated[SqlName, Field(alias="schema")] = "pinterest"
    folder: Annotated[str, StringConstraints(pattern=r"^/")] = "/Shared/pinterest-pipeline"
    storage: Literal["instance_profile", "secret_scope", "credentials_table", "mount"] = "instance_profile"
    secret_scope: str = "pinterest"  # noqa: S105
    credentials_table: str = "/user/hive/warehouse/authentication_credentials"
    node_type: str = "m5d.xlarge"
    policy_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]+$")] | None = None
    data_security_mode: Literal["SINGLE_USER", "USER_ISOLATION", "NONE"] = "SINGLE_USER"
    instance_profile_arn: str | None = None
    kinesis: DatabricksKinesis = DatabricksKinesis()
    warehouse_id: str | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        mode, credential = self.data_security_mode, self.kinesis.service_credential
        if mode == "NONE" and (self.catalog != HIVE_METASTORE or credential):
            raise ValueError(
                f"data_security_mode is NONE, which knows no Unity Catalog: leave it out, or set catalog to "
                f"{HIVE_METASTORE} and no kinesis.service_credential"
            )
        if mode == "USER_ISOLATION" and self.storage == "instance_profile" and not credential:
            raise ValueError(
                "data_security_mode is USER_ISOLATION, in which Kinesis is not read with an instance profile: set "
                "kinesis.service_credential, or leave data_security_mode out"
            )
        return self


class Settings(Section):
    """All settings. Names follow the seeds: everything a user owns carries their ``user_id``."""

    user_id: UserId
    region: str = "us-east-1"
    consumer_group: str = "students"
    downloads: Downloads
    account: Account = Account()
    network: Network = Network()
    kafka_client: KafkaClient = KafkaClient()
    kafka: Kafka = Kafka()
    s3_sink: S3Sink = S3Sink()
    rest_proxy: RestProxy = RestProxy()
    rest_api: RestApi = RestApi()
    kinesis: Kinesis = Kinesis()
    databricks: Databricks
    lake_stream: LakeStream = LakeStream()
    ledger: Ledger = Ledger()
    maintenance: Maintenance = Maintenance()
    notify: Notify = Notify()

    @model_validator(mode="after")
    def _can_be_counted(self) -> Self:
        if self.lake_stream.trigger == "processing_time" and self.databricks.warehouse_id is None:
            raise ValueError(
                "lake_stream.trigger is processing_time, and a job that goes on cannot say what it has committed: set "
                "databricks.warehouse_id to a SQL warehouse that is asked, or the trigger to available_now"
            )
        return self

    @property
    def run_days(self) -> int | None:
        """How many days what a run leaves behind is kept: at least as long as Kinesis keeps its records, which can be
        counted until then. None is for ever."""
        if self.maintenance.run_days is None:
            return None
        return max(self.maintenance.run_days, self.kinesis.retention_hours // 24 + 2)

    @property
    def bucket(self) -> str:
        return f"user-{self.user_id}-bucket"

    @property
    def key_pair(self) -> str:
        return f"{self.user_id}-key-pair"

    @property
    def role(self) -> str:
        return f"{self.user_id}-ec2-access-role"

    @property
    def sink_role(self) -> str:
        """The role that the S3 sink acts in."""
        if self.s3_sink.role is None and self.account.provision:
            return f"{self.user_id}-s3-sink-role"
        return self.s3_sink.role or self.role

    @property
    def client_group(self) -> str:
        """Name of the client machine's security group."""
        return f"{self.user_id}-kafka-client"

    @property
    def broker_group(self) -> str:
        """Name of the security group of the brokers, and of the S3 sink's workers."""
        return f"{self.user_id}-msk"

    @property
    def proxy_caller_group(self) -> str:
        """Name of the security group of what calls the REST proxy: the load balancer."""
        return f"{self.user_id}-rest-api"

    @property
    def makes_cluster(self) -> bool:
        """Whether an MSK cluster that is missing is created."""
        return self.account.provision and self.kafka.mode == "msk"

    @property
    def broker_port(self) -> int:
        """Where the brokers listen for clients of ``kafka.authentication``."""
        if self.kafka.mode == "self_hosted":
            return self.kafka.port
        return 9098 if self.kafka.authentication == "iam" else 9092

    def host_key_parameter(self, instance_id: str) -> str:
        """Name of the Parameter Store parameter that holds the host key of an instance."""
        return f"/pinterest/{self.user_id}/host-key/{instance_id}"

    def expires_at(self, start: datetime | None) -> str:
        """The tag ``expires_at`` of what a run makes that began at ``start``; empty for never."""
        return ownership.expiry(start, self.account.lifetime_hours) if start else ""

    @property
    def plugin(self) -> str:
        return f"{self.user_id}-plugin"

    @property
    def sink_archive_key(self) -> str:
        """Key of the S3 sink's archive in the bucket."""
        return bucket_layout.plugin_archive(self.user_id, self.downloads.s3_sink.sha256)

    @property
    def worker_configuration(self) -> str:
        return f"{self.user_id}-worker"

    @property
    def connector(self) -> str:
        return f"{self.user_id}-connector"

    @property
    def sink_log_group(self) -> str:
        """The log group of the S3 sink's workers. Of those with this beginning, AWS keeps one resource policy."""
        return f"/aws/vendedlogs/pinterest/{self.connector}"

    @property
    def sink_logs(self) -> dict[str, object]:
        """Where the S3 sink's workers log to, as ``CreateConnector`` takes it."""
        prefix = bucket_layout.sink_logs(self.user_id)
        return log_delivery(self.s3_sink.logs, log_group=self.sink_log_group, bucket=self.bucket, prefix=prefix)

    @property
    def rest_api_name(self) -> str:
        return self.user_id

    @property
    def exposure(self) -> Exposure:
        """How API Gateway reaches the REST proxy."""
        if self.rest_proxy.exposure is not None:
            return self.rest_proxy.exposure
        return "vpc_link" if self.account.provision and self.rest_proxy.url is None else "internet"

    @property
    def vpc_link(self) -> str:
        """Name of the VPC link to the REST proxy, of its load balancer and of the load balancer's target group."""
        return f"{self.user_id}-rest-proxy"

    @property
    def api_key_parameter(self) -> str:
        """Name of the Parameter Store parameter that holds the REST API's key."""
        return f"/pinterest/{self.user_id}/api-key"

    @property
    def kinesis_role(self) -> str:
        """The role that the REST API assumes to call Kinesis."""
        return f"{self.user_id}-kinesis-access-role"

    @property
    def data_streams(self) -> dict[Entity, str]:
        return {entity: self.data_stream(entity) for entity in ENTITIES}

    def data_stream(self, entity: Entity) -> str:
        return f"streaming-{self.user_id}-{entity}"

    @property
    def checkpoints(self) -> str:
        return (self.lake_stream.checkpoints or f"s3a://{self.bucket}/checkpoints").rstrip("/")

    @property
    def checkpoint_folder(self) -> str:
        """How the keys of the checkpoints begin in the bucket; empty if they are elsewhere."""
        for scheme in ("s3a", "s3"):
            if self.checkpoints.startswith(f"{scheme}://{self.bucket}/"):
                return self.checkpoints.removeprefix(f"{scheme}://{self.bucket}/") + "/"
        return ""

    @property
    def dead_letter_topic(self) -> str:
        return f"{self.user_id}-dead-letters"

    @property
    def topics(self) -> dict[Entity, str]:
        return {entity: self.topic(entity) for entity in ENTITIES}

    def topic(self, entity: Entity) -> str:
        return f"{self.user_id}.{entity}"


def parse_settings(text: str | None) -> Settings:
    """Parse the Variable's JSON. Raises SettingsError with every problem, not only the first."""
    if text is None:
        raise SettingsError(f"Airflow Variable {VARIABLE!r} is not set; see docs/settings.md")
    try:
        return Settings.model_validate_json(text)
    except ValidationError as error:
        problems = "; ".join(_problem(e) for e in error.errors())
        raise SettingsError(f"Airflow Variable {VARIABLE!r}: {problems}; see docs/settings.md") from None


def _problem(error: ErrorDetails) -> str:
    """The key, what is wrong and the value. Not shown is what may hold a secret: a whole section, the value of a key
    that nobody knows, and what follows the host in an address, or stands before it."""
    key = ".".join(map(str, error["loc"])) or ("settings" if error["type"] == "value_error" else "text")
    given = error["input"]
    hidden = isinstance(given, dict) or error["type"] == "extra_forbidden"
    return f"{key}: {error['msg']}" + ("" if hidden else f", got {_without_secrets(given)!r}")


def _without_secrets(given: object) -> object:
    if not isinstance(given, str) or "://" not in given:
        return given
    return re.sub(r"(?<=://)[^/?#]*@", "…@", re.sub(r"\?.*", "?…", given, flags=re.DOTALL))
