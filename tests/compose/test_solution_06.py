"""Lab 06 on containers: the exercise strands messages, the solution does not."""

from test_lab06_collapse import (  # noqa: F401  pytest finds it here, with this folder's stack
    test_the_exercise_strands_and_the_solution_does_not,
)
