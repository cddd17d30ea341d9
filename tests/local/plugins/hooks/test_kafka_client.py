"""The way onto the client machine: a real SSH server in this process, AWS by botocore's Stubber."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import asyncssh
import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from include.settings import Downloads, Settings
from pinterest.hooks import kafka_brokers, kafka_client, kafka_tools
from pinterest.hooks.kafka_client import KafkaClientError, KafkaClientHook, KafkaClientSetupError
from pinterest.operators import kafka_client as operators
from pinterest.operators.kafka_client import KafkaClientScriptOperator, KafkaClientUploadOperator
from tests import builders
from tests.builders import USER_ID, variable

KEY_PAIR_ID = "key-0123456789abcdef0"
INSTANCE = {"InstanceId": "i-1", "PublicDnsName": "ec2-1-2-3-4.compute-1.amazonaws.com"}


def public_line(key: asyncssh.SSHKey) -> str:
    return " ".join(key.export_public_key().decode().split()[:2])


class Machine:
    """An SSH server on loopback that runs commands for real; every command is a session of its own, as under sshd.

    As under sshd, the login shell runs the command, and bash reads ``~/.bashrc`` first, since SSH_CLIENT is set.
    """

    def __init__(self, home: Path, key_type: str = "ssh-ed25519"):
        self.home = home
        self.login_shell = "/bin/bash"
        self.host_key = asyncssh.generate_private_key(key_type, **({"key_size": 2048} if key_type == "ssh-rsa" else {}))
        self.client_key = asyncssh.generate_private_key("ssh-ed25519")
        self.commands: list[str] = []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._serve)
        self.ready = threading.Event()

    def __enter__(self) -> Machine:
        self.thread.start()
        assert self.ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join()
        self.loop.close()

    def _serve(self) -> None:
        self.loop.run_until_complete(self._main())

    async def _main(self) -> None:
        self.stop = asyncio.Event()
        self.server = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[self.host_key],
            authorized_client_keys=asyncssh.import_authorized_keys(public_line(self.client_key)),
            process_factory=self._process,
            encoding=None,
            line_editor=False,
        )
        self.port = self.server.sockets[0].getsockname()[1]
        self.ready.set()
        await self.stop.wait()
        self.server.close()
        await self.server.wait_closed()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)

    async def _process(self, process: asyncssh.SSHServerProcess) -> None:
        self.commands.append(process.command or "")
        pipe = asyncio.subprocess.PIPE
        environment = {"HOME": str(self.home), "PATH": os.environ["PATH"], "SSH_CLIENT": "127.0.0.1 50000 22"}
        child = await asyncio.create_subprocess_exec(
            self.login_shell, "-c", process.command, cwd=self.home, start_new_session=True, env=environment,
            stdin=pipe, stdout=pipe, stderr=pipe,
        )  # fmt: skip

        async def pump(source, sink, close=False):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
            if close:
                sink.close()

        feed = asyncio.create_task(pump(process.stdin, child.stdin, close=True))
        await asyncio.gather(pump(child.stdout, process.stdout), pump(child.stderr, process.stderr))
        code = await child.wait()
        feed.cancel()
        if code < 0:
            process.exit_with_signal(signal.Signals(-code).name[3:])
        else:
            process.exit(code)


@pytest.fixture
def machine(tmp_path):
    with Machine(tmp_path) as machine:
        yield machine


def settings(**machine) -> Settings:
    return builders.settings(kafka_client={"host_key": "ssh-ed25519 AAAA", **machine})


class Aws:
    """Stubbed clients in the place of every AWS hook's."""

    def __init__(self, monkeypatch):
        self.clients = {
            name: boto3.client(name, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
            for name in ("ec2", "ssm")
        }
        self.stubs = {name: Stubber(client) for name, client in self.clients.items()}
        for stub in self.stubs.values():
            stub.activate()
        monkeypatch.setattr(kafka_client, "AwsBaseHook", lambda *_, client_type, **__: self.hook(client_type))
        monkeypatch.setattr(kafka_client.SsmHook, "conn", property(lambda _: self.clients["ssm"]), raising=False)

    def hook(self, name):
        return SimpleNamespace(conn=self.clients[name])

    def add_instances(self, *instances):
        self.stubs["ec2"].add_response(
            "describe_instances",
            {"Reservations": [{"Instances": [instance]} for instance in instances]},
            {
                "Filters": [
                    {"Name": "tag:Name", "Values": [USER_ID]},
                    {"Name": "instance-state-name", "Values": ["running"]},
                ]
            },
        )

    def add_key(self, text: str):
        self.stubs["ec2"].add_response(
            "describe_key_pairs",
            {"KeyPairs": [{"KeyPairId": KEY_PAIR_ID}]},
            {"KeyNames": [f"{USER_ID}-key-pair"]},
        )
        self.stubs["ssm"].add_response(
            "get_parameter",
            {"Parameter": {"Value": text, "Type": "SecureString"}},
            {"Name": f"/ec2/keypair/{KEY_PAIR_ID}", "WithDecryption": True},
        )


@pytest.fixture
def aws(monkeypatch):
    return Aws(monkeypatch)


@pytest.fixture
def hook(machine, aws):
    aws.add_key(machine.client_key.export_private_key().decode())
    return KafkaClientHook(settings(host="127.0.0.1", port=machine.port, host_key=public_line(machine.host_key)))


def test_instance_is_found_by_tag(aws):
    aws.add_instances(INSTANCE)

    assert KafkaClientHook(settings()).host == INSTANCE["PublicDnsName"]


@pytest.mark.parametrize(
    ("instances", "said"),
    [
        pytest.param((), f"No EC2 instance is running in us-east-1 with the tag Name={USER_ID}", id="none"),
        pytest.param(({"InstanceId": "i-2"}, {"InstanceId": "i-1"}), "2 EC2 instances .*: i-1, i-2", id="two"),
        pytest.param(({"InstanceId": "i-1", "PublicDnsName": ""},), "i-1 has no public DNS name: set", id="no name"),
    ],
)
def test_instance_that_will_not_do(aws, instances, said):
    aws.add_instances(*instances)

    with pytest.raises(KafkaClientError, match=said):
        _ = KafkaClientHook(settings()).host


def test_key_pair_that_is_not_there(aws):
    aws.stubs["ec2"].add_client_error("describe_key_pairs", "InvalidKeyPair.NotFound")

    with pytest.raises(KafkaClientError, match=f"EC2 key pair '{USER_ID}-key-pair' is not in us-east-1"):
        _ = KafkaClientHook(settings()).private_key


def test_private_key_that_is_not_in_parameter_store(aws):
    aws.stubs["ec2"].add_response("describe_key_pairs", {"KeyPairs": [{"KeyPairId": KEY_PAIR_ID}]})
    aws.stubs["ssm"].add_client_error("get_parameter", "ParameterNotFound")

    with pytest.raises(KafkaClientError, match=f"Parameter Store has no /ec2/keypair/{KEY_PAIR_ID}"):
        _ = KafkaClientHook(settings()).private_key


def test_parameter_that_is_no_private_key(aws):
    aws.add_key("ENCRYPTED:bm8ga2V5")

    with pytest.raises(KafkaClientSetupError, match=f"/ec2/keypair/{KEY_PAIR_ID} holds no private key") as error:
        _ = KafkaClientHook(settings()).private_key
    assert "bm8ga2V5" not in str(error.value)


def test_the_private_key_is_that_of_the_parameter(aws):
    key = asyncssh.generate_private_key("ssh-rsa")
    aws.add_key(key.export_private_key("pkcs8-pem").decode())

    assert KafkaClientHook(settings()).private_key.fingerprint == key.get_fingerprint()


def test_run_gives_output_and_exit_code(hook):
    done = hook.run('echo "$GREETING"; echo oops >&2; exit 7', {"GREETING": 'it\'s "$HOME" here'})

    assert (done.stdout, done.stderr, done.exit_code) == ('it\'s "$HOME" here\n', "oops\n", 7)


def test_scripts_and_secrets_stay_out_of_the_process_list(hook, machine):
    script = 'printf "%s|" "$TOKEN"; env | grep -c TOKEN; tr "\\0" " " </proc/$$/cmdline'
    done = hook.run(script, secrets={"TOKEN": "s3cret"}, quiet=True)

    assert done.stdout == "s3cret|0\nbash -s "
    assert machine.commands == [kafka_client.START]


NOISE = {
    "a line": "echo welcome",
    "no line feed": "printf welcome",
    "on both streams": "echo welcome; echo warning >&2; printf more >&2",
    "a banner": "printf '\\n  __|  __|_  )\\n\\n'; head -c 100000 /dev/zero | tr '\\0' '#'",
    "no UTF-8": "printf '\\377\\376'",
    "strict": "set -euo pipefail; set -x; shopt -s expand_aliases; alias echo='echo aliased'",
    "exported": "echo() { printf 'function\\n'; }; export -f echo; export SHELLOPTS; set -o noclobber; set -v",
    "BASH_ENV": 'echo "echo from BASH_ENV; set -e" >"$HOME/.env"; export BASH_ENV=$HOME/.env ENV=$HOME/.env',
    "a prompt": "PROMPT_COMMAND='echo prompt'; export PROMPT_COMMAND; PS1='$ '",
    "a question": "echo 'Go on?'; read -r answer",
    "an earlier marker": f"echo '{kafka_client.MARKER} 1'",
    "a trap": "trap 'echo bye' EXIT; trap 'echo debug' DEBUG; cd /; umask 077",
    "failing": "false; cat /nowhere",
}


@pytest.mark.parametrize("startup", NOISE.values(), ids=NOISE)
def test_what_the_login_shell_prints_is_dropped(hook, machine, startup, caplog):
    (machine.home / ".bashrc").write_text(startup + "\n")
    caplog.set_level(logging.INFO)
    script = "echo first; echo oops >&2; bash -c 'echo child'; false; ls /nowhere 2>/dev/null; printf last; exit 7"

    done = hook.run(script)

    assert (done.stdout, done.stderr, done.exit_code) == ("first\nchild\nlast", "oops\n", 7)
    assert {"welcome", "warning", "prompt"} & set(caplog.messages) == set()


def test_a_script_is_killed_behind_noise(hook, machine, tmp_path):
    (machine.home / ".bashrc").write_text("printf welcome; printf warning >&2\n")

    with pytest.raises(KafkaClientError, match=r"ran longer than 1 s and was killed; it said last: started"):
        hook.run(f"sleep 600 & echo $! >{tmp_path}/pid; echo started; wait", timeout=1)

    until(lambda: not alive(int((tmp_path / "pid").read_text())))


def test_another_login_shell(hook, machine):
    machine.login_shell = "/bin/sh"
    script = 'words=(a b); echo "${words[1]}"; ps -o pgid= -p $$; echo $$'

    word, group, process = hook.run(script).stdout.split()

    assert (word, group) == ("b", process)


def test_a_start_up_file_that_ends_the_shell_is_named(hook, machine):
    (machine.home / ".bashrc").write_text("echo 'no shell for you'; exit 3\n")

    with pytest.raises(KafkaClientSetupError) as error:
        hook.run("touch started")

    for word in ("Exit code 3", "before it began the script", "ec2-user", "~/.bashrc", "It printed: no shell for you"):
        assert word in str(error.value)
    assert not (machine.home / "started").exists()


def test_a_start_up_file_that_replaces_the_shell_is_named(hook, machine):
    (machine.home / ".bashrc").write_text("exec sh\n")

    with pytest.raises(KafkaClientSetupError, match=r"Exit code 78 .* or replace the shell"):
        hook.run(f"touch {machine.home}/started")
    assert not (machine.home / "started").exists()


def test_a_start_up_file_that_ends_well_is_no_success(hook, machine):
    (machine.home / ".bashrc").write_text("exit 0\n")

    with pytest.raises(KafkaClientSetupError, match=r"Exit code 0 .*It printed: nothing"):
        hook.run("true")


def test_a_start_up_file_that_does_not_end_is_named(hook, machine, monkeypatch):
    monkeypatch.setattr(kafka_client, "START_SECONDS", 0.5)
    (machine.home / ".bashrc").write_text(f"echo $$ >{machine.home}/waits; echo choose:; exec sleep 600\n")

    with pytest.raises(KafkaClientError, match=r"has not begun the script\. .*It printed: choose:"):
        hook.run("true")
    os.kill(int((machine.home / "waits").read_text()), signal.SIGKILL)


def test_commands_of_the_script_do_not_eat_it(hook):
    assert hook.run("cat; echo after").stdout == "after\n"


def test_a_script_that_arrives_in_part_does_nothing(tmp_path):
    whole = kafka_client._stdin("touch started\necho done", {}, {})
    cut = whole[: whole.index("echo done")]
    done = os.system(f"cd {tmp_path} && bash -s 2>/dev/null <<'END'\n{cut}\nEND")

    assert done != 0
    assert not (tmp_path / "started").exists()


def test_large_output_is_complete(hook):
    assert len(hook.run("head -c 3000000 /dev/zero | tr '\\0' x", quiet=True).stdout) == 3_000_000


def test_lines_are_logged_unless_quiet(hook, caplog):
    caplog.set_level(logging.INFO)
    hook.run("echo loud; echo warned >&2")
    hook.run("echo hushed", quiet=True)

    assert {"loud", "warned"} <= set(caplog.messages)
    assert "hushed" not in caplog.messages
    assert "pinterest-pipeline" not in caplog.text


def test_a_script_can_say_that_another_try_would_fail(hook):
    with pytest.raises(KafkaClientSetupError, match=r"kafka failed \(78\) .*: in the way"):
        hook.run("echo in the way >&2; exit 78").check("kafka")


def test_check_shows_the_end_of_what_was_said(hook):
    with pytest.raises(KafkaClientError, match=r"kafka failed \(3\) on the Kafka client machine: no room left"):
        hook.run("echo no room left >&2; exit 3").check("kafka")


def test_timeout_kills_the_script_and_its_children(hook, tmp_path):
    with pytest.raises(KafkaClientError, match=r"ran longer than 1 s and was killed; it said last: started"):
        hook.run(f"sleep 600 & echo $! >{tmp_path}/pid; echo started; wait", timeout=1)

    until(lambda: not alive(int((tmp_path / "pid").read_text())))


def test_kill_from_outside_ends_the_script_and_its_children(hook, tmp_path):
    def kill():
        until((tmp_path / "pid").exists)
        hook.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    done = hook.run(f"sleep 600 & echo $! >{tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; wait; sleep 600")
    killer.join()

    assert done.exit_code == -1
    until(lambda: not alive(int((tmp_path / "pid").read_text())))
    with pytest.raises(KafkaClientError, match="ended by a signal"):
        done.check("it")


def test_a_daemon_outlives_its_script(hook, tmp_path):
    hook.run(f"nohup sleep 600 >/dev/null 2>&1 </dev/null & echo $! >{tmp_path}/pid")
    pid = int((tmp_path / "pid").read_text())
    try:
        assert alive(pid)
    finally:
        os.kill(pid, signal.SIGKILL)


def test_kafka_tools_get_the_addresses_of_the_brokers(machine, aws, monkeypatch):
    asked = []

    class Msk:
        def __init__(self, *, aws_conn_id, region_name):
            asked.append((aws_conn_id, region_name))

        def brokers(self, cluster_name, authentication):
            asked.append((cluster_name, authentication))
            return {"bootstrap_servers": "b1:9092,b2:9092"}

    monkeypatch.setattr(kafka_brokers, "MskHook", Msk)
    aws.add_key(machine.client_key.export_private_key().decode())
    current = settings(host="127.0.0.1", port=machine.port, host_key=public_line(machine.host_key))
    hook = kafka_tools.KafkaToolsHook(current, "aws_test")

    assert hook.run('echo "$BOOTSTRAP_SERVERS|$TOPIC"', {"TOPIC": "t"}).stdout == "b1:9092,b2:9092|t\n"
    assert hook.run('echo "$BOOTSTRAP_SERVERS"').stdout == "b1:9092,b2:9092\n"
    assert asked == [("aws_test", "us-east-1"), (current.kafka.cluster_name, current.kafka.authentication)]


def test_another_machine_at_the_address(machine, aws):
    aws.add_key(machine.client_key.export_private_key().decode())
    expected = asyncssh.generate_private_key("ssh-ed25519")
    hook = KafkaClientHook(settings(host="127.0.0.1", port=machine.port, host_key=public_line(expected)))

    with pytest.raises(KafkaClientError) as error:
        hook.run("touch ~/entered")

    for word in (
        f"[127.0.0.1]:{machine.port}",
        f"it offers ssh-ed25519 {machine.host_key.get_fingerprint()}",
        f"kafka_client.host_key is ssh-ed25519 {expected.get_fingerprint()}",
        f'set kafka_client.host_key to "{public_line(machine.host_key)}"',
    ):
        assert word in str(error.value)
    assert not (machine.home / "entered").exists()


def test_a_host_key_of_another_kind(tmp_path, aws):
    with Machine(tmp_path, "ecdsa-sha2-nistp256") as machine:
        aws.add_key(machine.client_key.export_private_key().decode())
        other = asyncssh.generate_private_key("ssh-ed25519")
        hook = KafkaClientHook(settings(host="127.0.0.1", port=machine.port, host_key=public_line(other)))

        with pytest.raises(KafkaClientError, match="it offers ecdsa-sha2-nistp256 SHA256:"):
            hook.run("true")


def test_an_rsa_host_key(tmp_path, aws):
    with Machine(tmp_path, "ssh-rsa") as machine:
        aws.add_key(machine.client_key.export_private_key().decode())
        hook = KafkaClientHook(settings(host="127.0.0.1", port=machine.port, host_key=public_line(machine.host_key)))

        assert hook.run("echo in").stdout == "in\n"


@pytest.mark.parametrize("line", ["ssh-ed25519", "ssh-ed25519 ???", "SHA256:abcdef", "ssh-dss AAAA"])
def test_a_setting_that_is_no_host_key(machine, aws, line):
    with pytest.raises(KafkaClientError, match=r"kafka_client\.host_key is no SSH host key"):
        KafkaClientHook(settings(host="127.0.0.1", port=machine.port, host_key=line)).run("true")


def test_another_private_key(machine, aws):
    wrong = asyncssh.generate_private_key("ssh-ed25519")
    aws.add_key(wrong.export_private_key().decode())
    hook = KafkaClientHook(settings(host="127.0.0.1", port=machine.port, host_key=public_line(machine.host_key)))

    with pytest.raises(KafkaClientError) as error:
        hook.run("true")

    for word in ("refused the login 'ec2-user'", f"{USER_ID}-key-pair", wrong.get_fingerprint()):
        assert word in str(error.value)


def test_no_machine_at_the_address(machine, aws):
    aws.add_key(machine.client_key.export_private_key().decode())
    hook = KafkaClientHook(settings(host="127.0.0.1", port=1, host_key=public_line(machine.host_key)))

    with pytest.raises(KafkaClientError, match=r"No SSH session with \[127\.0\.0\.1\]:1: .*security group"):
        hook.run("true")


def test_the_private_key_is_in_no_log(hook, machine, caplog):
    caplog.set_level(logging.DEBUG)
    hook.run("true")
    text = machine.client_key.export_private_key().decode()

    assert not [line for line in text.splitlines() if line in caplog.text]


def test_operator_returns_the_last_line(hook, monkeypatch):
    monkeypatch.setattr(operators, "settings", lambda: hook.settings)
    operator = KafkaClientScriptOperator(
        task_id="kafka", script='echo "$A,$B"; echo "changed: it"', environment={"A": 1}
    )

    assert operator.execute({}) == "changed: it"


def test_operator_fails_with_the_script(hook, monkeypatch):
    monkeypatch.setattr(operators, "settings", lambda: hook.settings)

    with pytest.raises(KafkaClientError, match=r"The script of kafka failed \(1\).*: broken"):
        KafkaClientScriptOperator(task_id="kafka", script="echo broken >&2; false").execute({})


SHA256 = "ab" * 32
CHECKSUM = "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="


@pytest.fixture
def bucket(monkeypatch):
    client = boto3.client(
        "s3", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test",
        config=Config(signature_version="s3v4"),
    )  # fmt: skip
    monkeypatch.setattr(KafkaClientUploadOperator, "_s3", lambda *_: client)
    with Stubber(client) as stub:
        yield stub


@pytest.fixture
def upload(hook, monkeypatch):
    downloads = {"s3_sink": {"url": "http://127.0.0.1/sink.zip", "sha256": SHA256}}
    changed = variable()["downloads"] | downloads
    hook.settings = hook.settings.model_copy(update={"downloads": Downloads.model_validate(changed)})
    monkeypatch.setattr(operators, "settings", lambda: hook.settings)
    return KafkaClientUploadOperator(
        task_id="archive", script='echo "$URL $SHA256"; echo "$HEADERS"; echo "$UPLOAD_URL"; echo "changed: up"',
        download="s3_sink", sha256=SHA256, bucket="user-bucket", key="k.zip",
    )  # fmt: skip


def there(sha256: str = SHA256, size: int = 9) -> dict:
    return {"ContentLength": size, "Metadata": {"sha256": sha256}}


def test_upload_is_skipped_when_the_object_is_there(upload, bucket, machine):
    bucket.add_response("head_object", there(), {"Bucket": "user-bucket", "Key": "k.zip"})

    assert upload.execute({}) == "unchanged"
    assert machine.commands == []


@pytest.mark.parametrize("before", [None, there(size=0), there("cd" * 32)], ids=["absent", "empty", "another digest"])
def test_upload_by_the_machine(upload, bucket, hook, monkeypatch, before):
    if before is None:
        bucket.add_client_error("head_object", "404")
    else:
        bucket.add_response("head_object", before)
    bucket.add_response("head_object", there())
    said = []
    real = KafkaClientHook.run
    monkeypatch.setattr(KafkaClientHook, "run", lambda self, *a, **k: said.append(real(self, *a, **k)) or said[-1])

    assert upload.execute({}) == "changed: up"

    lines = said[0].stdout.splitlines()
    assert lines[:3] == [
        f"http://127.0.0.1/sink.zip {SHA256}", f"x-amz-meta-sha256: {SHA256}", f"x-amz-checksum-sha256: {CHECKSUM}",
    ]  # fmt: skip
    assert lines[3].startswith("https://user-bucket.s3.amazonaws.com/k.zip?X-Amz-Algorithm=AWS4-HMAC-SHA256&")
    signed = lines[3].split("X-Amz-SignedHeaders=")[1].split("&")[0]
    assert signed == "host%3Bx-amz-checksum-sha256%3Bx-amz-meta-sha256"
    assert "X-Amz" not in json.dumps(upload.environment)


def test_upload_that_did_not_arrive(upload, bucket):
    bucket.add_client_error("head_object", "404")
    bucket.add_client_error("head_object", "404")

    with pytest.raises(KafkaClientError, match=r"s3://user-bucket/k\.zip is not there after the upload"):
        upload.execute({})


def alive(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def until(condition, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
