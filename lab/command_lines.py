"""The AWS CLI and Kafka's tools, wired to the lab: what ``bin/aws`` and ``bin/kafka`` run.

The programs see a fixed environment, so nothing in the caller's shell or AWS profiles can send them elsewhere.
Credentials travel in that environment, never on a command line.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import NoReturn

from lab.state import CHECKOUT, REGION, State

HOST = "127.0.0.1"
KEPT_VARIABLES = ("HOME", "PATH", "TERM", "LANG", "LC_ALL", "COLUMNS", "TZ")
KAFKA_TOOLS = CHECKOUT / "lab" / "mirror_archives" / "kafka" / "bin"
NOT_READY, WRONG_USE = 1, 2


def main(program: str, arguments: list[str]) -> NoReturn:
    """Replace this process with the program; it takes over the terminal, the signals and the exit status."""
    state = State.open()
    if not is_running(state.port(program)):
        fail(program, "the lab is not running; run 'make lab'", NOT_READY)
    command, environment = {"aws": aws, "kafka": kafka}[program](state, arguments)
    try:
        os.execve(command[0], command, inherited() | environment)
    except FileNotFoundError:
        fail(program, f"{command[0]} is not installed; run 'make lab'", NOT_READY)


def aws(state: State, arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    endpoint = f"http://{HOST}:{state.port('aws')}"
    return [str(state.install / "envs" / "ministack" / "bin" / "aws"), *arguments], {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ENDPOINT_URL_KAFKACONNECT": f"http://{HOST}:{state.port('msk_connect')}",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": state.secret("aws_access_key_id"),
        "AWS_SECRET_ACCESS_KEY": state.secret("aws_secret_access_key"),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def kafka(state: State, arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    """``topics --list`` runs ``kafka-topics.sh --bootstrap-server <the lab's> --list``."""
    tools = sorted(path.name[len("kafka-") : -len(".sh")] for path in KAFKA_TOOLS.glob("kafka-*.sh"))
    tools.remove("run-class")
    if not arguments or arguments[0] not in tools:
        fail("kafka", f"name one of Kafka's tools: {', '.join(tools)}; for example: bin/kafka topics --list", WRONG_USE)
    tool, *rest = arguments
    return [str(KAFKA_TOOLS / f"kafka-{tool}.sh"), "--bootstrap-server", f"{HOST}:{state.port('kafka')}", *rest], {
        "JAVA_HOME": str(state.install / "java"),
        "CLASSPATH": f"{state.install}/jars/kafka/*",
    }


def is_running(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}


def fail(program: str, message: str, status: int) -> NoReturn:
    print(f"bin/{program}: {message}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
