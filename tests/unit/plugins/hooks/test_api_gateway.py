"""The API key that Parameter Store keeps."""

from __future__ import annotations

import pytest

from pinterest.hooks.api_gateway import ApiGatewayHook, RestApiError
from tests.unit.rest_api_parts import KEY, PARAMETER, key_is_kept


class TestKeptKey:
    def test_comes_out_of_parameter_store(self, parameters):
        key_is_kept(parameters, KEY)

        assert ApiGatewayHook().kept_api_key(PARAMETER) == KEY

    def test_that_is_not_there_is_named(self, parameters):
        parameters.add_client_error("get_parameter", "ParameterNotFound", http_status_code=400)

        with pytest.raises(RestApiError, match=f"Parameter Store has no {PARAMETER}"):
            ApiGatewayHook().kept_api_key(PARAMETER)
