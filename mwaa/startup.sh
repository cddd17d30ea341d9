#!/bin/bash
# MWAA sources this file on every component, keeps the environment that it leaves, and stops the component if it fails
# or exits. So all of it happens in a subshell, which changes nothing and always succeeds. It says in the start-up log
# what MWAA otherwise keeps to itself: whether plugins.zip has landed where Airflow imports from.
(
    set +eu
    plugins="${AIRFLOW_HOME:-/usr/local/airflow}/plugins"
    missing=
    for name in .airflowignore pinterest_plugin.py pinterest include spark; do
        [ -e "$plugins/$name" ] || missing="$missing $name"
    done
    echo "pinterest-pipeline: ${MWAA_AIRFLOW_COMPONENT:-a component}, $(python3 --version 2>&1)"
    if [ -n "$missing" ]; then
        echo "pinterest-pipeline: $plugins lacks$missing. Upload plugins.zip of 'make package', and update the environment."
    fi
) 2>&1 || true
