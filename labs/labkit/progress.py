"""What a learner has seen and done, in `.lab/progress.json`; it outlives the stack."""

from __future__ import annotations

import json
from typing import Any

from labkit import paths


def _file() -> Any:
    return paths.STATE / "progress.json"


def _load() -> dict[str, Any]:
    try:
        table = json.loads(_file().read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # hints and ticks are not worth an error
        return {}
    return table if isinstance(table, dict) else {}


def _save(table: dict[str, Any]) -> None:
    paths.STATE.mkdir(exist_ok=True)
    draft = _file().with_suffix(".new")
    draft.write_text(json.dumps(table, indent=2), encoding="utf-8")
    draft.replace(_file())


def next_hint(lab: str, step: str, count: int) -> int:
    """Return which hint is due, from 0, and remember it; after the last it stays the last."""
    table = _load()
    given = table.setdefault("hints", {}).setdefault(lab, {})
    due = min(int(given.get(step, -1)) + 1, count - 1)
    given[step] = due
    _save(table)
    return due


def note(lab: str, step: str, *, passed: bool) -> None:
    """Remember what `verify` found of a step."""
    table = _load()
    table.setdefault("passed", {}).setdefault(lab, {})[step] = passed
    _save(table)


def passed(lab: str, step: str) -> bool:
    """Tell whether a step was done when `verify` last looked."""
    return bool(_load().get("passed", {}).get(lab, {}).get(step, False))


def forget(lab: str) -> None:
    """Begin a lab anew."""
    table = _load()
    for kind in ("hints", "passed"):
        table.get(kind, {}).pop(lab, None)
    _save(table)
