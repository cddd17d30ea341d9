"""API Gateway's data plane for REST APIs: ``/_aws/execute-api/{api id}/{stage}/{path}``.

ministack is the control plane: APIs are created, changed and deployed there, with the service's own calls. This package
serves what is deployed.

Covered: resources with ``{name}`` and ``{name+}``; ANY; HTTP_PROXY with mapped path parameters and headers, the raw
path, query and headers preserved in both directions, over the network or by a VPC link to a load balancer's target
(``vpc_links``); MOCK; Kinesis (``aws_integrations``); stage variables in a URI and as the id of a VPC link; callers who
sign with IAM credentials (``signatures``; what IAM allows them is not looked at);
request validators with models; gateway responses by type, with constant headers and what a type takes from DEFAULT_4XX
and DEFAULT_5XX; API keys of usage plans; throttling
(token buckets) by usage plan and by stage; the limits of 29 s and 10 MB; API Gateway's own answers: 400, 403 ``Missing
Authentication Token`` (no such method), 403 ``Forbidden`` (no such stage, no key or a wrong one), 413, 415, 429, 500,
504.

Known differences: a deployment takes effect with its first call, and again after this process restarts; quotas, method
throttles, authorizers, caching and X-Forwarded headers are left out; a model's rejection is
worded by the validator used here.
"""

from __future__ import annotations

from lab.cloud.gateway.app import start

__all__ = ["start"]
