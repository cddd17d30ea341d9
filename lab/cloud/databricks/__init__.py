"""Databricks workspace stand-in: Jobs, Workspace and SQL Statement Execution, on the lab's resident Spark worker.

Covered (arguments in the query or in a JSON body, ``Authorization: Bearer`` with the lab's token):
- Jobs 2.1 and 2.2: create, reset, update, delete, get, list; run-now; runs: submit, get, get-output, list, cancel,
  cancel-all, repair, delete (``jobs``). Notebook tasks with ``depends_on`` and ``run_if``, in parallel.
- Workspace 2.0: mkdirs, import, export, get-status, list, delete (``workspace``).
- SQL 2.0: statements (inline JSON arrays), one warehouse called ``lab`` (``sql``).
- A page for every run, at its ``run_page_url``, for anybody on this machine: tasks, states, output, log.

Known differences:
- clusters are accepted and ignored: everything runs on the Spark worker, whose docstring lists how it differs;
- a run is never seen ended in its first two looks within five seconds: clients count on a cluster that takes a moment;
- ``max_retries``, schedules, notifications, dynamic value references and task types other than notebooks are not run;
- runs, their outputs and logs stay on disk, the last 200 runs. Runs go on when this process is killed and started
  again; when the worker is killed, the tasks it ran fail.

As on Databricks, a job at its ``max_concurrent_runs`` skips the next run, or queues it where its ``queue`` is enabled.
"""

from __future__ import annotations

from lab.cloud.databricks.app import start

__all__ = ["start"]
