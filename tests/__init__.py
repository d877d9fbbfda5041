"""The project's tests; `./lab test` runs them."""
