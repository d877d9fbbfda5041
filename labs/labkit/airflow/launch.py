"""Runs one Airflow command, `python -m labkit.airflow.launch scheduler …`: Airflow's own code, a calmer collector.

Importing Airflow makes millions of objects that live for ever, and Python's garbage collector walks them again and
again while it happens: a fifth of the start-up time of each process on the machine this was measured on
(`tests/bench`). A higher threshold is all the difference there is to calling `airflow` itself.
"""

from __future__ import annotations

import gc

gc.set_threshold(200_000, 20, 20)

from airflow.__main__ import main  # noqa: E402  after the threshold, which is the point

if __name__ == "__main__":
    main()  # type: ignore[no-untyped-call]  # Airflow ships it untyped
