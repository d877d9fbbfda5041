"""Lab 02 on containers: the exercise fails its checks, the solution passes; a race counts what each way costs."""

from test_lab02 import (  # noqa: F401  pytest finds them here, with this folder's stack
    exercise,
    rush,
    test_a_race_leaves_nothing_behind,
    test_the_exercise_fails_its_checks_and_the_solution_passes,
)
