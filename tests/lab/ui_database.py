"""Airflow's database with the pipeline's DAGs and runs that nothing has executed.

``python ui_database.py RUNS DAG_ID…``: RUNS is JSON, a list of ``dag_id``, ``run_id``, ``state`` and ``started_at``;
the others are DAGs without a run. All deadlines have passed.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path

from airflow.configuration import conf
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
from airflow.models.deadline import Deadline
from airflow.models.serialized_dag import SerializedDagModel
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import update

BUNDLE = "dags-folder"


def main(runs: list[dict[str, str]], dag_ids: list[str]) -> None:
    initdb()
    DagBundlesManager().sync_bundles_to_db()
    folder = Path(conf.get_mandatory_value("core", "dags_folder"))
    for dag_id in sorted({*dag_ids, *(run["dag_id"] for run in runs)}):
        bag = BundleDagBag(dag_folder=str(folder / f"{dag_id}.py"), bundle_path=folder, bundle_name=BUNDLE)
        sync_bag_to_db(bag, BUNDLE, None)
    with create_session() as session:
        for run in runs:
            at = datetime.fromisoformat(run["started_at"])
            dag = SerializedDagModel.get_dag(run["dag_id"], session=session)
            row = dag.create_dagrun(
                run_id=run["run_id"],
                run_type=DagRunType.from_run_id(run["run_id"]),
                logical_date=at,
                run_after=at,
                triggered_by=DagRunTriggeredByType.TEST,
                state=DagRunState.QUEUED,
                session=session,
            )
            row.state, row.start_date = run["state"], at
            session.flush()
            session.execute(update(Deadline).values(deadline_time=at))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])
