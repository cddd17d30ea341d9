"""A SQL statement as a unit of work. Values are returned as in the SQL Statement Execution API: text or null.

A result is truncated at a million rows or fails at 25 MiB, whichever comes first.
"""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from lab.spark_worker.notebook_task import describe
from lab.spark_worker.work import Work

CATALOG = "spark_catalog"
BYTE_LIMIT = 25 * 1024 * 1024
MOST_ROWS = 1_000_000
NAMES = {
    "BIGINT": "LONG",
    "SMALLINT": "SHORT",
    "TINYINT": "BYTE",
    "TIMESTAMP_NTZ": "TIMESTAMP",
    "VOID": "NULL",
}


class StatementError(Exception):
    """The service itself rejects the statement; the message is for the caller."""


class Statement(Work):
    """``schema`` resolves names without one; ``row_limit`` truncates the result."""

    def __init__(
        self,
        id: str,
        base: SparkSession,
        statement: str,
        catalog: str | None,
        schema: str | None,
        row_limit: int | None,
    ) -> None:
        super().__init__(id, base)
        self._statement = statement
        self._catalog = catalog or CATALOG
        self._schema = schema
        self._row_limit = row_limit
        self._columns: list[dict[str, Any]] = []
        self._rows: list[list[str | None]] = []
        self._truncated = False
        self._error: dict[str, str] | None = None

    def execute(self, session: SparkSession) -> None:
        if self._catalog != CATALOG:
            raise StatementError(f"[NO_SUCH_CATALOG_EXCEPTION] Catalog '{self._catalog}': the lab has {CATALOG} only")
        if self._schema:
            session.sql(f"USE `{self._schema.replace('`', '``')}`")
        frame = session.sql(self._statement.strip().removesuffix(";"))
        self._columns = [_column(position, field) for position, field in enumerate(frame.schema)]
        self._collect(frame)

    def _collect(self, frame: DataFrame) -> None:
        """All rows at once: an iterator's job would run in a thread that the session cannot interrupt."""
        size = 0
        most = MOST_ROWS if self._row_limit is None else self._row_limit
        for row in _as_text(frame).limit(most + 1).collect():
            if len(self._rows) == most:
                self._truncated = True
                return
            self._rows.append(list(row))
            size += sum(len(value) for value in row if value)
            if size > BYTE_LIMIT:
                self._rows.clear()
                raise StatementError(
                    "Inline byte limit exceeded. Statements executed with disposition=INLINE can have a result size of "
                    f"at most {BYTE_LIMIT} bytes. Select fewer rows or columns."
                )

    def failed(self, error: BaseException) -> None:
        message = str(error) if isinstance(error, StatementError) else describe(error)[0].partition(": ")[2]
        self._error = {"error": message}

    def view(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "columns": self._columns,
            "rows": self._rows if self.terminal else [],
            "truncated": self._truncated,
            **(self._error or {}),
        }


def _column(position: int, field: T.StructField) -> dict[str, Any]:
    text = field.dataType.simpleString()
    name = text.upper().split("(")[0].split("<")[0].split(" ")[0]
    column = {
        "name": field.name,
        "position": position,
        "type_name": NAMES.get(name, name),
        "type_text": text if "<" in text else text.upper(),
    }
    if isinstance(field.dataType, T.DecimalType):
        column |= {"type_precision": field.dataType.precision, "type_scale": field.dataType.scale}
    return column


def _as_text(frame: DataFrame) -> DataFrame:
    """The same rows, with every value as text. Columns by position, because two may share a name."""
    places = frame.toDF(*(f"c{position}" for position in range(len(frame.columns))))
    return places.select(*(_text(places[field.name], field.dataType) for field in places.schema))


def _text(column: Any, kind: T.DataType) -> Any:
    match kind:
        case T.TimestampType():
            return F.date_format(column, "yyyy-MM-dd'T'HH:mm:ss.SSSXXX")
        case T.TimestampNTZType():
            return F.date_format(column, "yyyy-MM-dd'T'HH:mm:ss.SSS")
        case T.BinaryType():
            return F.base64(column)
        case T.ArrayType() | T.MapType() | T.StructType():
            return F.to_json(column)
        case _:
            return column.cast("string")
