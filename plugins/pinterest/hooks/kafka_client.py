"""The Kafka client machine: found on EC2, entered over SSH with a private key that exists only in memory."""

from __future__ import annotations

import base64
import binascii
import logging
import re
import secrets as randomness
import shlex
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import paramiko  # type: ignore[import-untyped]
from airflow.sdk.log import mask_secret
from botocore.exceptions import ClientError

from include.faults import LastingError
from include.settings import Settings
from pinterest.hooks.aws import AwsBaseHook, SsmHook
from pinterest.private_key import PrivateKeyError, read_private_key

log = logging.getLogger(__name__)

CONNECT_SECONDS = 20
START_SECONDS = 60
KEEPALIVE_SECONDS = 15
DRAIN_SECONDS = 10
LASTING = 78  # the exit code of a script that fails until somebody changes something; sysexits.h calls it EX_CONFIG

MARKER = "pinterest-pipeline: process group"
VARIABLE_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")

# The login shell, whichever it is, runs this command after its own start-up files. These may not change how bash reads
# the script, nor the Kafka tools, which are bash scripts, too: BASH_ENV and options end here, and functions are unset.
START = "exec env -u BASH_ENV -u ENV -u SHELLOPTS -u BASHOPTS -u GREP_OPTIONS bash -s"

PROLOGUE = """\
export PATH="$HOME/java/bin:$HOME/kafka/bin:$PATH"
if [ -x "$HOME/java/bin/java" ]; then export JAVA_HOME="$HOME/java"; fi
for jar in "$HOME"/kafka/libs/aws-msk-iam-auth-*.jar "$HOME/kafka/libs/$(cat "$HOME/kafka/.iam_auth" 2>/dev/null)"; do
  if [ -f "$jar" ]; then export CLASSPATH="$jar"; fi
done
"""

KILL_GROUP = """\
kill -TERM -- -{group} 2>/dev/null || kill -TERM {group} 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do
  kill -0 -- -{group} 2>/dev/null || exit 0
  sleep 0.5
done
kill -KILL -- -{group} 2>/dev/null
exit 0
"""


class KafkaClientError(RuntimeError):
    """The client machine cannot be found, entered or used. The message says which setting or part to look at."""


class KafkaClientSetupError(LastingError, KafkaClientError):
    """The same, and it stays so until somebody changes something: the task is not retried."""


@dataclass(frozen=True)
class Completed:
    """A script's output. ``exit_code`` is -1 if a signal or a lost connection ended it.

    What the login shell's start-up files print is not part of it.
    """

    stdout: str
    stderr: str
    exit_code: int

    @property
    def last_line(self) -> str:
        return (self.stdout.strip().splitlines() or [""])[-1].strip()

    def check(self, name: str) -> Completed:
        """Return self if the script succeeded; otherwise raise KafkaClientError with the end of its output.

        Raises KafkaClientSetupError if the script says that another try would fail, too.
        """
        if self.exit_code != 0:
            said = "\n".join((self.stderr.strip() or self.stdout.strip()).splitlines()[-15:])
            how = "was ended by a signal or a lost connection" if self.exit_code == -1 else f"failed ({self.exit_code})"
            kind = KafkaClientSetupError if self.exit_code == LASTING else KafkaClientError
            raise kind(f"{name} {how} on the Kafka client machine: {said or 'it printed nothing'}")
        return self


@dataclass
class _Script:
    """A script that was sent to the machine. It has begun once it has printed the marker and its process group."""

    marker: str = field(default_factory=lambda: f"{MARKER} {randomness.token_hex(8)}")
    group: int | None = None
    begun: threading.Event = field(default_factory=threading.Event)

    def begin(self, group: str) -> None:
        self.group = int(group)
        self.begun.set()


@dataclass
class _Output:
    """One stream of a script: its lines, and apart from them what came before the marker."""

    script: _Script
    quiet: bool
    lines: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)

    def read(self, stream: Any) -> None:
        begun = False
        for raw in stream:
            line = raw.decode("utf-8", errors="replace")
            if begun:
                self.lines.append(line)
                if not self.quiet:
                    log.info("%s", line.rstrip("\n"))
                continue
            noise, begun, group = line.partition(self.script.marker)
            if noise:
                self.before.append(noise)
            if begun:
                self.script.begin(group)


class KafkaClientHook:
    """Runs bash scripts on the Kafka client machine.

    The machine is the running EC2 instance whose tag ``Name`` is the user id (``kafka_client.host`` overrides its
    address). The key is the one that EC2 keeps in Parameter Store for the user's key pair. The machine must prove
    that it owns ``kafka_client.host_key``, or the key that was learned from the instance's console.
    """

    def __init__(self, settings: Settings, aws_conn_id: str | None = "aws_default") -> None:
        self.settings = settings
        self.aws_conn_id = aws_conn_id
        self._script: _Script | None = None

    @cached_property
    def _ec2(self) -> Any:
        return AwsBaseHook(self.aws_conn_id, region_name=self.settings.region, client_type="ec2").conn

    @cached_property
    def _ssm(self) -> SsmHook:
        return SsmHook(aws_conn_id=self.aws_conn_id, region_name=self.settings.region)

    def find_instance(self) -> dict[str, Any]:
        """The one running instance that carries the user id, as EC2 describes it."""
        filters = [
            {"Name": "tag:Name", "Values": [self.settings.user_id]},
            {"Name": "instance-state-name", "Values": ["running"]},
        ]
        pages = self._ec2.get_paginator("describe_instances").paginate(Filters=filters)
        found = [i for page in pages for reservation in page["Reservations"] for i in reservation["Instances"]]
        where = f"running in {self.settings.region} with the tag Name={self.settings.user_id}"
        if not found:
            raise KafkaClientSetupError(
                f"No EC2 instance is {where}: start the Kafka client machine, or give it that tag"
            )
        if len(found) > 1:
            ids = ", ".join(sorted(i["InstanceId"] for i in found))
            raise KafkaClientSetupError(f"{len(found)} EC2 instances are {where}: {ids}. Stop or rename all but one")
        return dict(found[0])

    @cached_property
    def host(self) -> str:
        """``kafka_client.host``, else the instance's public DNS name."""
        if self.settings.kafka_client.host:
            return self.settings.kafka_client.host
        instance = self.find_instance()
        if not instance.get("PublicDnsName"):
            raise KafkaClientSetupError(
                f"EC2 instance {instance['InstanceId']} has no public DNS name: "
                "set kafka_client.host to the address that Airflow reaches it by"
            )
        return str(instance["PublicDnsName"])

    @property
    def rest_proxy_url(self) -> str:
        """Where API Gateway reaches the REST proxy: ``rest_proxy.url``, else its port at the public DNS name."""
        if self.settings.rest_proxy.url:
            return self.settings.rest_proxy.url.rstrip("/")
        instance = self.find_instance()
        if not instance.get("PublicDnsName"):
            raise KafkaClientSetupError(
                f"EC2 instance {instance['InstanceId']} has no public DNS name: "
                "set rest_proxy.url to the address that API Gateway reaches the REST proxy by"
            )
        return f"http://{instance['PublicDnsName']}:{self.settings.rest_proxy.port}"

    def find_key_pair(self) -> str:
        """Id of the user's key pair."""
        name = self.settings.key_pair
        try:
            pairs = self._ec2.describe_key_pairs(KeyNames=[name])["KeyPairs"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "InvalidKeyPair.NotFound":
                raise
            pairs = []
        if not pairs:
            raise KafkaClientSetupError(f"EC2 key pair {name!r} is not in {self.settings.region}")
        return str(pairs[0]["KeyPairId"])

    @cached_property
    def private_key(self) -> paramiko.PKey:
        """The key pair's private key, from Parameter Store. It is neither written anywhere nor shown in a log."""
        parameter = f"/ec2/keypair/{self.find_key_pair()}"
        try:
            text = self._ssm.get_parameter_value(parameter)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ParameterNotFound":
                raise
            raise KafkaClientSetupError(
                f"Parameter Store has no {parameter}: EC2 keeps only keys there that CloudFormation made; "
                f"put the private key of {self.settings.key_pair} there as a SecureString"
            ) from None
        mask_secret(text)
        try:
            return read_private_key(text)
        except PrivateKeyError as error:
            raise KafkaClientSetupError(
                f"Parameter {parameter} {error}. Put the private key of {self.settings.key_pair} there, "
                "as docs/settings.md says"
            ) from None

    @cached_property
    def host_key(self) -> str:
        """The key that the machine must prove it owns: ``kafka_client.host_key``, else what its console said."""
        if self.settings.kafka_client.host_key:
            return self.settings.kafka_client.host_key
        parameter = self.settings.host_key_parameter(self.find_instance()["InstanceId"])
        try:
            return str(self._ssm.get_parameter_value(parameter))
        except ClientError as error:
            if error.response["Error"]["Code"] != "ParameterNotFound":
                raise
            raise KafkaClientSetupError(
                f"The SSH host key of the Kafka client machine is not known: Parameter Store has no {parameter}. "
                "Run pinterest_pipeline, which learns it from the instance's console, or set kafka_client.host_key"
            ) from None

    def run(
        self,
        script: str,
        environment: Mapping[str, str] | None = None,
        timeout: float = 600,
        *,
        secrets: Mapping[str, str] | None = None,
        quiet: bool = False,
    ) -> Completed:
        """Run a bash script and return its output; a script that fails raises nothing (see ``Completed.check``).

        The script travels over the standard input of bash and starts only when all of it has arrived; its own
        standard input is empty. Java, the Kafka tools and the IAM jar are on its paths. Lines are logged as they come
        unless ``quiet``. Whatever the login shell's start-up files print is dropped.

        :param environment: exported to the script and its children
        :param timeout: seconds; then the script's process group is killed and KafkaClientError raised
        :param secrets: variables of the script that its children do not inherit, masked in logs
        """
        for value in (secrets or {}).values():
            mask_secret(value)
        script_sent = _Script()
        stdout, stderr = _Output(script_sent, quiet), _Output(script_sent, quiet)
        with self._connect() as client:
            self._script = script_sent  # Before it runs: kill() must find it from its first moment on.
            channel = self._start(client, _stdin(script, environment or {}, secrets or {}, script_sent.marker))
            readers = [
                threading.Thread(target=stdout.read, args=(channel.makefile("rb"),), daemon=True),
                threading.Thread(target=stderr.read, args=(channel.makefile_stderr("rb"),), daemon=True),
            ]
            for reader in readers:
                reader.start()
            first = min(timeout, START_SECONDS)
            ended = channel.status_event.wait(first)
            if not ended and script_sent.begun.is_set():
                ended = channel.status_event.wait(timeout - first)
                if not ended:
                    self.kill()
            if ended or script_sent.begun.is_set():
                for reader in readers:
                    reader.join(DRAIN_SECONDS)
            self._script = None
            exit_code = channel.recv_exit_status() if ended else -1
        if not script_sent.begun.is_set():
            raise self._not_begun(exit_code if ended else None, first, [*stdout.before, *stderr.before])
        if not ended:
            raise KafkaClientError(
                f"A script on the Kafka client machine {self.host} ran longer than {timeout:g} s and was killed; "
                f"it said last: {(stderr.lines or stdout.lines or ['nothing'])[-1].strip()}"
            )
        return Completed("".join(stdout.lines), "".join(stderr.lines), exit_code)

    def kill(self) -> None:
        """End the running script's process group, children included, over a connection of its own."""
        script = self._script
        if script is None:
            return
        script.begun.wait(CONNECT_SECONDS)
        if script.group is None:
            log.warning("The script on %s has not begun, so its process group is not known", self.host)
            return
        log.info("Ending process group %d on %s", script.group, self.host)
        with self._connect() as client:
            channel = self._start(client, KILL_GROUP.format(group=script.group))
            channel.status_event.wait(CONNECT_SECONDS)

    @staticmethod
    def _start(client: paramiko.SSHClient, stdin: str) -> paramiko.Channel:
        """Have bash on the machine read ``stdin``. Its first line is empty, for a start-up file that reads one."""
        transport = client.get_transport()
        assert transport is not None
        transport.set_keepalive(KEEPALIVE_SECONDS)
        channel = transport.open_session(timeout=CONNECT_SECONDS)
        channel.exec_command(START)
        channel.sendall(f"\n{stdin}".encode())
        channel.shutdown_write()
        return channel

    def _not_begun(self, exit_code: int | None, seconds: float, printed: list[str]) -> KafkaClientError:
        """What went wrong when the login shell did not come to the script. It has no exit code if it still runs."""
        login, said = self.settings.kafka_client.login, "".join(printed[-15:]).strip()
        where = f"the login shell of {login} on the Kafka client machine {self.host}"
        advice = (
            "A start-up file such as ~/.bashrc must not exit, wait for input or replace the shell "
            f"where nobody is at a terminal. It printed: {said or 'nothing'}"
        )
        if exit_code is None:
            return KafkaClientError(f"After {seconds:g} s {where} has not begun the script. {advice}")
        if exit_code == -1:
            return KafkaClientError(f"A signal or a lost connection ended {where} before it began the script")
        return KafkaClientSetupError(f"Exit code {exit_code} ended {where} before it began the script. {advice}")

    def _connect(self) -> paramiko.SSHClient:
        machine = self.settings.kafka_client
        expected = _host_key(self.host_key)
        known_as = self.host if machine.port == 22 else f"[{self.host}]:{machine.port}"
        key = self.private_key
        client = paramiko.SSHClient()
        client.get_host_keys().add(known_as, expected.get_name(), expected)
        try:
            client.connect(
                self.host,
                machine.port,
                username=machine.login,
                pkey=key,
                allow_agent=False,
                look_for_keys=False,
                timeout=CONNECT_SECONDS,
                banner_timeout=CONNECT_SECONDS,
                auth_timeout=CONNECT_SECONDS,
            )
        except paramiko.BadHostKeyException as error:
            client.close()
            offered = error.key
            known = "kafka_client.host_key" if machine.host_key else "the key in Parameter Store"
            raise KafkaClientSetupError(
                f"The machine at {known_as} is not the one that the settings name: it offers "
                f"{offered.get_name()} {offered.fingerprint}, {known} is {expected.get_name()} "
                f"{expected.fingerprint}. If the offered fingerprint is the one in the instance's system log, set "
                f'kafka_client.host_key to "{offered.get_name()} {offered.get_base64()}"'
            ) from None
        except paramiko.AuthenticationException as error:
            client.close()
            raise KafkaClientSetupError(
                f"{known_as} refused the login {machine.login!r} with the key of {self.settings.key_pair} "
                f"({key.get_name()} {key.fingerprint}): the instance runs with another key pair, "
                f"or kafka_client.login is wrong ({error})"
            ) from None
        except (OSError, paramiko.SSHException) as error:
            client.close()
            raise KafkaClientError(
                f"No SSH session with {known_as}: {error or type(error).__name__}. Check that the instance runs, that "
                "its security group lets Airflow in, and kafka_client.host and kafka_client.port"
            ) from error
        return client


def _stdin(script: str, environment: Mapping[str, str], secrets: Mapping[str, str], marker: str = MARKER) -> str:
    for name in (*environment, *secrets):
        if not VARIABLE_NAME.match(name):
            raise ValueError(f"{name!r} is not a name of an environment variable")
    exported = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
    kept = "".join(f"{name}={shlex.quote(value)}\n" for name, value in secrets.items())
    only_bash = f'[ -n "${{BASH_VERSION:-}}" ] || exit {LASTING}\n'  # a start-up file may have replaced the login shell
    mark = f"echo {shlex.quote(marker)} $$"
    begin = f"{only_bash}unset -f $(compgen -A function)\n{mark}\n{mark} >&2\n"
    return f"{begin}{PROLOGUE}{exported}{kept}main() {{\n{script}\n}}\nmain </dev/null\n"


def _host_key(line: str) -> paramiko.PKey:
    kind, _, rest = line.strip().partition(" ")
    try:
        return paramiko.PKey.from_type_string(kind, base64.b64decode(rest.split(" ")[0], validate=True))
    except (paramiko.SSHException, paramiko.UnknownKeyType, binascii.Error, ValueError) as error:
        raise KafkaClientSetupError(
            f"kafka_client.host_key is no SSH host key ({error or type(error).__name__}): {line!r}; expected a line "
            "such as ssh-ed25519 AAAA…, as ssh-keyscan prints it after the host name"
        ) from None
