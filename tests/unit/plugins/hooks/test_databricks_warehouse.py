"""SQL on a warehouse: waiting, chunks, failures, and a table that is not there yet."""

from __future__ import annotations

import pytest

from include.faults import LastingError
from include.positions.kinesis import ShardRange
from pinterest.hooks import databricks_warehouse as module
from pinterest.hooks.databricks_warehouse import DatabricksWarehouseHook, SqlError
from pinterest.stream_batches import QueriedBatches
from tests.builders import settings


class Warehouse(DatabricksWarehouseHook):
    """``answers`` to the statement and every look at it; ``chunks`` after the first."""

    def __init__(self, *answers, chunks=(), warehouses=("one", "two")):
        self.answers, self.chunks, self.warehouses = [*answers], chunks, warehouses
        self.calls = []

    def _do_api_call(self, endpoint, body=None, wrap_http_errors=True):
        self.calls.append((*endpoint, body))
        if endpoint[1].endswith("warehouses"):
            return {"warehouses": [{"id": name} for name in self.warehouses]}
        if "/chunks/" in endpoint[1]:
            return self.chunks[int(endpoint[1].rsplit("/", 1)[1]) - 1]
        if endpoint[1].endswith("/cancel"):
            return {}
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def succeeded(*rows, following=None, truncated=False):
    return {
        "statement_id": "s",
        "status": {"state": "SUCCEEDED"},
        "manifest": {"truncated": truncated},
        "result": {"data_array": [*rows], **({"next_chunk_index": following} if following else {})},
    }


def state(name, message=None):
    return {"statement_id": "s", "status": {"state": name, **({"error": {"message": message}} if message else {})}}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(module, "POLL_SECONDS", 0)


def test_the_rows_come_as_they_are_printed():
    warehouse = Warehouse(succeeded(["a", "1"], ["b", None]))

    assert warehouse.query("SELECT 1", warehouse_id="w") == [["a", "1"], ["b", None]]
    ((_, _, body),) = warehouse.calls
    assert (body["warehouse_id"], body["statement"]) == ("w", "SELECT 1")


def test_without_an_id_the_first_warehouse_answers():
    warehouse = Warehouse(succeeded())
    warehouse.query("SELECT 1")

    assert warehouse.calls[1][2]["warehouse_id"] == "one"


def test_a_workspace_without_a_warehouse_is_told():
    with pytest.raises(SqlError, match=r"no SQL warehouse: make one, or set databricks\.warehouse_id"):
        Warehouse(succeeded(), warehouses=()).query("SELECT 1")


def test_a_statement_that_takes_its_time_is_waited_for():
    warehouse = Warehouse(state("PENDING"), state("RUNNING"), succeeded(["x"]))

    assert warehouse.query("SELECT 1", warehouse_id="w") == [["x"]]
    assert [call[:2] for call in warehouse.calls[1:]] == [("GET", "2.0/sql/statements/s")] * 2


def test_all_chunks_are_read():
    chunks = ({"data_array": [["2"]], "next_chunk_index": 2}, {"data_array": [["3"], ["4"]]})
    warehouse = Warehouse(succeeded(["1"], following=1), chunks=chunks)

    assert warehouse.query("SELECT 1", warehouse_id="w") == [["1"], ["2"], ["3"], ["4"]]


def test_no_rows_are_an_empty_list():
    assert Warehouse({**succeeded(), "result": {}}).query("SELECT 1", warehouse_id="w") == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (state("FAILED", "no such column"), "FAILED: no such column: SELECT 1"),
        (state("CLOSED"), "CLOSED: the warehouse gave no reason"),
        (succeeded(["1"], truncated=True), "More rows than the warehouse hands out"),
    ],
)
def test_a_statement_without_its_rows_is_an_error(answer, said):
    with pytest.raises(SqlError, match=said):
        Warehouse(answer).query("SELECT 1", warehouse_id="w")


@pytest.mark.parametrize(
    ("reason", "lasts"),
    [
        ("[SCHEMA_NOT_FOUND] The schema `x` cannot be found. SQLSTATE: 42704", True),
        ("[INSUFFICIENT_PERMISSIONS] User does not have SELECT. SQLSTATE: 42501", True),
        ("[PARSE_SYNTAX_ERROR] Syntax error at 'selec'. SQLSTATE: 42601", True),
        ("The warehouse was stopped while the statement ran", False),
        ("[DELTA_CONCURRENT_APPEND] Files were added. SQLSTATE: 2D521", False),
    ],
)
def test_a_statement_that_cannot_succeed_is_not_tried_again(reason, lasts):
    with pytest.raises(SqlError) as caught:
        Warehouse(state("FAILED", reason)).query("SELECT 1", warehouse_id="w")
    assert isinstance(caught.value, LastingError) == lasts


def test_a_statement_that_takes_too_long_is_cancelled():
    warehouse = Warehouse(state("RUNNING"))

    with pytest.raises(SqlError, match="No answer within 0 s, cancelled"):
        warehouse.query("SELECT 1", warehouse_id="w", timeout=0)
    assert warehouse.calls[-1][:2] == ("POST", "2.0/sql/statements/s/cancel")


def test_a_table_that_is_not_there_yet_has_no_batches():
    missing = state("FAILED", "[TABLE_OR_VIEW_NOT_FOUND] The table or view `x` cannot be found.")
    batches = QueriedBatches(Warehouse(missing), settings())

    assert batches.committed(["streaming-x-pin"]) == {}
    assert batches.of_run("r", {"streaming-x-pin": [ShardRange.of("shardId-0", [1])]}) == []


def test_another_error_is_not_taken_for_that():
    with pytest.raises(SqlError, match="PERMISSION_DENIED"):
        QueriedBatches(Warehouse(state("FAILED", "PERMISSION_DENIED")), settings()).committed(["streaming-x-pin"])


def test_the_settings_name_table_and_warehouse():
    warehouse = Warehouse(succeeded())
    here = settings(databricks={"catalog": "main", "schema": "lake", "warehouse_id": "mine"})
    QueriedBatches(warehouse, here).committed(["streaming-x-pin"])

    ((_, _, body),) = warehouse.calls
    assert body["warehouse_id"] == "mine"
    assert "FROM main.lake.stream_batches" in body["statement"]
