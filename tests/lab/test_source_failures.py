"""The pipeline's reader of the source, against a server that refuses it, dies under it and comes back."""

from __future__ import annotations

import pytest

from include.posting.source_connection import SourceError, source_engine
from include.posting.source_tables import SourceTables
from lab.source import database
from lab.source.generator import source_rows
from lab.state import State
from tests.lab.kafka_parts import SECONDS, kill, supervised
from tests.lab.lab_parts import wait_until


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> State:
    return State.open(root=tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def supervisor(state):
    with supervised(state, "mariadb") as supervisor:
        yield supervisor


@pytest.fixture
def source(state, supervisor):
    def open_source(password: str | None = None) -> SourceTables:
        engine = source_engine(
            host="127.0.0.1",
            port=state.port("mariadb"),
            login=database.READER,
            password=password or state.secret(database.READER_SECRET),
            schema=database.SCHEMA,
        )
        return SourceTables(engine, connection_id="pinterest_source")

    return open_source


def test_a_wrong_password_is_a_clear_error(source):
    with source("not-the-password") as reader, pytest.raises(SourceError) as error:
        reader.read("pin", [7528])

    for words in ("Connection 'pinterest_source'", "Access denied", "correct the login and password"):
        assert words in str(error.value)
    assert "not-the-password" not in str(error.value)


def test_a_server_that_was_killed_and_is_back_costs_no_row(state, supervisor, source):
    with source() as reader:
        assert reader.read("geo", [1]).keys() == {1}
        kill(supervisor, "mariadb")
        wait_until(
            lambda: database.answers(state, supervisor.process("mariadb").pid), "the database answers again", SECONDS
        )

        assert reader.read("geo", [7528, 2863]).keys() == {7528, 2863}


def test_a_server_that_is_gone_is_a_clear_error_and_the_same_reader_goes_on_when_it_is_back(state, supervisor, source):
    with source() as reader:
        reader.read("user", [1])
        supervisor.stop("mariadb")
        with pytest.raises(SourceError, match=r"pinterest_source.*user_data cannot be read.*What to do: check"):
            reader.read("user", [7528])

        supervisor.start("mariadb")
        wait_until(
            lambda: database.answers(state, supervisor.process("mariadb").pid), "the database answers again", SECONDS
        )

        assert reader.read("user", [7528]).keys() == {7528}
        assert source_rows()["user_data"][7528]["first_name"].encode() in reader.read("user", [7528])[7528]
