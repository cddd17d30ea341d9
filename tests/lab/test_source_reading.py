"""The pipeline's reader of the source, against a MariaDB server with a certificate and tables of every type."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from contextlib import suppress

import pymysql
import pytest

from include.posting.source_connection import LastingSourceError, SourceError, source_engine
from include.posting.source_tables import SOURCE_TABLES, SourceTables
from lab.progress import Work
from lab.source import database
from lab.source.generator import source_rows
from lab.state import State
from tests.certificates import Authority
from tests.lab.lab_parts import DEADLINE, wait_until

OTHER = "other_data"
NO_TLS = {"ssl_mode": "DISABLED"}
TABLES = {
    "pinterest_data": {
        "index": ("DECIMAL(10,0)", "1", 1),
        "unique_id": ("UUID", "'f81d4fae-7dec-11d0-a765-00a0c91e6bf6'", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
        "title": ("VARCHAR(50) CHARACTER SET latin1", "'Ñandú'", "Ñandú"),
        "description": ("JSON", """'{"a": [1, "🚗"]}'""", '{"a": [1, "🚗"]}'),
        "poster_name": ("ENUM('a', 'é')", "'é'", "é"),
        "follower_count": ("BIGINT UNSIGNED", "18446744073709551615", 18446744073709551615),
        "tag_list": ("SET('a', 'b', 'c')", "'c,a'", "a,c"),
        "is_image_or_video": ("YEAR", "2018", 2018),
        "image_src": ("INET6", "'::1'", "::1"),
        "downloaded": ("BIT(1)", "b'1'", 1),
        "save_location": ("TIME(3)", "'-838:59:59.5'", "-838:59:59.500"),
        "category": ("DECIMAL(65,30)", "0.100000000000000000000000000001", "0.100000000000000000000000000001"),
        "more": ("GEOMETRY", "POINT(1, 2)", None),
    },
    "geolocation_data": {
        "ind": ("INT(8) ZEROFILL", "1", 1),
        "timestamp": ("TIMESTAMP(3)", "FROM_UNIXTIME(1546300200.25)", "2018-12-31 23:50:00.250"),
        "latitude": ("DECIMAL(9,6)", "-89.9787", "-89.978700"),
        "longitude": ("FLOAT", "16777216", "16777216.0"),
        "country": ("INET4", "'127.0.0.1'", "127.0.0.1"),
    },
    "user_data": {
        "ind": ("DOUBLE", "1", 1),
        "first_name": ("DATETIME(6)", "'2018-12-31 10:00:00.25'", "2018-12-31 10:00:00.250000"),
        "last_name": ("DATE", "'0000-00-00'", None),
        "age": ("DOUBLE", "34", 34.0),
        "date_joined": ("DATE", "'2018-12-31'", "2018-12-31"),
    },
}


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> State:
    return State.open(root=tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority.new(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def server(state, authority):
    """A server with TLS, in a zone of its own, which holds the source's rows and a schema of other tables."""
    database.prepare(state, Work("mariadb", state.log("mariadb"), threading.Event()))
    with state.path("mariadb", "users.sql").open("a") as users:
        users.write(f"GRANT ALL PRIVILEGES ON *.* TO '{database.ADMIN}'@'%' WITH GRANT OPTION;\n")
    certificate, key = authority.issue("server", host="127.0.0.1")
    command = [
        *database.command(state),
        *("--ssl=ON", f"--ssl-ca={authority.certificate}", f"--ssl-cert={certificate}", f"--ssl-key={key}"),
        "--default-time-zone=+05:30",
    ]
    with state.log("mariadbd").open("ab") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=database.environment(state)
        )
    try:
        wait_until(lambda: database.answers(state, process.pid), "the database answers")
        database.load_source(state, Work("source", state.log("source"), threading.Event()))
        make_tables(state)
        yield process
    finally:
        process.terminate()
        process.wait(DEADLINE)


def make_tables(state):
    said = [f"CREATE DATABASE {OTHER}", f"GRANT SELECT ON {OTHER}.* TO '{database.READER}'@'%'", "SET sql_mode = ''"]
    for name, columns in TABLES.items():
        types = ", ".join(f"`{column}` {of}" for column, (of, *_) in columns.items())
        said += [
            f"CREATE TABLE {OTHER}.{name} ({types})",
            f"INSERT INTO {OTHER}.{name} VALUES ({', '.join(value for _, value, _ in columns.values())})",
        ]
    ask(state, *said)


def ask(state, *statements):
    with database.connect(state) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        connection.commit()
        return cursor.fetchall()


@pytest.fixture
def source(state, server, authority):
    def open_source(extra=None, *, schema=OTHER, login=database.READER, port=None, host="127.0.0.1") -> SourceTables:
        engine = source_engine(
            host=host,
            port=port or state.port("mariadb"),
            login=login,
            password=state.secret(database.READER_SECRET),
            schema=schema,
            extra={"ssl": {"ca": authority.certificate}} if extra is None else extra,
        )
        return SourceTables(engine, connection_id="pinterest_source")

    return open_source


# what the tables hold


@pytest.mark.parametrize(
    ("entity", "table"), [("pin", "pinterest_data"), ("geo", "geolocation_data"), ("user", "user_data")]
)
def test_every_type_arrives_with_its_meaning(source, entity, table):
    with source() as reader:
        assert reader.check() == []
        found = reader.read(entity, [1])[1].decode()

    expected = {name: value for name, (_, _, value) in TABLES[SOURCE_TABLES[entity].name].items() if name != "more"}
    said = json.loads(found, parse_float=str)
    assert said == {name: str(value) if isinstance(value, float) else value for name, value in expected.items()}
    assert [*said] == [*expected]


@pytest.mark.parametrize(
    ("full_type", "said"),
    [
        ("VARCHAR(20)", "user_data.ind is VARCHAR(20), and must be a whole number, as it is the key"),
        ("VARBINARY(20)", "user_data.ind is VARBINARY(20): it holds bytes"),
    ],
)
def test_a_key_of_another_type_is_named(state, source, full_type, said):
    ask(state, f"ALTER TABLE {OTHER}.user_data MODIFY ind {full_type}")
    try:
        with source() as reader, pytest.raises(LastingSourceError) as error:
            reader.check()
    finally:
        ask(state, f"ALTER TABLE {OTHER}.user_data MODIFY ind DOUBLE")
    assert said in str(error.value)


@pytest.mark.parametrize("full_type", ["POINT", "GEOMETRY", "BLOB", "BINARY(3)"])
def test_a_column_that_json_cannot_hold_is_named(state, source, full_type):
    ask(state, f"ALTER TABLE {OTHER}.pinterest_data ADD held {full_type}, RENAME COLUMN title TO was")
    ask(state, f"ALTER TABLE {OTHER}.pinterest_data RENAME COLUMN held TO title")
    try:
        with source() as reader, pytest.raises(LastingSourceError, match=rf"pinterest_data\.title is {full_type[:4]}"):
            reader.check()
    finally:
        ask(state, f"ALTER TABLE {OTHER}.pinterest_data DROP title, RENAME COLUMN was TO title")


def test_a_view_does_as_well_as_a_table(state, source):
    ask(
        state,
        f"RENAME TABLE {OTHER}.user_data TO {OTHER}.kept",
        f"CREATE VIEW {OTHER}.user_data AS SELECT CAST(ind AS INT) AS ind, first_name, HEX('a') AS last_name, age, "
        f"date_joined FROM {OTHER}.kept",
    )
    try:
        with source() as reader:
            assert reader.check() == []
            assert json.loads(reader.read("user", [1])[1])["last_name"] == "61"
    finally:
        ask(state, f"DROP VIEW {OTHER}.user_data", f"RENAME TABLE {OTHER}.kept TO {OTHER}.user_data")


def test_the_rows_of_the_lab_arrive_as_they_were_made(source):
    rows = source_rows()["geolocation_data"]
    with source(schema=database.SCHEMA) as reader:
        assert reader.check() == []
        found = reader.read("geo", range(2_000))

    assert len(found) == 2_000
    for row in rows[:2_000]:
        assert json.loads(found[row["ind"]]) == {**row, "timestamp": str(row["timestamp"])}


class CuttingProxy:
    """Passes bytes on to the server, and cuts the connection once after so many from it."""

    def __init__(self, port, after):
        self.server = ("127.0.0.1", port)
        self.after = after
        self.cuts = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.server)
            threading.Thread(target=self.pass_on, args=(client, server, None), daemon=True).start()
            threading.Thread(
                target=self.pass_on, args=(server, client, None if self.cuts else self.after), daemon=True
            ).start()

    def pass_on(self, one, other, limit):
        passed = 0
        try:
            while data := one.recv(4096):
                passed += len(data)
                if limit is not None and passed > limit:
                    self.cuts += 1
                    break
                other.sendall(data)
        except OSError:
            pass
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self):
        self.listener.close()


@pytest.mark.parametrize("extra", [None, NO_TLS], ids=["TLS", "plain"])
@pytest.mark.parametrize("after", [100_000, 300_000])
def test_a_result_that_breaks_off_is_read_again_without_a_lost_or_doubled_row(state, source, extra, after):
    proxy = CuttingProxy(state.port("mariadb"), after)
    try:
        with source(extra, schema=database.SCHEMA, port=proxy.port) as reader:
            broken = reader.read("pin", range(2_000))
        with source(schema=database.SCHEMA) as reader:
            whole = reader.read("pin", range(2_000))
    finally:
        proxy.close()

    assert proxy.cuts == 1
    assert broken == whole
    assert len(broken) == 2_000


# TLS


def encrypted(reader) -> bool:
    with reader._engine.connect() as connection:
        return connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Ssl_version'").fetchone()[1].startswith("TLS")


def test_tls_as_the_extra_says(source, authority):
    certificate, key = authority.issue("client")
    for extra, expected in (
        ({"ssl": {"ca": authority.certificate}}, True),
        ({"ssl": json.dumps({"ca": authority.certificate, "cert": certificate, "key": key})}, True),
        ({"ssl_mode": "VERIFY_IDENTITY", "ssl": {"ca": authority.certificate}}, True),
        ({"ssl_mode": "REQUIRED"}, True),
        ({"ssl_mode": "PREFERRED"}, True),
        (NO_TLS, False),
    ):
        with source(extra) as reader:
            assert encrypted(reader) is expected, extra
            assert reader.check() == []


def failure(source, *arguments, **named) -> str:
    with source(*arguments, **named) as reader, pytest.raises(LastingSourceError) as error:
        reader.check()
    return str(error.value)


def test_a_certificate_that_is_not_trusted_is_named(source, tmp_path):
    other = Authority.new(tmp_path, "other")
    for extra in ({}, {"ssl": {"ca": other.certificate}}, {"ssl_mode": "VERIFY_CA"}):
        said = failure(source, extra)
        assert "CERTIFICATE_VERIFY_FAILED" in said
        assert """What to do: the server's TLS certificate is not trusted: give the authority""" in said


def test_a_certificate_of_another_host_is_named(source, authority):
    said = failure(source, host="localhost")
    assert "the server's TLS certificate is for another host" in said
    with source({"ssl_mode": "VERIFY_CA", "ssl": {"ca": authority.certificate}}, host="localhost") as reader:
        assert encrypted(reader)


def test_a_server_that_takes_tls_only_is_used_with_tls_and_says_so_without(state, source):
    ask(state, "SET GLOBAL require_secure_transport = ON")
    try:
        with source() as reader:
            assert reader.check() == []
        said = failure(source, NO_TLS)
    finally:
        with pymysql.connect(unix_socket=str(state.socket("mariadb")), **admin(state)) as connection:
            connection.cursor().execute("SET GLOBAL require_secure_transport = OFF")
    assert "Access denied" in said  # MySQL says what it is: 3159, insecure transport
    assert "the user may have to use TLS" in said


def admin(state):
    return {"user": database.ADMIN, "password": state.secret(database.ADMIN_SECRET)}


@pytest.mark.parametrize(("required", "extra"), [("SSL", NO_TLS), ("X509", None)])
def test_a_user_who_must_use_tls_or_a_certificate_is_told(state, source, authority, required, extra):
    secret = state.secret(database.READER_SECRET)
    ask(
        state,
        f"CREATE OR REPLACE USER 'strict'@'%' IDENTIFIED BY '{secret}' REQUIRE {required}",
        f"GRANT SELECT ON {OTHER}.* TO 'strict'@'%'",
    )
    said = failure(source, extra, login="strict")
    assert "Access denied" in said
    assert "the user may have to use TLS, or a client certificate" in said

    certificate, key = authority.issue("strict")
    with source({"ssl": {"ca": authority.certificate, "cert": certificate, "key": key}}, login="strict") as reader:
        assert reader.check() == []


def test_rights_that_are_missing_are_named(state, source):
    with source(schema="lab_source_version") as reader, pytest.raises(SourceError, match="grant this user SELECT"):
        reader.check()
