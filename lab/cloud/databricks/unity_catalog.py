"""Unity Catalog 2.1 as far as a doctor asks: the one catalog, ``spark_catalog``, and its schemas.

There are no credentials, and no compute policies, so a setting that names one finds none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.cloud.databricks.api import ApiError, Arguments, Routes, missing, required

CATALOG = "spark_catalog"


class UnityCatalogApi:
    """:param warehouse: folder of the tables; a schema is a folder in it"""

    def __init__(self, warehouse: Path) -> None:
        self._warehouse = warehouse

    def register(self, routes: Routes) -> None:
        routes.add("GET", "2.1/unity-catalog/catalogs/{name}", self.get_catalog)
        routes.add("GET", "2.1/unity-catalog/schemas/{full_name}", self.get_schema)
        routes.add("GET", "2.1/unity-catalog/credentials/{name}", self.get_credential)
        routes.add("GET", "2.0/policies/clusters/get", self.get_policy)

    def get_catalog(self, arguments: Arguments) -> dict[str, Any]:
        if arguments["name"] != CATALOG:
            raise ApiError(404, "CATALOG_DOES_NOT_EXIST", f"Catalog '{arguments['name']}' does not exist.")
        return {"name": CATALOG, "catalog_type": "MANAGED_CATALOG"}

    def get_schema(self, arguments: Arguments) -> dict[str, Any]:
        catalog, _, name = arguments["full_name"].partition(".")
        self.get_catalog({"name": catalog})
        if not (self._warehouse / f"{name.lower()}.db").is_dir():
            raise ApiError(404, "SCHEMA_DOES_NOT_EXIST", f"Schema '{arguments['full_name']}' does not exist.")
        return {"name": name, "catalog_name": catalog, "full_name": arguments["full_name"]}

    def get_credential(self, arguments: Arguments) -> dict[str, Any]:
        raise ApiError(404, "CREDENTIAL_DOES_NOT_EXIST", f"Credential '{arguments['name']}' does not exist.")

    def get_policy(self, arguments: Arguments) -> dict[str, Any]:
        raise missing(f"Cluster policy with id '{required(arguments, 'policy_id')}' could not be found.")
