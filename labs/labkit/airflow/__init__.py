"""The one place that touches Airflow: its settings, its processes, its REST interface, its metadata tables."""
