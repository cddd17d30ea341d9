"""Deployment to Amazon MWAA: the environment, the package that is uploaded, and whether it runs.

``airflow_constraints.txt`` and ``mwaa_essential_constraints.txt`` are those of the image of Airflow 3.3.1.
The checkout's ``requirements.txt``, and ``startup.sh`` here, are uploaded as they are.
"""
