"""Airflow's AWS sessions on the lab: all sessions of a process share what botocore knows about the services.

Every AWS hook opens a session of its own, for which botocore parses the models of its services anew, half a second for
EC2. A run by ``airflow dags test`` opens a few hundred in one process.
"""

from __future__ import annotations

from typing import Any

import boto3
import botocore.session
from airflow.providers.amazon.aws.hooks.base_aws import BaseSessionFactory
from botocore.loaders import Loader

MODELS = Loader()


class SharedModelsSessionFactory(BaseSessionFactory):
    """Airflow's option ``[aws] session_factory``. Its sessions are the provider's in all else."""

    def _create_basic_session(self, session_kwargs: dict[str, Any]) -> boto3.session.Session:
        core = botocore.session.get_session()
        session = boto3.session.Session(botocore_session=core, **session_kwargs)
        core.register_component("data_loader", MODELS)
        return session
