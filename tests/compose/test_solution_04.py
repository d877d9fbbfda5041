"""Lab 04 on containers: the exercise fails its checks, the solution passes."""

from test_lab04 import (  # noqa: F401  pytest finds them here, with this folder's stack
    awake,
    test_a_note_is_told_once_and_the_solution_passes_both_checks,
    test_at_first_everything_of_lab_04_is_paused_and_says_what_is_missing,
)
