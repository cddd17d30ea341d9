"""The catalog and the schema of the tables, and the service credential: there, and permitted to the job's user.

Whatever Unity Catalog refuses is said in one sentence, with the setting, the user and the statement that permits it.
"""

from __future__ import annotations

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

NO_CATALOG = ("CATALOG_NOT_FOUND", "NO_SUCH_CATALOG", "HIVE_METASTORE_DISABLED", "SCHEMA_NOT_FOUND")


class CatalogError(ValueError):
    """The catalog, the schema or the service credential is missing, or the job's user may not use it."""


def ensure_schema(spark: SparkSession, catalog: str, schema: str) -> None:
    """Create the schema unless it is there: then it takes no permission to create one. Raises CatalogError."""
    try:
        there = spark.sql(f"SHOW SCHEMAS IN {catalog} LIKE '{schema}'").collect()
    except PySparkException as error:
        raise _no_catalog(spark, catalog, error) from error
    if there:
        return
    try:
        spark.sql(f"CREATE SCHEMA IF NOT EXISTS {catalog}.{schema}")
    except PySparkException as error:
        user = _user(spark)
        raise CatalogError(
            f"databricks.schema: {user} may not make the schema {catalog}.{schema}, and sees none of this name: GRANT "
            f"USE CATALOG, CREATE SCHEMA ON CATALOG {catalog} TO `{user}`, or make it and GRANT ALL PRIVILEGES ON "
            f"SCHEMA {catalog}.{schema} TO `{user}`. Databricks says: {_first_line(error)}"
        ) from error


def check_service_credential(spark: SparkSession, name: str) -> None:
    """Raise CatalogError unless the job's user may see the service credential; it takes Databricks Runtime 16.1."""
    try:
        seen = {row[0] for row in spark.sql("SHOW SERVICE CREDENTIALS").collect()}
        why = f"it sees {', '.join(sorted(seen)) or 'none'}"
    except PySparkException as error:
        seen, why = set(), f"Databricks says: {_first_line(error)}"
    if name not in seen:
        user = _user(spark)
        raise CatalogError(
            f"databricks.kinesis.service_credential: {user} sees no service credential {name}: make it in Catalog "
            f"Explorer, GRANT ACCESS ON SERVICE CREDENTIAL `{name}` TO `{user}`, or correct the setting; {why}"
        )


def _no_catalog(spark: SparkSession, catalog: str, error: PySparkException) -> CatalogError:
    user, said = _user(spark), _first_line(error)
    wrong = "is not there" if any(word in str(error) for word in NO_CATALOG) else f"may not be used by {user}"
    return CatalogError(
        f"databricks.catalog: the catalog {catalog} {wrong}: make it, GRANT USE CATALOG ON CATALOG {catalog} TO "
        f"`{user}`, or correct the setting. Databricks says: {said}"
    )


def _user(spark: SparkSession) -> str:
    (row,) = spark.sql("SELECT current_user()").collect()
    return str(row[0])


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
