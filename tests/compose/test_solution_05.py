"""Lab 05 on containers: an order by Kafka, SQS, Redis and a file each; the exercise fails, the solution passes."""

from test_lab05 import (  # noqa: F401  pytest finds them here, with this folder's stack
    solved,
    test_the_exercise_as_it_comes_fails_with_the_payload_that_it_fell_over,
    test_the_solution_takes_orders_from_everywhere_and_real_payloads_look_like_the_samples,
)
