"""What MWAA's components do with the package, each in a process like the component's; prints what they found as JSON.

``python -P -c <this text>`` has the ``sys.path`` of the ``airflow`` command, with which each component begins. Only the
DAG processor and a task add the DAGs' folder; the triggerer, the scheduler and the web server never see it.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import multiprocessing
import os
import sys
import time
from pathlib import Path

HOME = Path(os.environ["AIRFLOW_HOME"])
DAGS, PLUGINS = HOME / "dags", HOME / "plugins"
SERIALIZED = HOME / "serialized.json"


def dag_processor():
    """Parses each DAG file, and serializes its DAGs for the scheduler and the web server."""
    from airflow.dag_processing import processor  # noqa: F401  each file's process begins with it
    from airflow.serialization.serialized_objects import DagSerialization

    dags, errors, seconds = {}, {}, {}
    for file in sorted(DAGS.glob("*.py")):
        begin = time.process_time()
        bag = parse(file)
        seconds[file.name] = time.process_time() - begin
        errors |= bag.import_errors
        dags |= bag.dags
    SERIALIZED.write_text(json.dumps({dag_id: DagSerialization.to_dict(dag) for dag_id, dag in dags.items()}))
    code = {dag_id: [tag for tag in dag.tags if tag.startswith("code ")] for dag_id, dag in dags.items()}
    return {"dags": sorted(dags), "import_errors": errors, "seconds": seconds, "code": code}


def worker():
    """Parses the task's DAG file, as a task does first, and reads the files that its templates name."""
    from include.lake.code_bundle import CodeBundle
    from include.release import code_tag

    dags, left = {}, []
    for file in sorted(DAGS.glob("*.py")):
        dags |= parse(file, safe_mode=False, load_op_links=False).dags
    for dag in dags.values():
        for task in dag.tasks:
            task.resolve_template_files()
            for field in task.template_fields:
                value = getattr(task, field, None)
                for item in value if isinstance(value, list) else [value]:
                    if isinstance(item, str) and task.template_ext and item.endswith(tuple(task.template_ext)):
                        left.append(f"{task.task_id}.{field}: {item}")
    return {
        "dags": sorted(dags),
        "templates_not_found": left,
        "code": CodeBundle().content_hash,
        "code_tag": code_tag(DAGS, PLUGINS),
    }


def triggerer():
    """Imports every trigger, and what follows a deadline, by the path that is in the database."""
    from airflow.sdk._shared.module_loading import import_string
    from airflow.triggers.base import BaseTrigger

    found = []
    for file in sorted((PLUGINS / "pinterest" / "triggers").glob("[!_]*.py")):
        module = importlib.import_module(f"pinterest.triggers.{file.stem}")
        found += [
            f"{module.__name__}.{name}"
            for name, value in vars(module).items()
            if isinstance(value, type) and issubclass(value, BaseTrigger) and value.__module__ == module.__name__
        ]
    dags = [document["dag"] for document in json.loads(SERIALIZED.read_text()).values()]
    deadlines = [deadline for dag in dags for deadline in dag.get("deadline") or ()]
    callbacks = sorted({deadline["callback"]["__data__"]["path"] for deadline in deadlines})
    for path in callbacks:
        import_string(path)
    return {"triggers": sorted(found), "callbacks": callbacks}


def scheduler():
    """Reads the DAGs from the database."""
    return {"dags": deserialized()}


def web_server():
    """Reads the DAGs from the database, and serves its pages with the plugins."""
    from datetime import UTC, datetime

    from airflow import plugins_manager
    from airflow.api_fastapi.app import init_plugins
    from fastapi import FastAPI

    init_plugins(FastAPI())
    plugins_manager.get_plugin_info()
    from include.report.overview import render_overview
    from pinterest.pipeline_page import app  # imported on the first request

    page = render_overview([], None, now=datetime.now(UTC))
    return {"dags": deserialized(), "addresses": [route.path for route in app.routes], "page": page}


def parse(file, **options):
    from airflow.dag_processing.dagbag import BundleDagBag

    return BundleDagBag(dag_folder=str(file), bundle_path=DAGS, bundle_name="dags-folder", **options)


def deserialized():
    from airflow.serialization.serialized_objects import DagSerialization

    return sorted(DagSerialization.from_dict(dag).dag_id for dag in json.loads(SERIALIZED.read_text()).values())


def loaded_plugins():
    """Names of the plugins in the folder, and the errors of all."""
    from airflow import plugins_manager

    plugins, errors = plugins_manager._get_plugins()
    return [plugin.name for plugin in plugins if str(plugin.source).startswith("$PLUGINS_FOLDER")], errors


def misnamed():
    """Modules of the package that were imported by another name than their path's: Airflow executed the file itself."""
    found = []
    for name, module in sorted(sys.modules.items()):
        for root in (DAGS, PLUGINS):
            file = Path(getattr(module, "__file__", None) or "/")
            if file.is_relative_to(root) and not name.startswith("unusual_prefix_"):  # a DAG file
                path = file.relative_to(root).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
                if path != name:
                    found.append(f"{path} as {name}")
    return found


def run(component):
    before = list(sys.path)
    plugins, errors = loaded_plugins()
    found = component()
    return {
        **found,
        "plugins": plugins,
        "plugin_errors": errors,
        "dags_on_path": str(DAGS) in before,
        "stages_found": importlib.util.find_spec("pinterest_stages") is not None,
        "misnamed": misnamed(),
        "files": sorted({str(file) for module in sys.modules.values() if (file := getattr(module, "__file__", None))}),
    }


def main():
    """Each component in a process of its own; Airflow, which all begin with, is imported once for all."""
    import airflow  # noqa: F401

    components = (dag_processor, worker, triggerer, scheduler, web_server)
    with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as processes:
        return {one.__name__: found for one, found in zip(components, processes.map(run, components, 1), strict=True)}


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        result = main()
    print(json.dumps(result))
