"""API Gateway's data plane for REST APIs: ``/_aws/execute-api/{api id}/{stage}/{path}``.

APIs are made, changed and deployed at ministack with the service's own calls; this package serves what is deployed.

Covered: resources with ``{name}`` and ``{name+}``; ANY; HTTP_PROXY with mapped path parameters and headers, raw path,
query and headers kept both ways; MOCK; Kinesis (``aws_integrations``); stage variables in a URI; request validators with
models, and the gateway response to a body they refuse; API keys of usage plans; throttling (token buckets) by usage
plan and by stage; 29 s and 10 MB limits; API Gateway's own answers: 400, 403 ``Missing Authentication Token`` (no such
method), 403 ``Forbidden`` (no such stage, no or wrong key), 413, 415, 429, 500, 504.

Known differences: a deployment is taken when its first call comes, and again after a restart of this process; quotas,
method throttles, authorizers, caching, other gateway responses and X-Forwarded headers are left out; what a model
refuses is said in the validator's own words.
"""

from __future__ import annotations

from lab.cloud.gateway.app import start

__all__ = ["start"]
