"""A file server on loopback, and the archives it offers to the client machine's scripts."""

from __future__ import annotations

import hashlib
import io
import tarfile
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jinja2

from pinterest.dag_defaults import TEMPLATES
from tests.builders import USER_ID, settings

BLANK = "0" * 64
TOPICS = " ".join(f"{USER_ID}.{s}" for s in ("pin", "geo", "user"))
UPLOAD = {"HEADERS": "x-amz-meta-sha256: abc\nx-amz-checksum-sha256: def="}

IAM_PROPERTIES = """\
security.protocol=SASL_SSL
sasl.mechanism=AWS_MSK_IAM
sasl.jaas.config=software.amazon.msk.auth.iam.IAMLoginModule required{role};
sasl.client.callback.handler.class=software.amazon.msk.auth.iam.IAMClientCallbackHandler
"""


def render(name: str, **sections) -> str:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined)
    return environment.get_template(name).render(settings=lambda: settings(**sections))


class Files(BaseHTTPRequestHandler):
    """Serves ``files``; cuts ``cut`` off in the middle; keeps what is PUT."""

    def __init__(self, *args, state, **kwargs):
        self.state = state
        super().__init__(*args, **kwargs)

    def do_GET(self):
        body = self.state.files.get(self.path)
        self.state.requests.append(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        if body:
            self.wfile.write(body[: len(body) // 2] if self.path in self.state.cut else body)

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.state.put_status
        self.state.puts.append((self.path, dict(self.headers), body))
        self.send_response(status)
        answer = b"" if status == 200 else b"<Error><Code>AccessDenied</Code><Message>Not yours</Message></Error>"
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


class FileServer:
    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.cut: set[str] = set()
        self.requests: list[str] = []
        self.puts: list[tuple[str, dict[str, str], bytes]] = []
        self.put_status = 200
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, state=self))
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def offer(self, path: str, body: bytes) -> dict[str, str]:
        self.files[path] = body
        return {"URL": self.url + path, "SHA256": hashlib.sha256(body).hexdigest()}


def archive(**files: str) -> bytes:
    """A gzipped tar of executable files; ``__`` in a name stands for ``/``, as does ``/`` itself."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name.replace("__", "/"))
            info.size, info.mode = len(text.encode()), 0o755
            tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def kafka_archive(folder: str = "kafka_2.13-4.3.1", clients: str = "4.3.1", tool: str = "#!/bin/sh\n") -> bytes:
    """Kafka's archive as far as the scripts look at it."""
    files = {"bin/kafka-topics.sh": tool, f"libs/kafka-clients-{clients}.jar": "x"}
    return archive(**{f"{folder}/{name}": text for name, text in files.items()})


KAFKA = kafka_archive()


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file's content and time of change."""
    return {
        str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime_ns)
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def tools(folder: Path, java: str | None) -> str:
    """A PATH with everything but Java; or with a Java that says it is this version."""
    folder.mkdir()
    for place in ("/usr/bin", "/bin"):
        for tool in Path(place).iterdir():
            if tool.name != "java" and not (folder / tool.name).exists():
                (folder / tool.name).symlink_to(tool)
    if java:
        (folder / "java").write_text(f"#!/bin/sh\necho 'openjdk version \"{java}\"' >&2\n")
        (folder / "java").chmod(0o755)
    return str(folder)
