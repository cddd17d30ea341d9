"""Faults on demand, in front of a stand-in that counts what it carried out."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import requests
from aiohttp import web

from lab.cloud.serving import PortTakenError, close, serve
from lab.state import State

NO_ANSWER = (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError)


@dataclass
class StandIn:
    url: str
    carried_out: list[str] = field(default_factory=list)

    def add(self, **fault) -> requests.Response:
        return requests.post(f"{self.url}/_lab/faults", json=fault)

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, timeout=10)

    def reports(self) -> list[dict]:
        return requests.get(f"{self.url}/_lab/faults").json()["faults"]


@pytest.fixture(scope="module")
def shared(state) -> Iterator[StandIn]:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    stand_in = StandIn(f"http://127.0.0.1:{state.port('mirror')}")

    async def handle(request: web.Request) -> web.Response:
        stand_in.carried_out.append(request.path)
        return web.json_response({"path": request.path}, headers={"X-True": "1"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = asyncio.run_coroutine_threadsafe(serve(state, "mirror", app), loop).result()
    yield stand_in
    asyncio.run_coroutine_threadsafe(close(runner), loop).result()
    loop.call_soon_threadsafe(loop.stop)


@pytest.fixture
def stand_in(shared) -> StandIn:
    requests.delete(f"{shared.url}/_lab/faults")
    shared.carried_out.clear()
    return shared


def test_without_a_fault_calls_are_carried_out(stand_in):
    assert stand_in.get("/a").json() == {"path": "/a"}
    assert stand_in.reports() == []


def test_an_answer_in_place_of_the_true_one(stand_in):
    stand_in.add(path="^/a$", status=503, body={"message": "later"}, headers={"Retry-After": "1"})
    answer = stand_in.get("/a")

    assert (answer.status_code, answer.json(), answer.headers["Retry-After"]) == (503, {"message": "later"}, "1")
    assert stand_in.carried_out == []
    assert stand_in.get("/a").status_code == 200


def test_after_means_that_the_call_was_carried_out(stand_in):
    stand_in.add(path="/a", status=500, effect="after")

    assert stand_in.get("/a").status_code == 500
    assert stand_in.carried_out == ["/a"]


def test_skip_and_times_choose_the_calls(stand_in):
    stand_in.add(path="/a", status=429, skip=2, times=2)
    assert [stand_in.get("/a").status_code for _ in range(6)] == [200, 200, 429, 429, 200, 200]

    [report] = stand_in.reports()
    assert (report["matched"], report["injected"], report["remaining"]) == (4, 2, 0)


def test_times_null_has_no_end(stand_in):
    stand_in.add(path="/a", status=500, times=None)

    assert {stand_in.get("/a").status_code for _ in range(5)} == {500}
    assert stand_in.reports()[0]["remaining"] is None


def test_method_and_raw_path_choose_the_calls(stand_in):
    stand_in.add(path="/a%20b$", method="post", status=500)
    assert stand_in.get("/a%20b").status_code == 200
    assert requests.post(f"{stand_in.url}/other").status_code == 200
    assert requests.post(f"{stand_in.url}/a%20b?x=1").status_code == 500


def test_faults_are_met_in_order(stand_in):
    stand_in.add(path="/a", status=500)
    stand_in.add(path="/a", status=502)

    assert [stand_in.get("/a").status_code for _ in range(3)] == [500, 502, 200]


def test_latency_delays_the_true_answer(stand_in):
    stand_in.add(path="/a", latency=0.4)
    started = time.monotonic()
    answer = stand_in.get("/a")

    assert (answer.status_code, answer.headers["X-True"]) == (200, "1")
    assert 0.4 <= time.monotonic() - started < 3


@pytest.mark.parametrize(("effect", "carried_out"), [("before", []), ("after", ["/a"])])
def test_a_reset_connection_has_no_answer(stand_in, effect, carried_out):
    stand_in.add(path="/a", reset=True, effect=effect)
    with pytest.raises(NO_ANSWER, match="reset"):
        stand_in.get("/a")

    assert stand_in.carried_out == carried_out
    assert stand_in.get("/a").status_code == 200


def test_delete_removes_all(stand_in):
    stand_in.add(path="/a", status=500)
    requests.delete(f"{stand_in.url}/_lab/faults")

    assert stand_in.get("/a").status_code == 200


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        pytest.param({"path": "/a", "stauts": 500}, "stauts", id="unknown field"),
        pytest.param({"status": 500}, "path", id="no path"),
        pytest.param({"path": "("}, "path", id="not a regular expression"),
        pytest.param({"path": "/a", "status": 99}, "status", id="no HTTP status"),
        pytest.param({"path": "/a", "effect": "during"}, "effect", id="unknown effect"),
    ],
)
def test_a_wrong_fault_is_refused_by_the_field_s_name(stand_in, fault, named):
    answer = stand_in.add(**fault)

    assert answer.status_code == 400
    assert answer.json()["message"].startswith(f"{named}: ")
    assert stand_in.reports() == []


def test_a_web_page_cannot_add_faults(stand_in):
    origin = {"Origin": "https://example.org"}
    answer = requests.post(f"{stand_in.url}/_lab/faults", json={"path": "/a", "status": 500}, headers=origin)

    assert answer.status_code == 403
    assert stand_in.get("/a").status_code == 200


def test_a_taken_port_is_named(shared, state):
    taken = State(state.root, state.install, ports={"mirror": int(shared.url.rpartition(":")[2])})
    with pytest.raises(PortTakenError, match=rf"mirror: port {taken.port('mirror')} on 127\.0\.0\.1 is taken"):
        asyncio.run(serve(taken, "mirror", web.Application()))
