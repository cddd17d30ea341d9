"""The client machine's scripts, run by bash in a home of their own against a file server on loopback."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import signal
import subprocess
import tarfile
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jinja2
import pytest

from include.settings import Settings
from pinterest.defaults import TEMPLATES
from pinterest.hooks.kafka_client import _stdin

USER_ID = "0e36c8cd403d"
BLANK = "0" * 64


def settings(**sections) -> Settings:
    download = {"url": "http://127.0.0.1/x", "sha256": BLANK}
    return Settings.model_validate(
        {
            "user_id": USER_ID,
            "downloads": dict.fromkeys(("java", "kafka", "iam_auth", "s3_sink", "rest_proxy"), download),
            "kafka_client": {"host_key": "ssh-ed25519 AAAA"},
            **sections,
        }
    )


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


@pytest.fixture
def web():
    server = FileServer()
    thread = threading.Thread(target=server.http.serve_forever)
    thread.start()
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


@pytest.fixture
def home(tmp_path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def run(home):
    """Run a template as the hook does. Gives (exit code, last line of stdout, stderr)."""

    def run(name: str, environment=None, secrets=None, path: str | None = None, sections=None, template=None):
        text = template or render(name, **(sections or {}))
        done = subprocess.run(
            ["bash", "-s"],
            input=_stdin(text, environment or {}, secrets or {}),
            env={"HOME": str(home), "PATH": path or os.environ["PATH"]},
            cwd=home,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert [p.name for p in home.iterdir() if p.name.startswith(".pinterest-pipeline")] == []
        return done.returncode, (done.stdout.strip().splitlines() or [""])[-1], done.stderr

    return run


def archive(**files: str) -> bytes:
    """A gzipped tar of executable files; ``__`` in a name stands for ``/``."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name.replace("__", "/"))
            info.size, info.mode = len(text.encode()), 0o755
            tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file's content and time of change."""
    return {
        str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime_ns)
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


KAFKA = archive(**{"kafka_2.13-4.3.1__bin__kafka-topics.sh": "#!/bin/sh\n", "kafka_2.13-4.3.1__libs__x.jar": "x"})
JAVA_21 = archive(**{"jdk-21__bin__java": "#!/bin/sh\necho 'openjdk version \"21.0.8\" 2025-07-15' >&2\n"})


def test_kafka_is_unpacked_once(run, web, home):
    environment = web.offer("/kafka_2.13-4.3.1.tgz", KAFKA)

    assert run("install_kafka.sh", environment)[:2] == (0, f"changed: {home}/kafka is kafka_2.13-4.3.1")
    assert os.access(home / "kafka/bin/kafka-topics.sh", os.X_OK)
    before = tree(home)

    assert run("install_kafka.sh", environment)[:2] == (0, "unchanged")
    assert tree(home) == before
    assert web.requests == ["/kafka_2.13-4.3.1.tgz"]


def test_another_archive_replaces_kafka(run, web, home):
    run("install_kafka.sh", web.offer("/a.tgz", KAFKA))
    other = archive(**{"kafka_2.13-4.4.0__bin__kafka-topics.sh": "#!/bin/sh\n# newer\n"})

    code, line, _ = run("install_kafka.sh", web.offer("/b.tgz", other))

    assert (code, line) == (0, f"changed: {home}/kafka is kafka_2.13-4.4.0")
    assert "newer" in (home / "kafka/bin/kafka-topics.sh").read_text()


def test_a_half_unpacked_folder_is_replaced(run, web, home):
    (home / "kafka_2.13-4.3.1/bin").mkdir(parents=True)
    (home / "kafka").symlink_to("kafka_2.13-4.3.1")

    assert run("install_kafka.sh", web.offer("/kafka.tgz", KAFKA))[0] == 0
    assert (home / "kafka/libs/x.jar").read_text() == "x"


def test_wrong_checksum_leaves_nothing(run, web, home):
    environment = web.offer("/kafka.tgz", KAFKA) | {"SHA256": BLANK}
    got = hashlib.sha256(KAFKA).hexdigest()

    code, _, stderr = run("install_kafka.sh", environment)

    assert code != 0
    for word in (environment["URL"], f"expected SHA-256 {BLANK}", f"got {got}", "deleted", "downloads"):
        assert word in stderr
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("install_java.sh", "java-21.tar.gz"),
        ("install_kafka.sh", "kafka_2.13-4.3.1.tgz"),
        ("install_iam_auth.sh", "aws-msk-iam-auth-2.3.9-all.jar"),
        ("install_rest_proxy.sh", "kafka-rest-1.0.tar.gz"),
        ("upload_sink_archive.sh", "sink.zip"),
    ],
)
def test_no_download_with_a_wrong_checksum_is_used(run, web, home, tmp_path, script, name):
    if script == "install_iam_auth.sh":
        (home / "kafka/libs").mkdir(parents=True)
    before = tree(home)
    environment = web.offer(f"/{name}", KAFKA) | UPLOAD | {"SHA256": BLANK}

    code, _, stderr = run(
        script, environment, {"UPLOAD_URL": f"{web.url}/bucket/key"}, path=tools(tmp_path / "tools", None)
    )

    assert code == 1
    assert f"expected SHA-256 {BLANK}, got {hashlib.sha256(KAFKA).hexdigest()}" in stderr
    assert tree(home) == before
    assert web.puts == []


@pytest.mark.parametrize("how", ["cut off", "missing"])
def test_a_failed_download_leaves_nothing(run, web, home, how):
    environment = web.offer("/kafka.tgz", KAFKA)
    if how == "missing":
        web.files.clear()
    web.cut.add("/kafka.tgz")

    code, _, stderr = run("install_kafka.sh", environment)

    assert code != 0
    assert f"Download of {environment['URL']} failed (curl exit code {22 if how == 'missing' else 18})" in stderr
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(b"<html>moved</html>", "is no gzipped tar archive", id="not an archive"),
        pytest.param(archive(readme="x"), "has no folder with bin/kafka-topics.sh", id="another archive"),
    ],
)
def test_an_archive_of_something_else(run, web, home, body, said):
    code, _, stderr = run("install_kafka.sh", web.offer("/kafka.tgz", body))

    assert code != 0
    assert said in stderr
    assert list(home.iterdir()) == []


def test_a_folder_of_somebody_else_is_not_touched(run, web, home):
    (home / "kafka").mkdir()
    (home / "kafka/notes").write_text("mine")

    code, _, stderr = run("install_kafka.sh", web.offer("/kafka.tgz", KAFKA))

    assert code != 0
    assert f"{home}/kafka is in the way" in stderr
    assert (home / "kafka/notes").read_text() == "mine"


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


@pytest.mark.parametrize("java", [None, "1.8.0_392", "11.0.2"], ids=["none", "8", "11"])
def test_java_is_installed_where_kafka_has_none_that_will_do(run, web, home, tmp_path, java):
    path = tools(tmp_path / "bin", java)
    environment = web.offer("/java-21.tar.gz", JAVA_21)

    assert run("install_java.sh", environment, path=path)[:2] == (0, f"changed: {home}/java is jdk-21")
    before = tree(home)
    assert run("install_java.sh", environment, path=path)[:2] == (0, "unchanged")
    assert tree(home) == before


def test_java_that_is_there_is_taken(run, web, home, tmp_path):
    path = tools(tmp_path / "bin", "17.0.15")

    assert run("install_java.sh", web.offer("/java.tgz", JAVA_21), path=path)[:2] == (0, "unchanged")
    assert web.requests == []
    assert list(home.iterdir()) == []


def test_an_archive_of_an_old_java(run, web, home, tmp_path):
    old = archive(**{"jdk8__bin__java": "#!/bin/sh\necho 'openjdk version \"1.8.0_392\"' >&2\n"})

    code, _, stderr = run("install_java.sh", web.offer("/java.tgz", old), path=tools(tmp_path / "bin", None))

    assert code != 0
    assert "17 or newer is needed" in stderr
    assert not (home / "java").exists()


@pytest.fixture
def kafka(home) -> Path:
    for folder in ("bin", "libs"):
        (home / "kafka" / folder).mkdir(parents=True)
    return home / "kafka"


def test_iam_library(run, web, kafka):
    (kafka / "libs/aws-msk-iam-auth-1.1.5-all.jar").write_text("older")
    environment = web.offer("/aws-msk-iam-auth-2.3.9-all.jar", b"jar")

    assert run("install_iam_auth.sh", environment)[1].startswith("changed:")
    assert [p.name for p in (kafka / "libs").iterdir()] == ["aws-msk-iam-auth-2.3.9-all.jar"]
    assert run("install_iam_auth.sh", environment)[:2] == (0, "unchanged")
    (kafka / "libs/aws-msk-iam-auth-2.3.9-all.jar").write_text("tampered")
    assert run("install_iam_auth.sh", environment)[1].startswith("changed:")
    assert (kafka / "libs/aws-msk-iam-auth-2.3.9-all.jar").read_bytes() == b"jar"


@pytest.mark.parametrize(
    ("existing", "profile"),
    [
        pytest.param({}, ".bash_profile", id="no profile"),
        pytest.param({".bash_profile": "alias ll='ls -l'"}, ".bash_profile", id="without a last newline"),
        pytest.param({".profile": "umask 022\n"}, ".profile", id="Ubuntu: .bash_profile would hide .profile"),
    ],
)
def test_classpath_is_in_the_profile_once(run, home, kafka, existing, profile):
    (kafka / "libs/aws-msk-iam-auth-1.1.5-all.jar").write_text("")
    for name, text in existing.items():
        (home / name).write_text(text)

    assert run("set_classpath.sh")[:2] == (0, f"changed: CLASSPATH in {home}/{profile}")
    assert run("set_classpath.sh")[:2] == (0, "unchanged")
    (kafka / "libs/aws-msk-iam-auth-1.1.5-all.jar").rename(kafka / "libs/aws-msk-iam-auth-2.3.9-all.jar")
    assert run("set_classpath.sh")[1].startswith("changed:")

    lines = (home / profile).read_text().splitlines()
    assert len([line for line in lines if "CLASSPATH" in line]) == 1
    assert lines[:-1] == [line for text in existing.values() for line in text.splitlines()]
    assert [p.name for p in home.iterdir() if p.is_file()] == [profile]
    shown = subprocess.run(
        ["bash", "-c", f'. "$HOME/{profile}"; echo "$CLASSPATH"'],
        env={"HOME": str(home), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert shown.stdout.strip() == f"{home}/kafka/libs/aws-msk-iam-auth-2.3.9-all.jar"


IAM_PROPERTIES = """\
security.protocol=SASL_SSL
sasl.mechanism=AWS_MSK_IAM
sasl.jaas.config=software.amazon.msk.auth.iam.IAMLoginModule required{role};
sasl.client.callback.handler.class=software.amazon.msk.auth.iam.IAMClientCallbackHandler
"""


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        pytest.param({}, IAM_PROPERTIES.format(role=""), id="iam"),
        pytest.param(
            {"role_arn": "arn:aws:iam::1:role/r"},
            IAM_PROPERTIES.format(role=' awsRoleArn="arn:aws:iam::1:role/r"'),
            id="iam with a role",
        ),
        pytest.param({"authentication": "none"}, "security.protocol=PLAINTEXT\n", id="none"),
    ],
)
def test_client_properties(run, kafka, section, expected):
    file = kafka / "bin/client.properties"
    for first in ("changed: ", "unchanged"):
        code, line, _ = run("write_client_properties.sh", sections={"kafka": section})
        assert (code, line[:9]) == (0, first)
        assert file.read_text() == expected
        assert file.stat().st_mode & 0o777 == 0o644
    assert [p.name for p in (kafka / "bin").iterdir()] == ["client.properties"]


@pytest.mark.parametrize(
    ("authentication", "zookeeper", "expected"),
    [
        pytest.param(
            "none",
            "",
            ["listeners=http://127.0.0.1:18082", "bootstrap.servers=b1:9092,b2:9092", "producer.acks=all",
             "client.security.protocol=PLAINTEXT"],
            id="plain, KRaft",
        ),
        pytest.param(
            "iam",
            "z1:2181,z2:2181",
            ["listeners=http://127.0.0.1:18082", "bootstrap.servers=b1:9092,b2:9092",
             "zookeeper.connect=z1:2181,z2:2181", "producer.acks=all",
             *("client." + line for line in IAM_PROPERTIES.format(role="").splitlines())],
            id="IAM, ZooKeeper",
        ),
    ],
)  # fmt: skip
def test_rest_proxy_properties(run, home, authentication, zookeeper, expected):
    sections = {
        "kafka": {"authentication": authentication},
        "rest_proxy": {"listen_host": "127.0.0.1", "port": 18082},
    }
    environment = {"BOOTSTRAP_SERVERS": "b1:9092,b2:9092", "ZOOKEEPER": zookeeper}

    assert run("write_rest_properties.sh", environment, sections=sections)[1].startswith("changed:")
    assert (home / "kafka-rest/kafka-rest.properties").read_text().splitlines() == expected
    assert run("write_rest_properties.sh", environment, sections=sections)[:2] == (0, "unchanged")


FAKE_TOPICS = """\
#!/usr/bin/env python3
import json, os, re, sys
state = os.path.expanduser("~/topics.json")
topics = json.load(open(state)) if os.path.exists(state) else {}
arguments = sys.argv[1:]
option = lambda name: arguments[arguments.index(name) + 1]
assert option("--bootstrap-server") == "b1:9092" and option("--command-config").endswith("client.properties")
if os.environ.get("BROKEN"):
    sys.exit("TimeoutException: no broker")
if "--describe" in arguments:
    for name, count in topics.items():
        if re.fullmatch(option("--topic"), name):
            print(f"Topic: {name}\\tTopicId: Zz\\tPartitionCount: {count}\\tReplicationFactor: 1\\tConfigs: ")
            print(f"\\tTopic: {name}\\tPartition: 0\\tLeader: 1")
if "--create" in arguments:
    topics.setdefault(option("--topic"), int(option("--partitions")))
    if "--config" in arguments:
        with open(os.path.expanduser("~/configs"), "a") as configs:
            print(option("--topic"), option("--config"), file=configs)
    json.dump(topics, open(state, "w"))
    print("WARNING: Due to limitations in metric names")
"""
TOPICS_ENVIRONMENT = {
    "BOOTSTRAP_SERVERS": "b1:9092",
    "TOPICS": " ".join(f"{USER_ID}.{s}" for s in ("pin", "geo", "user")),
    "DEAD_LETTER_TOPIC": f"{USER_ID}-dead-letters",
    "PARTITIONS": "3",
    "REPLICATION_FACTOR": "1",
}


@pytest.fixture
def topics_tool(home, kafka):
    (kafka / "bin/kafka-topics.sh").write_text(FAKE_TOPICS)
    (kafka / "bin/kafka-topics.sh").chmod(0o755)


def test_topics_are_created_and_then_adopted(run, home, topics_tool):
    names = f"{USER_ID}.pin {USER_ID}.geo {USER_ID}.user {USER_ID}-dead-letters"

    assert run("create_topics.sh", TOPICS_ENVIRONMENT)[:2] == (0, f"changed: created {names}")
    assert run("create_topics.sh", TOPICS_ENVIRONMENT)[:2] == (0, "unchanged")
    assert (home / "configs").read_text() == f"{USER_ID}-dead-letters max.message.bytes=10485760\n"
    assert (home / "topics.json").read_text() == (
        '{"0e36c8cd403d.pin": 3, "0e36c8cd403d.geo": 3, "0e36c8cd403d.user": 3, "0e36c8cd403d-dead-letters": 1}'
    )


def test_a_topic_with_other_partitions_is_adopted(run, home, topics_tool):
    (home / "topics.json").write_text('{"0e36c8cd403d.pin": 1, "0e36c8cd403dXgeo": 9}')

    code, line, _ = run("create_topics.sh", TOPICS_ENVIRONMENT)

    assert (code, line) == (0, f"changed: created {USER_ID}.geo {USER_ID}.user {USER_ID}-dead-letters")


def test_topics_without_a_broker_fail(run, topics_tool):
    code, line, stderr = run("create_topics.sh", TOPICS_ENVIRONMENT | {"BROKEN": "1"})

    assert code != 0
    assert line not in ("unchanged", "changed")
    assert "no broker" in stderr


OFFSETS_HEADER = "GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID HOST CLIENT-ID"


@pytest.mark.parametrize(
    ("rows", "missing"),
    [
        pytest.param([("pin", 0, "c-1"), ("geo", 0, "c-1"), ("user", 0, "c-2")], "", id="all read"),
        pytest.param([("pin", 0, "c-1"), ("geo", 0, "c-1")], f" {USER_ID}.user", id="a topic without a task"),
        pytest.param(
            [("pin", 0, "c-1"), ("pin", 1, "-"), ("geo", 0, "c-1"), ("user", 0, "c-2")],
            f" {USER_ID}.pin",
            id="a partition without a task",
        ),
        pytest.param([], f" {USER_ID}.pin {USER_ID}.geo {USER_ID}.user", id="no group yet"),
    ],
)
def test_sink_tasks(run, kafka, rows, missing):
    lines = [OFFSETS_HEADER, *(f"g {USER_ID}.{topic} {p} - 0 - {owner} /h c" for topic, p, owner in rows)]
    tool = kafka / "bin/kafka-consumer-groups.sh"
    tool.write_text("#!/bin/sh\ncat <<END\n\n" + "\n".join(lines) + "\nEND\n")
    tool.chmod(0o755)
    environment = {"BOOTSTRAP_SERVERS": "b", "GROUP": "g", "TOPICS": TOPICS_ENVIRONMENT["TOPICS"], "WAIT_SECONDS": "0"}

    code, line, stderr = run("await_sink_tasks.sh", environment)

    if missing:
        assert code != 0
        assert f"no task of the connector reads{missing} (consumer group g)" in stderr
    else:
        assert (code, line) == (0, "unchanged")


UPLOAD = {"HEADERS": "x-amz-meta-sha256: abc\nx-amz-checksum-sha256: def="}


def test_upload_carries_the_signed_headers(run, web, home):
    environment = web.offer("/sink.zip", b"zip" * 1000) | UPLOAD

    code, line, _ = run(
        "upload_sink_archive.sh", environment, {"UPLOAD_URL": f"{web.url}/bucket/key?Signature=a%2Bb&x=1"}
    )

    assert (code, line) == (0, "changed: sink.zip is in the bucket")
    [(path, headers, body)] = web.puts
    assert path == "/bucket/key?Signature=a%2Bb&x=1"
    assert (headers["x-amz-meta-sha256"], headers["x-amz-checksum-sha256"]) == ("abc", "def=")
    assert body == b"zip" * 1000
    assert list(home.iterdir()) == []


def test_upload_that_the_bucket_refuses(run, web):
    web.put_status = 403
    environment = web.offer("/sink.zip", b"zip") | UPLOAD

    code, _, stderr = run(
        "upload_sink_archive.sh", environment, {"UPLOAD_URL": f"{web.url}/bucket/key?Signature=s3cret"}
    )

    assert code != 0
    assert "HTTP 403 AccessDenied, Not yours" in stderr
    assert "s3cret" not in stderr


def test_nothing_with_a_wrong_checksum_is_uploaded(run, web):
    environment = web.offer("/sink.zip", b"zip") | UPLOAD | {"SHA256": BLANK}

    assert run("upload_sink_archive.sh", environment, {"UPLOAD_URL": f"{web.url}/bucket/key"})[0] != 0
    assert web.puts == []


PROXY = """\
#!/usr/bin/env python3
import http.server, sys
settings = dict(line.strip().split("=", 1) for line in open(sys.argv[1]))
host, port = settings["listeners"].removeprefix("http://").split(":")
if "broken" in settings:
    sys.exit("no broker at all")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/topics" else 404)
        self.end_headers()
        self.wfile.write(b"[]")
http.server.HTTPServer((host, int(port)), Handler).serve_forever()
"""


@pytest.fixture
def free_port() -> int:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        return server.server_port


@pytest.fixture
def proxy(run, home, web, free_port):
    """Archive installed, properties written; gives the environment of the start. Ends the proxy afterwards."""
    run("install_rest_proxy.sh", web.offer("/rest.tgz", archive(**{"kafka-rest-1.0__bin__kafka-rest-start": PROXY})))
    (home / "kafka-rest/kafka-rest.properties").write_text(f"listeners=http://127.0.0.1:{free_port}\n")
    yield {"LISTEN_HOST": "0.0.0.0", "PORT": str(free_port), "START_SECONDS": "20"}
    if (home / "kafka-rest/kafka-rest.pid").exists():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid_of(home), signal.SIGKILL)


def pid_of(home: Path) -> int:
    return int((home / "kafka-rest/kafka-rest.pid").read_text())


def alive(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_rest_proxy_starts_once_and_outlives_the_script(run, home, proxy):
    assert run("start_rest_proxy.sh", proxy)[1].startswith("changed: the REST proxy answers")
    pid = pid_of(home)
    assert alive(pid)
    assert os.getpgid(pid) == pid

    assert run("start_rest_proxy.sh", proxy)[:2] == (0, "unchanged")
    assert pid_of(home) == pid


def test_rest_proxy_with_other_properties_is_restarted(run, home, proxy):
    run("start_rest_proxy.sh", proxy)
    pid = pid_of(home)
    with (home / "kafka-rest/kafka-rest.properties").open("a") as file:
        file.write("producer.acks=all\n")

    assert run("start_rest_proxy.sh", proxy)[1].startswith("changed:")
    assert not alive(pid)
    assert alive(pid_of(home))


def test_rest_proxy_that_was_killed_comes_back(run, home, proxy):
    run("start_rest_proxy.sh", proxy)
    os.kill(pid_of(home), signal.SIGKILL)
    until(lambda: not alive(pid_of(home)))

    assert run("start_rest_proxy.sh", proxy)[1].startswith("changed:")
    assert alive(pid_of(home))


def test_a_stale_pid_file_kills_nobody(run, home, proxy):
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        (home / "kafka-rest/kafka-rest.pid").write_text(str(bystander.pid))
        assert run("start_rest_proxy.sh", proxy)[1].startswith("changed:")
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_rest_proxy_that_cannot_start_shows_its_log(run, home, proxy):
    with (home / "kafka-rest/kafka-rest.properties").open("a") as file:
        file.write("broken=yes\n")

    code, _, stderr = run("start_rest_proxy.sh", proxy)

    assert code != 0
    assert "no broker at all" in stderr
    assert "The REST proxy ended at once" in stderr


def test_a_port_of_somebody_else(run, home, web, proxy):
    code, _, stderr = run("start_rest_proxy.sh", proxy | {"PORT": web.url.rsplit(":", 1)[1]})

    assert code != 0
    assert "is taken by a process that is not our REST proxy" in stderr


def until(condition, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
