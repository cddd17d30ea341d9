"""The lake of the Pinterest pipeline: bronze (as sent), silver (cleaned), gold (analyses), quarantine (refused).

Pure transforms (``records``, ``cleaning``, ``analyses``) take and return DataFrames; ``bronze``, ``silver`` and
``gold`` read and write tables; notebooks only name the steps. ``contract.json`` holds what Airflow's side relies on.
What the data looks like: docs/data.md.
"""
