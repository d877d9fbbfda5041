"""Benchmarks: ours and plain Airflow side by side, in one run, on one machine. `./lab bench` runs them."""
