"""Which lane a recorded stack is on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.stack.local import LocalStack

if TYPE_CHECKING:
    from labkit.stack import Stack
    from labkit.stack.state import State


def stack(state: State) -> Stack:
    """Return the stack that a record is about."""
    if state.lane == "compose":
        from labkit.stack.compose.stack import ComposeStack  # noqa: PLC0415  the SDK, which the local lane does not need

        return ComposeStack(state)
    return LocalStack(state)
