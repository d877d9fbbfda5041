"""The tea shop's own triggers: importable in all of Airflow's processes, for this folder is on their PYTHONPATH."""
