"""Lab 01 on containers: the exercise fails its check, the solution passes."""

from test_lab01 import (  # noqa: F401  pytest finds them here, with this folder's stack
    exercise,
    test_the_exercise_fails_on_a_push_and_the_solution_understands_both_doors,
)
