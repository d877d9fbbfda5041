"""Health check: exits with 0 where this container's job, such as `TriggererJob`, has a fresh heartbeat now.

`airflow jobs check` asks the same (`airflow/cli/commands/jobs_command.py`), but imports all of Airflow for it:
seconds of a core each time, on a machine that has two.
"""

from __future__ import annotations

import os
import socket
import sys

import psycopg2

FRESH = 30
"""Seconds; when Airflow itself takes a job for dead (`scheduler_health_check_threshold` and its siblings)."""

with psycopg2.connect(
    os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", ""), connect_timeout=5
) as connection:
    cursor = connection.cursor()
    cursor.execute(
        "SELECT 1 FROM job WHERE job_type = %s AND hostname LIKE %s AND state = 'running'"
        " AND latest_heartbeat > now() - make_interval(secs => %s)",
        [sys.argv[1], f"{socket.gethostname()}%", FRESH],
    )
    sys.exit(cursor.fetchone() is None)
