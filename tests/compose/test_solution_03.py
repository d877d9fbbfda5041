"""Lab 03 on containers: the exercise fails for exactly its own steps, the solution passes."""

from test_use import (  # noqa: F401  pytest finds them here, with this folder's stack
    exercise,
    test_the_solution_passes_and_reset_brings_the_exercise_back,
    test_verify_fails_for_exactly_the_steps_of_the_unsolved_exercise,
)
