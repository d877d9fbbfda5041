"""`python -m labkit` is what the `lab` script runs."""

from labkit.cli import main

if __name__ == "__main__":
    main()
