"""Reading logs as they grow."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import tenacity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read(file: Path) -> Iterator[str]:
    """Yield the lines of a log, without their ends; none where there is no such file yet."""
    if file.exists():
        with file.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                yield line.rstrip("\n")


def _size(file: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return file.stat().st_size
    return 0


def follow(file: Path) -> Iterator[str]:
    """Yield the whole lines that are written from now on; starts over when the log is rotated."""
    position = _size(file)
    begun = b""
    """A line whose end has not been written yet."""
    wait = tenacity.Retrying(wait=tenacity.wait_fixed(0.2), retry=tenacity.retry_if_result(lambda size: size < 0))
    while True:
        before = position

        def changed(before: int = before) -> int:
            size = _size(file)
            return size if size != before else -1

        if wait(changed) < before:
            before, begun = 0, b""
        try:
            with file.open("rb") as log:
                log.seek(before)
                written = log.read()
        except FileNotFoundError:  # rotated in this very moment
            position, begun = 0, b""
            continue
        position = before + len(written)
        *whole, begun = (begun + written).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", errors="replace")


def tail(file: Path, lines: int = 25) -> str:
    """Return the end of a log."""
    if not file.exists():
        return ""
    return "\n".join(file.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
