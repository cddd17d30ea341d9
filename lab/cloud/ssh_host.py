"""The EC2 instance that runs the Kafka client: an SSH server whose commands run on this machine.

Covered: commands and login shells for the user ``ec2-user``, with HOME and working directory in
``state/client_machine/home``; stdin, stdout and stderr until they close; exit codes, and signals in both directions;
SFTP and scp inside HOME. The key of the instance's key pair is accepted, and an ed25519 key of the lab; passwords,
agents and any kind of forwarding are refused.

Known differences: ``whoami`` is the user who started the lab, and a command can read whatever that user can (so the key
is as good as a login to this machine; only its owner can read it); ``sudo`` refuses, so that nothing is installed on
this machine; a requested terminal is not a real one. A command
sees a fixed environment, never the lab's own, and only LC_* of what the client sends. Commands are not logged. As with
OpenSSH, a command keeps running when its client disconnects, unless the client had requested a terminal; and as with
its ``SSH_CLIENT``, bash reads ``~/.bashrc`` before a command (Amazon Linux, Debian and Fedora build it that way).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

import asyncssh

from lab.aws.ec2 import AUTHORIZED_KEYS, CONSOLE, MACHINE
from lab.cloud.serving import HOST, PortTakenError
from lab.state import REGION, State, write_private

LOGIN = "ec2-user"
FOLDER = MACHINE
CHUNK = 65536
CLIENT_GONE = (OSError, asyncssh.Error)


def host_key(state: State) -> asyncssh.SSHKey:
    """The key that identifies the server; created once."""
    return kept_key(state, "host_key")


def client_key(state: State) -> asyncssh.SSHKey:
    """The only key that the server accepts; created once."""
    return kept_key(state, "client_key")


def kept_key(state: State, name: str) -> asyncssh.SSHKey:
    folder = state.path(FOLDER)
    folder.mkdir(exist_ok=True, mode=0o700)
    path = folder / name
    if not path.exists():
        key = asyncssh.generate_private_key("ssh-ed25519", comment=f"pinterest-lab-{name}")
        beside = folder / f".{name}.{os.getpid()}"
        write_private(beside, key.export_private_key("openssh").decode())
        with contextlib.suppress(FileExistsError):
            os.link(beside, path)
        beside.unlink()
    return asyncssh.read_private_key(path)


def authorized_keys(state: State) -> asyncssh.SSHAuthorizedKeys:
    """The machine's own client key, and that of the key pair that its instance was launched with."""
    launched = state.path(FOLDER, AUTHORIZED_KEYS)
    keys = [client_key(state).export_public_key("openssh").decode(), launched.read_text() if launched.exists() else ""]
    return asyncssh.import_authorized_keys("\n".join(keys))


def print_host_keys(state: State) -> None:
    """As cloud-init does when an instance first starts, for EC2's ``GetConsoleOutput``."""
    public = host_key(state).export_public_key("openssh").decode().strip()
    lines = ("-----BEGIN SSH HOST KEY KEYS-----", public, "-----END SSH HOST KEY KEYS-----")
    write_private(state.path(FOLDER, CONSOLE), "".join(f"{line}\r\n" for line in lines))


def home(state: State) -> Path:
    return state.path(FOLDER, "home")


def refuse_sudo(state: State) -> None:
    """What a login of an instance may do as root would be done to this machine."""
    folder = state.path(FOLDER, "bin")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = folder / "sudo"
    command.write_text("#!/bin/sh\necho 'sudo: not on the lab' >&2\nexit 1\n")
    command.chmod(0o700)


def environment(state: State) -> dict[str, str]:
    """What a command sees: a login's variables, and what an instance profile provides on EC2."""
    return {
        "HOME": str(home(state)),
        "USER": LOGIN,
        "LOGNAME": LOGIN,
        "SHELL": "/bin/bash",
        "LANG": "C.UTF-8",
        "PATH": f"{state.path(FOLDER, 'bin')}:/usr/local/bin:/usr/bin:/bin",
        "LAB_PYTHON": sys.executable,
        "AWS_ENDPOINT_URL": f"http://{HOST}:{state.port('aws')}",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": state.secret("aws_access_key_id"),
        "AWS_SECRET_ACCESS_KEY": state.secret("aws_secret_access_key"),
    }


class Server(asyncssh.SSHServer):
    """Accepts one user name, with a key. No other authentication method is configured."""

    def __init__(self, state: State) -> None:
        self.state = state

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.connection = conn

    def begin_auth(self, username: str) -> bool:
        if username == LOGIN:
            self.connection.set_authorized_keys(authorized_keys(self.state))
        return True


class Machine:
    def __init__(self, state: State) -> None:
        self.home = home(state)
        self.environment = environment(state)

    async def run(self, session: asyncssh.SSHServerProcess[bytes]) -> None:
        """Run the session's command to the end of its output, then report how it ended."""
        command = ["/bin/bash", "-c", session.command] if session.command else ["/bin/bash", "-l"]
        locale = {name: value for name, value in session.env.items() if name.startswith("LC_")}
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.home,
            env=self.environment | connection_variables(session) | locale,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
        )
        feeding = asyncio.create_task(feed(session, process))
        leaving = asyncio.create_task(session.wait_closed())
        output = asyncio.gather(copy(process.stdout, session.stdout), copy(process.stderr, session.stderr))
        ended: set[asyncio.Future[Any]] = {output, leaving}
        try:
            await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
            if leaving.done() and session.term_type:
                signal_group(process, signal.SIGHUP)
            await output
            code = await process.wait()
        finally:
            feeding.cancel()
            leaving.cancel()
        if code < 0:
            session.exit_with_signal(signal.Signals(-code).name.removeprefix("SIG"))
        else:
            session.exit(code)


def connection_variables(session: asyncssh.SSHServerProcess[bytes]) -> dict[str, str]:
    """What sshd tells a command of its connection."""
    client, client_port = session.get_extra_info("peername")[:2]
    host, port = session.get_extra_info("sockname")[:2]
    return {
        "SSH_CLIENT": f"{client} {client_port} {port}",
        "SSH_CONNECTION": f"{client} {client_port} {host} {port}",
    }


class Files(asyncssh.SFTPServer):
    """HOME over SFTP. asyncssh would end the session without an exit status, which ``scp`` takes for a failure."""

    def exit(self) -> None:
        if self.channel.get_subsystem() == "sftp":
            self.channel.exit(0)


async def feed(session: asyncssh.SSHServerProcess[bytes], process: Process) -> None:
    """Pass the client's input and its signals to the command."""
    assert process.stdin is not None
    try:
        while True:
            try:
                data = await session.stdin.read(CHUNK)
            except asyncssh.SignalReceived as received:
                if number := getattr(signal, f"SIG{received.signal}", None):
                    signal_group(process, number)
                continue
            except (asyncssh.BreakReceived, asyncssh.TerminalSizeChanged):
                continue
            if not data:
                break
            process.stdin.write(data)
            await process.stdin.drain()
    except CLIENT_GONE:
        pass
    finally:
        process.stdin.close()


async def copy(source: asyncio.StreamReader | None, target: asyncssh.SSHWriter[bytes]) -> None:
    """Copy to the end of the source, even if the client is gone: a command must not block on a full pipe."""
    assert source is not None
    listening = True
    while data := await source.read(CHUNK):
        if not listening:
            continue
        try:
            target.write(data)
            await target.drain()
        except CLIENT_GONE:
            listening = False


def signal_group(process: Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


async def start(state: State) -> list[Any]:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup, commands would inherit the ignored signal
    home(state).mkdir(parents=True, exist_ok=True, mode=0o700)
    machine = Machine(state)
    print_host_keys(state)
    refuse_sudo(state)
    client_key(state)  # made before anybody enters
    asyncssh.set_log_level("WARNING")
    try:
        server = await asyncssh.listen(
            HOST,
            state.port("ssh"),
            server_factory=lambda: Server(state),
            server_host_keys=[host_key(state)],
            process_factory=machine.run,
            sftp_factory=lambda channel: Files(channel, chroot=os.fsencode(machine.home)),
            allow_scp=True,
            encoding=None,
            line_editor=False,
            agent_forwarding=False,
            x11_forwarding=False,
            login_timeout=20,
        )
    except OSError as error:
        raise PortTakenError(state, "ssh") from error
    return [server]
