"""Databricks workspace stand-in: Jobs, Workspace, SQL and a little Unity Catalog, on the lab's resident Spark worker.

Covered (arguments in the query or in a JSON body, ``Authorization: Bearer`` with the lab's token):
- Jobs 2.1 and 2.2: create, reset, update, delete, get, list; run-now; runs: submit, get, get-output, list, cancel,
  cancel-all, repair, delete (``jobs``). Notebook tasks with ``depends_on`` and ``run_if``, in parallel.
- Workspace 2.0: mkdirs, import, export, get-status, list, delete (``workspace``).
- SQL 2.0: statements (inline JSON arrays), one warehouse called ``lab`` (``sql``).
- Unity Catalog 2.1: catalogs, schemas and credentials: get; cluster policies 2.0: get (``unity_catalog``).
- A page for every run at its ``run_page_url``, open to anyone on this machine: tasks, states, output, log (``pages``).

Known differences:
- clusters are accepted and ignored: everything runs on the Spark worker, whose docstring lists how it differs;
- a run never looks finished in the first two polls within five seconds: clients expect a cluster that takes a moment;
- ``max_retries``, schedules, notifications, dynamic value references and task types other than notebooks do nothing;
- the last 200 runs stay on disk with their outputs and logs. Runs continue after this process is killed and restarted;
  when the worker is killed, its running tasks end as with a driver that died: ``INTERNAL_ERROR``, ``DRIVER_ERROR``.

As on Databricks, a job at its ``max_concurrent_runs`` skips the next run, or queues it if its ``queue`` is enabled.
"""

from __future__ import annotations

from lab.cloud.databricks.app import start

__all__ = ["start"]
