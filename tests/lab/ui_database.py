"""Airflow's database with the pipeline's DAGs and runs that nothing has executed: ``python ui_database.py RUNS``.

RUNS is JSON: a list of ``dag_id``, ``run_id``, ``state`` and ``started_at``.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path

from airflow.configuration import conf
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
from airflow.models import DagRun
from airflow.utils.db import initdb
from airflow.utils.session import create_session

BUNDLE = "dags-folder"


def main(runs: list[dict[str, str]]) -> None:
    initdb()
    DagBundlesManager().sync_bundles_to_db()
    folder = Path(conf.get_mandatory_value("core", "dags_folder"))
    for dag_id in sorted({run["dag_id"] for run in runs}):
        bag = BundleDagBag(dag_folder=str(folder / f"{dag_id}.py"), bundle_path=folder, bundle_name=BUNDLE)
        sync_bag_to_db(bag, BUNDLE, None)
    with create_session() as session:
        for run in runs:
            at = datetime.fromisoformat(run["started_at"])
            row = DagRun(
                dag_id=run["dag_id"],
                run_id=run["run_id"],
                run_type="manual",
                state=run["state"],
                start_date=at,
                run_after=at,
                logical_date=at,
                queued_at=at,
            )
            session.add(row)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
