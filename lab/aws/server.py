"""ministack as the lab's AWS: ``python -m lab.aws.server``, in ministack's own environment.

Covers what ministack 1.5.33 covers (S3, IAM, STS, EC2 metadata, Parameter Store, MSK, API Gateway's control plane,
Kinesis and more), with these additions:

- It answers only programs on this machine: it listens on 127.0.0.1, and refuses calls made by web pages as well as
  administrative calls (ministack's own reset would wipe the lab without any key).
- State on disk lags a change by less than a second, or by ten times the time it takes to write, if that is longer.
  (ministack on its own saves only on a clean stop; it writes S3 objects through.) Buckets and Kinesis (see
  ``lab.aws.kinesis``) do not lag at all. Only their owner can read the files.
- An instance can be launched with a key pair, and shows its console (see ``lab.aws.ec2``).
- Kinesis keeps every acknowledged record for as long as its stream's retention says, and reads fast.
- ``state/ministack/apigateway.revision`` grows by a byte on every change to API Gateway and load balancers, before the
  caller gets its answer. From its size the gateway stand-in knows when to reread the control plane.
- REST APIs have VPC links (see ``lab.aws.vpc_links``), which lead to Network Load Balancers, whose targets' health is
  looked at (see ``lab.aws.load_balancers``).
- VPC links of HTTP APIs can be listed (there are none): see ``lab.aws.listings``.
- MSK has version 2 of its API, and clusters that take a moment to come and to go (see ``lab.aws.msk``).
- ``state/calls/aws.jsonl`` says what the lab's programs asked for, in IAM's words: see ``lab.calls``.

Known differences from AWS: other resources are ready at once, nothing is throttled, and any access key is accepted.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from lab.aws import authorization, listings, presigned, vpc_links
from lab.aws.ec2 import Ec2
from lab.aws.kinesis import Journal, Kinesis
from lab.aws.load_balancers import LoadBalancers
from lab.aws.msk import Msk
from lab.aws.vpc_links import VpcLinks
from lab.calls import Call, CallLog
from lab.state import ACCOUNT, REGION, State, write_private

MINISTACK = "1.5.33"
HOST = "127.0.0.1"
SAVE_DELAY = 0.3
REVISION = "apigateway.revision"
READ_METHODS = {"GET", "HEAD", "OPTIONS"}
READ_OPERATIONS = (b"Get", b"Describe", b"List")
S3 = "s3"
KINESIS = "kinesis"
KINESIS_TARGET = b"Kinesis_"
EXPIRE_PATH = "/_lab/kinesis/expire"
API_GATEWAY_PATHS = ("/restapis", "/usageplans", "/apikeys")
PUBLIC_ADMIN_PATHS = {"/_ministack/health", "/_ministack/ready"}

Services = Callable[[], dict[str, Callable[[], Any]]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

log = logging.getLogger("lab.aws")


def environment(state: State) -> dict[str, str]:
    """ministack reads its settings from the environment when it is imported."""
    folder = state.path("ministack")
    return {
        "BIND_HOST": HOST,
        "AWS_ACCESS_KEY_ID": state.secret("aws_access_key_id"),
        "AWS_SECRET_ACCESS_KEY": state.secret("aws_secret_access_key"),
        "GATEWAY_PORT": str(state.port("aws")),
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folder / "services"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder / "s3"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "MINISTACK_MSK_BOOTSTRAP": f"{HOST}:{state.port('kafka')}",
        "DOCKER_HOST": f"unix://{folder}/no-docker.sock",
        "LOG_LEVEL": "WARNING",
    }


class StateKeeper:
    """Writes the state of ``services`` soon after a change, and a service's file only if its content changed."""

    def __init__(self, services: Services, persistence: ModuleType) -> None:
        self.services = services
        self.persistence = persistence
        self.changed = asyncio.Event()
        self.written: dict[str, int] = {}

    async def run(self) -> None:
        while True:
            await self.changed.wait()
            self.changed.clear()
            started = time.monotonic()
            self.save()
            await asyncio.sleep(max(SAVE_DELAY, 10 * (time.monotonic() - started)))

    def save(self) -> None:
        """Save every service. One whose state cannot be read keeps its last file and is tried again later."""
        for service in self.services():
            self.save_service(service)

    def save_service(self, service: str) -> None:
        try:
            content = self.services()[service]()
            if content is not None:
                self.write(service, content)
        except RuntimeError:  # a ministack worker thread changed the state during the read
            self.changed.set()
        except Exception:
            log.exception("the state of %s was not saved", service)

    def write(self, service: str, content: Any) -> None:
        versioned = {"__ministack_format__": self.persistence._state_format_version(service), "payload": content}
        text = json.dumps(versioned, default=self.persistence._json_default)
        if self.written.get(service) != hash(text):
            write_private(Path(self.persistence.STATE_DIR) / f"{service}.json", text)
            self.written[service] = hash(text)


@dataclass(frozen=True)
class Changes:
    """What happens after a call that changed something, before its caller gets the answer. Kinesis does its own."""

    keeper: StateKeeper
    revision: Path

    def note(self, method: str, path: str, target: bytes) -> None:
        if method in ("PUT", "DELETE") and "/" not in path.strip("/"):
            self.keeper.save_service(S3)
        if not target.startswith(KINESIS_TARGET):
            self.keeper.changed.set()
        if path.startswith(API_GATEWAY_PATHS):
            grow(self.revision)


def guarded(application: Application, changes: Changes, kinesis: Kinesis, links: VpcLinks, log: CallLog) -> Application:
    """Wrap ``application`` in our checks, and note calls and changes."""

    async def serve(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await application(scope, receive, send)
        path, fields = scope["path"], dict(scope["headers"])
        if scope["type"] != "http" or refused(path, fields):
            return await answer(scope, send, 403, {"message": "for programs on this machine only"})
        if path == "/_lab/health":
            return await answer(scope, send, 200, {"service": "aws", "pid": os.getpid()})
        if path == EXPIRE_PATH:
            return await answer(scope, send, *expire(kinesis, await read_body(receive)))
        target = fields.get(b"x-amz-target", b"")
        receive = await kept(scope, receive, log)
        if (nothing := listings.empty(scope)) is not None:
            return await answer(scope, send, 200, nothing)
        if path.startswith(vpc_links.PATH):
            return await answer(scope, send, *served(links, changes, scope, await read_body(receive)))
        if scope["method"] in READ_METHODS or target.rpartition(b".")[2].startswith(READ_OPERATIONS):
            return await application(scope, receive, send)

        async def send_after_noting(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                changes.note(scope["method"], path, target)
            await send(message)

        return await application(scope, receive, send_after_noting)

    return serve


def served(links: VpcLinks, changes: Changes, scope: dict[str, Any], body: bytes) -> vpc_links.Answer:
    answered = links.serve(scope["method"], scope["path"], body)
    if scope["method"] not in READ_METHODS:
        grow(changes.revision)
    return answered


def refused(path: str, fields: dict[bytes, bytes]) -> bool:
    """Whether to refuse the call. A web page is recognized by ``Origin``, or by a ``Host`` that resolves to us."""
    if path.startswith("/_ministack/") and path not in PUBLIC_ADMIN_PATHS:
        return True
    host = fields.get(b"host", b"").decode("latin-1").rpartition(":")[0]
    return b"origin" in fields or not (host in (HOST, "localhost") or host.endswith(".localhost"))


async def kept(scope: dict[str, Any], receive: Receive, log: CallLog) -> Receive:
    """Note what is asked for, if one of the lab's programs asks. Returns what the application is to receive."""
    caller = log.caller(authorization.key_of(scope))
    if caller is None:
        return receive
    try:
        body = b"" if (streamed := authorization.is_s3(scope)) else await read_body(receive)
    except ConnectionAbortedError:  # nobody knows what it was going to ask
        return gone
    for action, resource in authorization.asked(scope, body):
        log.keep(Call(caller, action, resource))
    return receive if streamed else received(body, receive)


def received(body: bytes, receive: Receive) -> Receive:
    """A request's body that has been read, and after it whatever comes."""
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def again() -> dict[str, Any]:
        return next(messages, None) or await receive()

    return again


async def gone() -> dict[str, Any]:
    return {"type": "http.disconnect"}


async def read_body(receive: Receive) -> bytes:
    """Raises ConnectionAbortedError if the caller goes before it has sent all."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionAbortedError
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def expire(kinesis: Kinesis, body: bytes) -> tuple[int, dict[str, Any]]:
    """``{"stream": name, "records": n}``, optionally with ``"shard"``: expire the oldest n records of each shard."""
    try:
        asked = json.loads(body)
        arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{asked['stream']}"
        return 200, {"expired": kinesis.expire_now(arn, int(asked["records"]), asked.get("shard"))}
    except (LookupError, TypeError, ValueError) as error:
        return 400, {"message": f"{type(error).__name__}: {error}"}


async def answer(scope: dict[str, Any], send: Send, status: int, body: dict[str, Any]) -> None:
    if scope["type"] == "websocket":
        return await send({"type": "websocket.close", "code": 1008})
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def grow(revision: Path) -> None:
    with revision.open("ab") as file:
        file.write(b".")


def is_network(service: ModuleType) -> Callable[[str], bool]:
    """Whether an ARN is that of a Network Load Balancer, as ministack's module knows."""
    return lambda arn: service._lbs.get(arn, {}).get("Type") == "network"


async def run(state: State) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack import app as ministack
    from ministack.core import persistence
    from ministack.services import alb as load_balancing_module
    from ministack.services import apigateway_v1 as api_gateway_module
    from ministack.services import ec2 as ec2_module
    from ministack.services import kinesis as kinesis_module
    from ministack.services import msk as msk_module
    from ministack.services import s3 as s3_module

    def services() -> dict[str, Callable[[], Any]]:
        by_service: dict[str, Callable[[], Any]] = ministack._build_persistence_save_dict()
        return by_service

    keeper = StateKeeper(services, persistence)
    kinesis = Kinesis(kinesis_module, Journal(state.path("ministack", KINESIS)), lambda: keeper.save_service(KINESIS))
    kinesis.install()
    presigned.install(s3_module, state)
    Ec2(ec2_module, state).install()
    Msk(msk_module, state).install()
    changes = Changes(keeper, state.path("ministack", REVISION))
    grow(changes.revision)
    vpc_links.install(api_gateway_module)
    links = VpcLinks(state.path("ministack", "vpc_links.json"), is_network(load_balancing_module))
    LoadBalancers(load_balancing_module, ec2_module, links.to, lambda: grow(changes.revision)).install()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    config = Config()
    config.bind = [f"{HOST}:{state.port('aws')}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 2
    saving = asyncio.create_task(keeper.run())
    app = guarded(ministack.app, changes, kinesis, links, CallLog(state, "aws"))
    await serve(app, config, shutdown_trigger=stop.wait)
    saving.cancel()


def main() -> None:
    if version("ministack") != MINISTACK:
        sys.exit(
            f"ministack {version('ministack')} is installed, {MINISTACK} is required (the lab uses its internals); "
            "run: .venv/bin/python -m lab setup"
        )
    state = State.open()
    os.umask(0o077)
    state.path("ministack").mkdir(exist_ok=True, mode=0o700)
    state.path("ministack", "services").mkdir(exist_ok=True, mode=0o700)
    os.environ.update(environment(state))
    asyncio.run(run(state))


if __name__ == "__main__":
    main()
