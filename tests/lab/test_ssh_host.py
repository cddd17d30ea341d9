"""The client machine's SSH server, entered with OpenSSH and with paramiko."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import paramiko
import pytest

from lab.cloud.ssh_host import host_key
from lab.state import State
from tests.lab.lab_parts import running, start_cloud, wait_until

HUNDRED_LINES = "for i in $(seq 100); do echo line $i; done"


@pytest.fixture(scope="module")
def machine(state) -> Iterator[State]:
    with running(start_cloud(state, "ssh_host")):
        yield state


@pytest.fixture(scope="module")
def key_file(machine) -> Path:
    return machine.path("client_machine", "client_key")


@pytest.fixture
def known_hosts(machine, tmp_path) -> Path:
    path = tmp_path / "known_hosts"
    public = host_key(machine).export_public_key("openssh").decode()
    path.write_text(f"[127.0.0.1]:{machine.port('ssh')} {public}")
    return path


@pytest.fixture
def ssh(machine, key_file, known_hosts):
    """OpenSSH's own client, as strict as it gets."""

    def run(*arguments: str, user="ec2-user", key=key_file, **options) -> subprocess.CompletedProcess[bytes]:
        settings = ["IdentitiesOnly=yes", "BatchMode=yes", f"UserKnownHostsFile={known_hosts}", "LogLevel=ERROR"]
        flags = [word for setting in settings for word in ("-o", setting)]
        command = ["ssh", "-F", "none", *flags, "-o", "StrictHostKeyChecking=yes", "-i", str(key)]
        target = ["-p", str(machine.port("ssh")), f"{user}@127.0.0.1"]
        return subprocess.run([*command, *target, *arguments], capture_output=True, timeout=60, **options)

    return run


@pytest.fixture
def connect(machine, key_file):
    clients = []

    def open_connection(**changes) -> paramiko.SSHClient:
        client = paramiko.SSHClient()
        clients.append(client)
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        line = host_key(machine).export_public_key("openssh").decode().split()[1]
        name = f"[127.0.0.1]:{machine.port('ssh')}"
        client.get_host_keys().add(name, "ssh-ed25519", paramiko.Ed25519Key(data=base64.b64decode(line)))
        options = {"username": "ec2-user", "key_filename": str(key_file), "look_for_keys": False, "allow_agent": False}
        client.connect("127.0.0.1", machine.port("ssh"), timeout=20, **(options | changes))
        return client

    yield open_connection
    for client in clients:
        client.close()


def test_output_error_output_and_exit_code(ssh):
    done = ssh("echo out; echo err >&2; exit 7")

    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"err\n")


def test_a_script_on_standard_input(ssh):
    done = ssh("bash -s", input=b"read -r word <<<'two words'\necho $word\npwd\n")

    assert done.stdout.decode().splitlines()[0] == "two words"


def test_bash_reads_its_start_up_file_as_under_openssh(ssh, machine):
    """A command does; what a command starts and a login shell do not."""
    startup = machine.path("client_machine", "home", ".bashrc")
    startup.write_text("printf noise; echo warning >&2; chatty() { :; }\n")
    try:
        done = ssh("echo out; type -t chatty; bash -c 'echo child'; true")
        assert (done.stdout, done.stderr) == (b"noiseout\nfunction\nchild\n", b"warning\n")
        assert ssh("exec bash -s", input=b"echo script\n").stdout == b"noisescript\n"
        assert ssh(input=b"echo login\n").stdout == b"login\n"
    finally:
        startup.unlink()


def test_large_output_and_input_arrive_whole(ssh):
    assert len(ssh("head -c 50000000 /dev/zero").stdout) == 50_000_000
    assert ssh("wc -c", input=b"x" * 20_000_000).stdout.strip() == b"20000000"


def test_a_command_starts_in_the_machine_s_home(ssh, machine):
    home = machine.path("client_machine", "home")

    assert ssh('pwd; echo "$HOME"').stdout.decode().split() == [str(home)] * 2
    assert ssh(input=b'echo "in $HOME"\n').stdout.decode().strip() == f"in {home}"


def test_a_command_sees_nothing_of_the_lab_s_environment(state, tmp_path):
    """The server's own process carries a secret that no command may see; started apart, on a port of its own."""
    apart = State.open(root=tmp_path / "state")
    os.environ["PRETENDED_TOKEN"] = "leaked"
    try:
        with running(start_cloud(apart, "ssh_host")):
            seen = asyncio.run(run_with_environment(apart, "env", {"LC_ALL": "C.UTF-8", "LD_PRELOAD": "x", "A": "b"}))
    finally:
        del os.environ["PRETENDED_TOKEN"]
    names = {line.partition("=")[0] for line in seen.splitlines()}

    assert names == {
        *("HOME", "USER", "LOGNAME", "SHELL", "LANG", "PATH", "LAB_PYTHON", "LC_ALL"),
        *("SSH_CLIENT", "SSH_CONNECTION"),
        *("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        *("PWD", "SHLVL", "_"),
    }


async def run_with_environment(state: State, command: str, environment: dict[str, str]) -> str:
    async with connection(state) as client:
        return (await client.run(command, env=environment, check=True)).stdout


def connection(state: State):
    known = asyncssh.import_known_hosts(
        f"[127.0.0.1]:{state.port('ssh')} " + host_key(state).export_public_key().decode()
    )
    return asyncssh.connect(
        "127.0.0.1",
        state.port("ssh"),
        username="ec2-user",
        client_keys=[str(state.path("client_machine", "client_key"))],
        known_hosts=known,
        config=None,
    )


def test_a_signal_reaches_the_command_and_its_end_comes_back(machine):
    async def interrupt() -> asyncssh.SSHCompletedProcess:
        async with connection(machine) as client:
            process = await client.create_process("echo started; exec sleep 60")
            await process.stdout.readline()
            process.send_signal("TERM")
            return await asyncio.wait_for(process.wait(), 20)

    assert asyncio.run(interrupt()).exit_signal[0] == "TERM"


def test_a_command_that_kills_itself_is_not_a_success(ssh):
    assert ssh("kill -9 $$").returncode == 255


def test_a_changed_window_does_not_end_the_input(connect):
    channel = connect().get_transport().open_session()
    channel.get_pty()
    channel.exec_command("read -r line; echo got $line")
    channel.resize_pty(120, 40)
    channel.sendall(b"it\n")

    assert channel.makefile().read() == b"got it\n"


def test_without_a_terminal_the_command_outlives_the_client(connect, machine):
    folder = machine.path("client_machine", "home")
    channel = connect().get_transport().open_session()
    channel.exec_command("touch began; until [ -e go ]; do sleep 0.05; done; echo to nobody; touch ended")
    wait_until((folder / "began").exists, "the command runs")
    channel.get_transport().close()
    (folder / "go").touch()

    wait_until((folder / "ended").exists, "the command went on to its end")
    assert "Traceback" not in machine.log("ssh_host").read_text()


def test_with_a_terminal_the_command_ends_with_the_client(connect, machine):
    marker = machine.path("client_machine", "home", "terminal.pid")
    channel = connect().get_transport().open_session()
    channel.get_pty()
    channel.exec_command(f"echo $$ > {marker}; exec sleep 60")
    wait_until(lambda: marker.exists() and marker.read_text().strip(), "the command runs")
    channel.get_transport().close()

    wait_until(lambda: not alive(int(marker.read_text())), "the command has ended")


def test_what_was_started_in_the_background_outlives_the_session(ssh):
    done = ssh("nohup sleep 60 >/dev/null 2>&1 </dev/null & echo $!")
    process = int(done.stdout)
    try:
        assert alive(process)
    finally:
        os.kill(process, signal.SIGKILL)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_sftp_is_kept_inside_home(connect, machine):
    home = machine.path("client_machine", "home")
    with connect().open_sftp() as sftp, sftp.open("/by-sftp.txt", "w") as file:
        file.write(HUNDRED_LINES)

    assert (home / "by-sftp.txt").read_text() == HUNDRED_LINES
    with connect().open_sftp() as sftp:
        assert "by-sftp.txt" in sftp.listdir("/../..")


@pytest.mark.parametrize("protocol", [[], ["-O"]], ids=["by SFTP", "by its own protocol"])
def test_scp_copies_both_ways(protocol, machine, key_file, known_hosts, tmp_path):
    (tmp_path / "there").write_bytes(b"\0\xff" * 50_000)
    options = ["-q", "-F", "none", "-i", str(key_file), "-P", str(machine.port("ssh"))]
    command = ["scp", *protocol, *options, "-o", f"UserKnownHostsFile={known_hosts}", "-o", "BatchMode=yes"]
    subprocess.run([*command, str(tmp_path / "there"), "ec2-user@127.0.0.1:copy"], check=True, timeout=60)
    subprocess.run([*command, "ec2-user@127.0.0.1:copy", str(tmp_path / "back")], check=True, timeout=60)

    assert (tmp_path / "back").read_bytes() == b"\0\xff" * 50_000


def test_another_key_is_refused(ssh, tmp_path):
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(tmp_path / "other")
    (tmp_path / "other").chmod(0o600)
    done = ssh("true", key=tmp_path / "other")

    assert done.returncode == 255
    assert b"Permission denied" in done.stderr


def test_another_user_is_refused(ssh):
    assert b"Permission denied" in ssh("true", user="root").stderr


def test_a_password_is_refused(connect):
    with pytest.raises(paramiko.BadAuthenticationType) as refused:
        connect(key_filename=None, password="ec2-user")

    assert refused.value.allowed_types == ["publickey"]


def test_nothing_is_forwarded(connect):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        transport = connect().get_transport()
        with pytest.raises(paramiko.ChannelException):
            transport.open_channel("direct-tcpip", listener.getsockname(), ("127.0.0.1", 1))
        with pytest.raises(paramiko.SSHException):
            transport.request_port_forward("127.0.0.1", 0)


def test_keys_outlive_a_restart_and_are_private(tmp_path):
    apart = State.open(root=tmp_path / "state")
    kept = []
    for _ in range(2):
        with running(start_cloud(apart, "ssh_host")):
            keys = [apart.path("client_machine", name) for name in ("host_key", "client_key")]
            kept.append([key.read_text() for key in keys])

    assert kept[0] == kept[1]
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}


def test_commands_are_not_logged(ssh, machine):
    ssh("echo a-secret-in-a-command")

    assert "a-secret-in-a-command" not in machine.log("ssh_host").read_text()
