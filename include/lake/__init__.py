"""The lake on Databricks as seen from Airflow: its code, its jobs, and what it counted."""
