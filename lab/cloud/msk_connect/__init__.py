"""MSK Connect's API (boto3 ``kafkaconnect``) in front of the lab's Kafka Connect worker.

Covered: custom plugins, worker configurations and connectors: create, describe, list with prefix and pages, delete;
UpdateConnector with its version check, and its operations; tags; AWS's error codes. A custom plugin's archive is
fetched from S3 and unpacked into the worker's plugin path; the worker is restarted, and the plugin is ACTIVE once the
worker lists its connectors. A connector's configuration goes to the worker unchanged, and with the address of the
connector's cluster if that is another broker on this machine than the lab's. A connector is RUNNING when the worker
reports it and one of its tasks as running; FAILED with the task's trace; UPDATING while the worker is away. An update
that the worker rejects is rolled back. The reason of a connector that fails as it starts or is updated is delivered to
its log group or bucket. State is kept in ``state/cloud/msk_connect``; unfinished work resumes after a restart.

Known differences: all connectors share one worker, so the newest of two plugins with the same connector class serves
both, and a new plugin restarts all connectors; capacity, network, IAM, encryption, a cluster that is not on this
machine and worker configurations are stored and returned, not applied (the lab's worker connects without
authentication and is configured by ``lab/kafka.py``); creation takes seconds; a missing archive makes a plugin
CREATE_FAILED; nothing but that reason is delivered as worker log.
"""

from __future__ import annotations

from lab.cloud.msk_connect.app import start

__all__ = ["start"]
