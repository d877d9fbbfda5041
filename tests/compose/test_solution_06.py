"""Lab 06 on containers: the exercises strand and lose messages, the solutions do not."""

from test_lab06_collapse import (  # noqa: F401  pytest finds it here, with this folder's stack
    test_the_exercise_strands_and_the_solution_does_not,
)
from test_lab06_delivery import (  # noqa: F401  likewise
    test_the_third_counter_fails_as_it_comes_and_stands_everything_once_it_is_mended,
)
