from __future__ import annotations

from typing import Any

import pytest

from mwaa.airflow_api import AirflowApi, AirflowApiError
from mwaa.faults import DeployError
from tests.unit.mwaa.mwaa_parts import error


class Client:
    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []

    def invoke_rest_api(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"RestApiStatusCode": 200, "RestApiResponse": answer}


def test_a_collection_is_read_to_its_end():
    client = Client({"dags": [1, 2], "total_entries": 3}, {"dags": [3], "total_entries": 3})

    assert list(AirflowApi(client, "here").every("/dags", "dags", tags="x")) == [1, 2, 3]
    assert [one["QueryParameters"]["offset"] for one in client.asked] == [0, 2]
    assert {one["QueryParameters"]["tags"] for one in client.asked} == {"x"}


def test_a_page_that_is_empty_ends_it():
    assert list(AirflowApi(Client({"dags": [], "total_entries": 9}), "here").every("/dags", "dags")) == []


def test_a_refusal_of_airflow_has_its_status_and_its_words():
    said = error("RestApiClientException", "InvokeRestApi", RestApiStatusCode=404, RestApiResponse={"detail": "no DAG"})

    with pytest.raises(AirflowApiError, match=r"Airflow answers GET /dags/x with 404: .*no DAG") as refused:
        AirflowApi(Client(said), "here").get("/dags/x")

    assert refused.value.status == 404


def test_a_refusal_of_iam_names_the_permission():
    with pytest.raises(DeployError, match=r"airflow:InvokeRestApi on here: .*role/here/Admin"):
        AirflowApi(Client(error("AccessDeniedException", "InvokeRestApi")), "here").get("/dags")


def test_a_path_that_mwaa_refuses_is_not_sent():
    with pytest.raises(ValueError, match="longer than 64"):
        AirflowApi(Client(), "here").get("/dags/pinterest_check/dagRuns/manual__2026-01-01T00:00:00.000000+00:00")
