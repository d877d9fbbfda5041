"""Where things are. Everything the engine makes stays in `.lab/`, `build/` and `work/`, or in the user's cache."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import platformdirs

ROOT = Path(__file__).resolve().parents[2]
LABS = ROOT / "labs"
BOOK = ROOT / "book"
LOCK_FILE = ROOT / "requirements.lock"

STATE = ROOT / ".lab"
"""What belongs to this checkout: the state file, the lock, caches that depend on the locked environment."""
WORK = ROOT / "work"
"""Where learners write: one folder a lab, each a Dag bundle."""
BUILD = ROOT / "build"
"""The site and the notebooks, made anew at any time."""


def cache() -> Path:
    """Return the user's cache folder, shared by all checkouts: downloads that carry their own checksum.

    `LAB_CACHE` moves it, for tests and for machines with a small home.
    """
    return Path(os.environ.get("LAB_CACHE") or platformdirs.user_cache_path("event-driven-airflow"))


def headless() -> bool:
    """Tell whether there is no desktop to open a browser on: over SSH, in CI, in a container."""
    if sys.platform == "darwin":
        return bool(os.environ.get("CI") or os.environ.get("SSH_CONNECTION"))
    has_display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.environ.get("WSL_DISTRO_NAME")
    return not has_display or bool(os.environ.get("CI"))
