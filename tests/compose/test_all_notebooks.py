"""The labs' notebooks, unchanged, on containers."""

from test_notebooks import test_a_notebook_runs_from_top_to_bottom  # noqa: F401  with this folder's stack
