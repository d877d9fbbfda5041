"""Moto's server: answers for S3 and SQS on this machine as AWS would, so that no lab needs an account.

It keeps everything in memory. A restart forgets it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from labkit.airflow import health
from labkit.stack.supervisor import Program

if TYPE_CHECKING:
    from labkit.stack.state import State

NAME = "aws"


def program(state: State) -> Program:
    """Return its process; it starts when a lab asks for it."""
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(state.ports[NAME])]
    return Program(name=NAME, command=command, folder=state.folder)


def check() -> None:
    """Do nothing: it is a package like the others, so it can always be had."""


def healthy(state: State) -> bool:
    """Tell whether it answers now."""
    return health.answers(f"{state.aws_url}/moto-api/")
