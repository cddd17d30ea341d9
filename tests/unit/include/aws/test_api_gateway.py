"""The methods of the REST API, and whether API Gateway has them as they should be."""

from __future__ import annotations

import pytest

from include.aws.api_gateway import (
    fingerprint,
    gateway_responses,
    is_in_place,
    leads_to_proxy,
    proxy_methods,
    proxy_resources,
    stage_variables,
)
from tests.builders import settings
from tests.unit.rest_api_parts import BACKEND, BALANCER, PRIVATE, VARIABLES, described


class TestRequests:
    def test_everything_goes_to_the_same_path_of_the_backend_for_callers_with_a_key(self):
        proxy = proxy_methods("http")["ANY"]

        assert proxy["integration"]["type"] == "HTTP_PROXY"
        assert proxy["integration"]["uri"] == "http://${stageVariables.backend}/{proxy}"
        assert proxy["method"]["apiKeyRequired"] is True

    def test_callers_reach_what_the_pipeline_needs_of_the_proxy_and_no_more(self):
        resources = proxy_resources(settings().rest_api.proxy_paths, "http", "internet")

        uris = {path: methods["ANY"]["integration"]["uri"] for path, methods in resources.items()}
        assert uris == {
            "/topics": "http://${stageVariables.backend}/topics",
            "/topics/{proxy+}": "http://${stageVariables.backend}/topics/{proxy}",
            "/consumers/{proxy+}": "http://${stageVariables.backend}/consumers/{proxy}",
        }
        assert all(methods["ANY"]["method"]["apiKeyRequired"] for methods in resources.values())

    def test_a_path_without_parameters_has_none(self):
        method = proxy_methods("http", "/topics")["ANY"]

        assert method["method"]["requestParameters"] == {}
        assert [*method["integration"]["requestParameters"]] == ["integration.request.header.x-api-key"]

    def test_a_vpc_link_is_named_by_the_stage(self):
        integration = proxy_methods("http", exposure="vpc_link")["ANY"]["integration"]

        assert (integration["connectionType"], integration["connectionId"]) == (
            "VPC_LINK", "${stageVariables.vpc_link}",
        )  # fmt: skip
        assert stage_variables(BALANCER, "l1") == PRIVATE
        assert proxy_methods("http")["ANY"]["integration"]["connectionType"] == "INTERNET"

    @pytest.mark.parametrize(("now", "then"), [("vpc_link", "internet"), ("internet", "vpc_link")])
    def test_a_method_of_the_other_way_is_not_in_place(self, now, then):
        found = described(proxy_methods("http", exposure=now))["ANY"]

        assert is_in_place(proxy_methods("http", exposure=now)["ANY"], found)
        assert not is_in_place(proxy_methods("http", exposure=then)["ANY"], found)

    def test_what_says_nothing_of_its_way_takes_the_internet(self):
        methods = proxy_methods("http")
        found = described(methods)["ANY"]
        found["methodIntegration"].pop("connectionType")

        assert is_in_place(methods["ANY"], found)

    def test_what_was_made_here_is_known_by_its_address(self):
        assert leads_to_proxy(described(proxy_methods("http"))["ANY"])
        assert not leads_to_proxy(described(proxy_methods("http"))["OPTIONS"])
        assert not leads_to_proxy({"methodIntegration": {"uri": "http://ec2-1-2-3-4:8082/{proxy}"}})
        assert not leads_to_proxy(None)

    def test_the_callers_key_is_not_passed_on(self):
        mapped = proxy_methods("http")["ANY"]["integration"]["requestParameters"]

        assert mapped["integration.request.header.x-api-key"] == "'withheld'"

    def test_browsers_may_ask_first_without_a_key(self):
        preflight = proxy_methods("http")["OPTIONS"]

        assert preflight["method"]["apiKeyRequired"] is False
        allowed = preflight["responses"]["200"]["integration"]["responseParameters"]
        assert allowed["method.response.header.Access-Control-Allow-Origin"] == "'*'"
        assert "X-Api-Key" in allowed["method.response.header.Access-Control-Allow-Headers"]

    @pytest.mark.parametrize("url", [BACKEND, f"{BACKEND}/"])
    def test_where_the_backend_is_stands_in_the_stage(self, url):
        assert stage_variables(url) == VARIABLES
        assert stage_variables("https://proxy.example.org/base") == {"backend": "proxy.example.org/base"}

    @pytest.mark.parametrize("response", gateway_responses().values(), ids=gateway_responses())
    def test_other_origins_may_read_what_the_api_itself_answers(self, response):
        assert response["responseParameters"] == {"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"}

    def test_a_fingerprint_changes_with_the_content(self):
        assert fingerprint(proxy_methods("http")) == fingerprint(proxy_methods("http"))
        assert fingerprint(proxy_methods("http")) != fingerprint(proxy_methods("https"))

    @pytest.mark.parametrize("verb", ["ANY", "OPTIONS"])
    def test_a_method_that_aws_describes_in_full_is_in_place(self, verb):
        methods = proxy_methods("http")

        assert is_in_place(methods[verb], described(methods)[verb])

    @pytest.mark.parametrize(
        ("verb", "spoil"),
        [
            ("ANY", lambda found: found.update(apiKeyRequired=False)),
            ("ANY", lambda found: found.pop("apiKeyRequired")),
            ("ANY", lambda found: found.pop("methodIntegration")),
            ("ANY", lambda found: found["methodIntegration"].update(uri="http://old:8082/{proxy}")),
            ("ANY", lambda found: found["methodIntegration"].update(httpMethod="POST")),
            ("ANY", lambda found: found["methodIntegration"].update(requestParameters={})),
            ("OPTIONS", lambda found: found.pop("methodResponses")),
            ("OPTIONS", lambda found: found["methodIntegration"].pop("integrationResponses")),
            ("OPTIONS", lambda found: found.update(apiKeyRequired=True)),
        ],
    )
    def test_a_method_that_lacks_or_changes_anything_is_not(self, verb, spoil):
        methods = proxy_methods("http")
        found = described(methods)[verb]
        spoil(found)

        assert not is_in_place(methods[verb], found)
        assert not is_in_place(methods[verb], None)


@pytest.mark.parametrize("url", ["", "http://", "proxy.example.org:8082", "None"])
def test_a_backend_without_an_address_is_refused(url):
    with pytest.raises(ValueError, match="backend URL"):
        stage_variables(url)
