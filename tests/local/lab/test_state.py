"""A lab's ports and secrets come into being once and stay."""

from __future__ import annotations

import json
import socket
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.state import MAX_SOCKET_PATH, PORTS, State


def test_every_port_is_its_own_and_free(tmp_path):
    state = State.open(tmp_path / "state", tmp_path / "install")

    assert set(state.ports) == set(PORTS)
    assert len(set(state.ports.values())) == len(PORTS)
    for port in state.ports.values():
        socket.create_server(("127.0.0.1", port)).close()


def test_a_second_look_finds_the_same_ports_and_secrets(tmp_path):
    first = State.open(tmp_path / "state", tmp_path / "install")
    secret = first.secret("databricks_token")

    again = State.open(tmp_path / "state", tmp_path / "install")

    assert again.ports == first.ports
    assert again.secret("databricks_token") == secret
    assert len(secret) >= 32


def test_only_the_owner_can_read_the_secrets(tmp_path):
    state = State.open(tmp_path / "state", tmp_path / "install")
    state.secret("databricks_token")

    assert stat.S_IMODE(state.path("secrets.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(state.root.stat().st_mode) == 0o700


def test_all_who_ask_for_a_new_secret_at_once_get_the_same(tmp_path):
    states = [State.open(tmp_path / "state", tmp_path / "install") for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        secrets = set(pool.map(lambda state: state.secret("token"), states))
        names = set(pool.map(lambda n: states[n].secret(f"name {n}"), range(8)))

    assert len(secrets) == 1
    assert len(names) == 8
    assert len(json.loads((tmp_path / "state" / "secrets.json").read_text())) == 9


def test_a_lost_port_line_is_chosen_anew_and_the_others_stay(tmp_path):
    state = State.open(tmp_path / "state", tmp_path / "install")
    kept = {name: port for name, port in state.ports.items() if name != "kafka"}
    state.path("ports.json").write_text(json.dumps(kept))

    again = State.open(tmp_path / "state", tmp_path / "install")

    assert {name: again.port(name) for name in kept} == kept
    assert again.port("kafka") not in kept.values()


def test_an_unknown_port_name_is_an_error_that_lists_the_names(tmp_path):
    with pytest.raises(KeyError, match="rest_proxy"):
        State.open(tmp_path / "state", tmp_path / "install").port("kafak")


def test_a_socket_in_a_deep_folder_gets_a_short_path(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("TMPDIR", "/tmp")
    state = State.open(tmp_path / ("deep" * 20) / ("deeper" * 10), tmp_path / "install")

    path = state.socket("supervisor")

    assert len(str(path)) <= MAX_SOCKET_PATH
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.parent.rmdir()


def test_damaged_ports_are_an_error_that_says_what_to_do(tmp_path):
    State.open(tmp_path / "state", tmp_path / "install").path("ports.json").write_text("{")

    with pytest.raises(ValueError, match=r"ports\.json is not JSON.*lab-reset"):
        State.open(tmp_path / "state", tmp_path / "install")
