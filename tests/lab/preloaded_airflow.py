"""Airflow with all that a run of a DAG needs, in memory: a process that is forked from here starts its run at once.

Nothing in here opens a connection or starts a thread, so that it can be forked.
"""

from __future__ import annotations

import sys

import airflow
import airflow.__main__
import airflow.cli.commands.dag_command
import airflow.sdk.execution_time.task_runner  # noqa: F401 the tasks run in the forked process
from airflow.configuration import conf
from airflow.providers_manager import ProvidersManager
from airflow.sdk.execution_time.supervisor import in_process_api_server

sys.path.append(conf.get_mandatory_value("core", "dags_folder"))
import pinterest_stages.flows
import pinterest_stages.reconcile  # noqa: F401

ProvidersManager().initialize_providers_configuration()
in_process_api_server().app._cadwyn_initialize()  # nine versions of the Execution API: most of the time of a start
