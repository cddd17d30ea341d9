"""A REST API as API Gateway describes it, and the key that Parameter Store keeps."""

from __future__ import annotations

from tests.builders import USER_ID as USER

API = {"id": "a1b2c3", "name": USER}
KEY = "the-key-nobody-may-see-0123456789"
PARAMETER = f"/pinterest/{USER}/api-key"
TAGS = {"project": "pinterest-pipeline", "user_id": USER}
BACKEND = "http://ec2-1-2-3-4.compute-1.amazonaws.com:8082"
VARIABLES = {"backend": "ec2-1-2-3-4.compute-1.amazonaws.com:8082"}
BALANCER = "http://0e36c8cd403d-rest-proxy-0123.elb.us-east-1.amazonaws.com:8082"
PRIVATE = {"backend": "0e36c8cd403d-rest-proxy-0123.elb.us-east-1.amazonaws.com:8082", "vpc_link": "l1"}


def described(methods) -> dict:
    """The methods as AWS describes them, written out from its documentation of GetResources."""
    return {
        "ANY": {
            "httpMethod": "ANY",
            "authorizationType": "NONE",
            "apiKeyRequired": True,
            "requestParameters": {"method.request.path.proxy": True},
            "methodIntegration": {
                "type": "HTTP_PROXY",
                "httpMethod": "ANY",
                **{
                    name: methods["ANY"]["integration"][name]
                    for name in ("uri", "connectionType", "connectionId")
                    if name in methods["ANY"]["integration"]
                },
                "requestParameters": {
                    "integration.request.path.proxy": "method.request.path.proxy",
                    "integration.request.header.x-api-key": "'withheld'",
                },
                "passthroughBehavior": "WHEN_NO_MATCH",
                "timeoutInMillis": 29000,
                "cacheNamespace": "r1",
                "cacheKeyParameters": [],
            },
        },
        "OPTIONS": {
            "httpMethod": "OPTIONS",
            "authorizationType": "NONE",
            "apiKeyRequired": False,
            "methodResponses": {
                "200": {
                    "statusCode": "200",
                    "responseParameters": {
                        f"method.response.header.Access-Control-Allow-{name}": False
                        for name in ("Headers", "Methods", "Origin")
                    },
                    "responseModels": {"application/json": "Empty"},
                }
            },
            "methodIntegration": {
                "type": "MOCK",
                "requestTemplates": {"application/json": '{"statusCode": 200}'},
                "passthroughBehavior": "WHEN_NO_MATCH",
                "integrationResponses": {
                    "200": {
                        "statusCode": "200",
                        "responseParameters": dict(
                            methods["OPTIONS"]["responses"]["200"]["integration"]["responseParameters"]
                        ),
                    }
                },
            },
        },
    }


def resources(*with_methods) -> dict:
    root = {"id": "root", "path": "/"}
    return {"items": [root, *({"id": "r1", "path": "/{proxy+}", "parentId": "root", **one} for one in with_methods)]}


def key_is_kept(parameters, value) -> None:
    parameters.add_response(
        "get_parameter",
        {"Parameter": {"Name": PARAMETER, "Value": value, "Type": "SecureString"}},
        {"Name": PARAMETER, "WithDecryption": True},
    )
