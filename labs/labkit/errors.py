"""The one exception that learners see, and the exit codes of the command line."""

from __future__ import annotations

from labkit.i18n import t

FAILED = 1
USAGE = 2


class LabError(Exception):
    """Something went wrong and the user can mend it.

    Args:
        message: The key of a message in the catalogue; it says what is wrong, where, and what to do.
        exit_code: `FAILED` when the thing asked for did not work, `USAGE` when it was asked for wrongly.
        details: Text of others to show below the message as it is, such as the end of a log.
        values: What the message's placeholders stand for.
    """

    def __init__(self, message: str, *, exit_code: int = FAILED, details: str = "", **values: object) -> None:
        self.key = message
        self.exit_code = exit_code
        self.details = details
        super().__init__(t(message, **values))
        if details:
            self.add_note(details)  # so that a notebook shows them, too


def usage_error(message: str, **values: object) -> LabError:
    """Return an error for input that cannot be meant."""
    return LabError(message, **{"exit_code": USAGE, **values})  # type: ignore[arg-type]  # values never name its own
