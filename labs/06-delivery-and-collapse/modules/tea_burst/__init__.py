"""Triggers for bursts of messages: importable in all of Airflow's processes, for this folder is on their PYTHONPATH."""
