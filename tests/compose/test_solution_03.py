"""Lab 03 on containers: the exercise fails for exactly its own steps, the solution passes; a mistake is told."""

from test_use import (  # noqa: F401  pytest finds them here, with this folder's stack
    exercise,
    test_a_dag_that_cannot_be_imported_is_shown_with_file_line_and_reason,
    test_the_solution_passes_and_reset_brings_the_exercise_back,
    test_verify_fails_for_exactly_the_steps_of_the_unsolved_exercise,
)
