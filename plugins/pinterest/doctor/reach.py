"""Can the pipeline reach what it needs, and is it what it should be?"""

from __future__ import annotations

from collections.abc import Iterator

import requests
from airflow.providers.common.compat.sdk import BaseHook
from botocore.exceptions import ClientError
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from include.doctor import versions
from include.doctor.connections import SOURCE, is_this_machine
from include.doctor.remark import Finding, Later, Remark
from include.posting.source_connection import SourceError, source_engine, source_error
from include.posting.source_tables import SourceTables
from include.posting.source_tls import TlsSettingsError
from pinterest.doctor.account import Account, connection
from pinterest.hooks.api_gateway import ApiGatewayHook, RestApiError
from pinterest.hooks.ec2 import Ec2AccountError, Ec2AccountHook
from pinterest.hooks.kafka_client import KafkaClientError, KafkaClientHook
from pinterest.hooks.msk import MskError, MskHook

API_SECONDS = 40
"""API Gateway gives up on the REST proxy after 29."""
AS_IT_SAYS = "do what the message says, then run the doctor again"

VERSIONS = r"""
java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/java \1/p'
for jar in "$HOME"/kafka/libs/kafka-clients-*.jar; do
  basename "$jar" .jar | sed -n 's/^kafka-clients-\([0-9.]*\)$/kafka \1/p'
done
"""


def database(account: Account) -> Iterator[Remark]:
    """The source, with the login, TLS and tables that posting needs."""
    found = connection(SOURCE)
    if found is None or not (found.host and found.login and found.schema) or found.extra is None:
        return  # said where connections are looked at
    kept = BaseHook.get_connection(SOURCE)
    try:
        engine = source_engine(
            host=found.host,
            port=kept.port or 3306,
            login=found.login,
            password=kept.password or "",
            schema=found.schema,
            extra=found.extra,
        )
    except TlsSettingsError:
        return
    try:
        if not is_this_machine(found.host) and not _is_encrypted(engine):
            yield Finding(
                f"connection {SOURCE}: {found.host} is reached without TLS, so rows travel in plain text",
                'switch TLS on in the server, and require it: {"ssl": {"ca": "…"}} in the extra (docs/settings.md)',
            )
        with SourceTables(engine, connection_id=SOURCE) as tables:
            tables.check()
    except SourceError as error:
        problem, _, advice = str(error).partition(" What to do: ")
        yield Finding(problem, advice or AS_IT_SAYS)


def client_machine(account: Account) -> Iterator[Remark]:
    """The Kafka client machine: there, entered over SSH, and its tools new enough."""
    settings = account.settings
    try:
        found = account.hook(Ec2AccountHook).find_client_machine(settings.user_id)
    except Ec2AccountError as error:
        yield Finding(str(error), AS_IT_SAYS)
        return
    state = found["State"]["Name"] if found else "not there"
    if state != "running":
        what = f"the Kafka client machine (the EC2 instance with the tag Name={settings.user_id}) is {state}"
        if settings.account.provision:
            yield Later(f"SSH: {what}")
        else:
            yield Finding(what, "start it, or let pinterest_pipeline make it: set account.provision")
        return
    try:
        said = KafkaClientHook(settings, account.aws_conn_id).run(VERSIONS, timeout=60, quiet=True).check("The doctor")
    except KafkaClientError as error:
        yield Finding(str(error), AS_IT_SAYS)
    else:
        yield from versions.of_client_machine(said.stdout)


def brokers(account: Account) -> Iterator[Remark]:
    """The MSK cluster, with a listener for the clients."""
    settings, hook = account.settings, account.hook(MskHook)
    if settings.kafka.mode == "self_hosted":
        return
    if settings.makes_cluster and hook.find_cluster(settings.kafka.cluster_name) is None:
        yield Later(f"the brokers: there is no MSK cluster {settings.kafka.cluster_name}")
        return
    try:
        hook.brokers(settings.kafka.cluster_name, settings.kafka.authentication)
    except MskError as error:
        yield Finding(str(error), "correct kafka.cluster_name or kafka.authentication, or make the cluster so")


def rest_proxy(account: Account) -> Iterator[Remark]:
    """The REST proxy as posts reach it: through the REST API, with its key."""
    settings, hook = account.settings, account.hook(ApiGatewayHook)
    try:
        if hook.find_rest_api(settings.rest_api_name) is None:
            yield Later(f"the REST proxy: there is no REST API {settings.rest_api_name}")
            return
        url = hook.find_invoke_url(
            settings.rest_api_name,
            stage_name=settings.rest_api.stage,
            url_format=settings.rest_api.invoke_url_format,
        )
        key = hook.kept_api_key(settings.api_key_parameter)
    except RestApiError as error:
        yield Finding(str(error), "run pinterest_pipeline")
        return
    try:
        status = requests.get(f"{url}/topics", headers={"x-api-key": key}, timeout=API_SECONDS).status_code
    except requests.RequestException as error:
        yield Finding(f"the REST API {url} gives no answer ({type(error).__name__})", "let this machine reach it")
        return
    if status in (401, 403):
        yield Finding(
            f"the REST API {url} refuses the key in Parameter Store {settings.api_key_parameter} ({status})",
            "run pinterest_pipeline, which keeps the key there",
        )
    elif status >= 500:
        yield Finding(
            f"API Gateway does not reach the REST proxy ({status})",
            "run pinterest_batch, which starts the proxy and has the API point to it; if it stays so, let API Gateway "
            "in: docs/on-aws.md",
        )


def notifier(account: Account) -> Iterator[Remark]:
    """The SNS topic that is told of runs, if the settings name one."""
    topic = account.settings.notify.topic_arn
    if topic is None:
        return
    try:
        account.client("sns").get_topic_attributes(TopicArn=topic)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NotFound":
            raise
        yield Finding(f"notify.topic_arn: there is no topic {topic}", "make it, or correct or remove the setting")


def _is_encrypted(engine: Engine) -> bool:
    try:
        with engine.connect() as session:
            row = session.execute(text("SHOW SESSION STATUS LIKE 'Ssl_cipher'")).one_or_none()
    except SQLAlchemyError as error:
        raise source_error(error, f"{SOURCE!r} does not answer") from error
    return row is not None and bool(row[1])
