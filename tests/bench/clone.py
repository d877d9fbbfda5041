"""From a clean clone to the first run."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from labkit import paths
from tests.bench.figures import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator


def clone() -> Iterator[Figure]:
    """Time a clean clone from nothing but a warm package cache to its first run."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(paths.ROOT), str(place)], check=True)
        began = time.monotonic()
        process = subprocess.Popen(
            ["./lab", "--lang", "en", "start", "--no-site"], cwd=place, stdout=subprocess.PIPE, text=True
        )
        took = 0.0
        assert process.stdout is not None
        for line in process.stdout:
            if "the run is over" in line:
                took = time.monotonic() - began
        code = process.wait()
        subprocess.run(["./lab", "stop"], cwd=place, check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(place)
        if code or not took:
            sys.exit("the clone did not start")
    yield Figure("clean clone to first run", took, "s", 90)
