"""A catalog, schema or service credential that is missing or not permitted is named before anything is written."""

from __future__ import annotations

import pytest
from pyspark.errors import AnalysisException

from pinterest_lake.catalog import CatalogError, check_service_credential, ensure_schema


class Session:
    """A session of Databricks, which answers statements by their first words, or refuses them."""

    def __init__(self, **answers):
        self.answers = {"SELECT current_user()": [("airflow",)], **answers}
        self.ran = []

    def sql(self, statement):
        self.ran.append(statement)
        answer = next((rows for words, rows in self.answers.items() if statement.startswith(words)), [])
        if isinstance(answer, Exception):
            raise answer
        return self

    def collect(self):
        return next((rows for words, rows in self.answers.items() if self.ran[-1].startswith(words)), [])


def denied(words):
    return AnalysisException(f"[INSUFFICIENT_PERMISSIONS] Insufficient privileges: User does not have {words}\nat x")


def test_a_missing_schema_is_made_once(spark):
    ensure_schema(spark, "spark_catalog", "made_by_test_catalog")
    ensure_schema(spark, "spark_catalog", "made_by_test_catalog")

    assert spark.catalog.databaseExists("made_by_test_catalog")
    spark.sql("DROP SCHEMA made_by_test_catalog")


def test_a_catalog_that_is_missing_is_named(spark):
    with pytest.raises(
        CatalogError, match=r"databricks\.catalog: the catalog nowhere is not there: make it, GRANT USE"
    ):
        ensure_schema(spark, "nowhere", "pinterest")


def test_a_schema_that_is_there_takes_no_permission_to_make_one():
    session = Session(**{"SHOW SCHEMAS": [("lake",)], "CREATE": denied("CREATE SCHEMA on Catalog 'main'")})

    ensure_schema(session, "main", "lake")


def test_a_catalog_that_may_not_be_used_is_named_with_user_and_statement():
    session = Session(**{"SHOW SCHEMAS": denied("USE CATALOG on Catalog 'main'")})

    with pytest.raises(CatalogError) as error:
        ensure_schema(session, "main", "lake")

    assert str(error.value) == (
        "databricks.catalog: the catalog main may not be used by airflow: make it, GRANT USE CATALOG ON CATALOG main "
        "TO `airflow`, or correct the setting. Databricks says: [INSUFFICIENT_PERMISSIONS] Insufficient privileges: "
        "User does not have USE CATALOG on Catalog 'main'"
    )


def test_a_schema_that_may_not_be_made_is_named_with_user_and_statement():
    session = Session(CREATE=denied("CREATE SCHEMA on Catalog 'main'"))

    with pytest.raises(
        CatalogError, match=r"databricks\.schema: airflow may not make the schema main\.lake.*GRANT USE"
    ):
        ensure_schema(session, "main", "lake")


def test_a_service_credential_that_the_user_sees_is_enough():
    check_service_credential(Session(**{"SHOW SERVICE": [("other", ""), ("kinesis", "")]}), "kinesis")


@pytest.mark.parametrize(
    ("answer", "why"),
    [([], "it sees none"), ([("other", "")], "it sees other"), (denied("ACCESS"), "Databricks says: .INSUFFICIENT")],
)
def test_a_service_credential_that_the_user_does_not_see_is_named(answer, why):
    session = Session(**{"SHOW SERVICE": answer})

    with pytest.raises(CatalogError, match=f"airflow sees no service credential kinesis: .*GRANT ACCESS.*{why}"):
        check_service_credential(session, "kinesis")
