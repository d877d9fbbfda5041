"""Stand-ins for the images, where no registry can be reached: made of Debian's packages, PyPI and Maven Central.

They carry the real images' names, so that the same compose file runs, and a label that tells them apart. One that is
there and made of what it would be made of now is kept; an image without the label is the real one, and is left alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from labkit import paths
from labkit.brokers import jars
from labkit.errors import LabError
from labkit.stack import logs
from labkit.stack.compose import images

if TYPE_CHECKING:
    from collections.abc import Callable

    from labkit.stack.compose.images import Image

FOLDER = images.FOLDER / "offline"
SUITE = "trixie"
"""Debian 13: its Python is the official image's, 3.13."""
BASE = "lab-offline/base"


def check() -> None:
    """Raise where stand-ins cannot be made.

    Raises:
        LabError: This is no Debian, its `debootstrap` is missing, or the user is not root.
    """
    if os.geteuid() != 0 or not shutil.which("debootstrap") or not shutil.which("apt-get"):
        raise LabError("docker.no_debian")


def stale() -> list[Image]:
    """Return the rows of the list whose stand-in is to be made: nothing is there, or one made of something else."""
    base = _base_content()
    found = []
    for image in images.listed():
        real = images.here(image)
        if real is None or (real.stand_in and real.stand_in != _content(image, base)):
            found.append(image)
    return found


def make(image: Image, progress: Callable[[str, int, int], None]) -> None:
    """Make the stand-in of one row.

    Args:
        image: The row.
        progress: Told of downloads: the file at work, bytes done, bytes of all.

    Raises:
        LabError: It could not be built; the end of the builder's words is in the details.
    """
    base = _base_content()
    with tempfile.TemporaryDirectory(prefix="context-", dir=_scratch()) as name:
        context = Path(name) / image.stand_in
        shutil.copytree(FOLDER / image.stand_in, context)
        if image.part == "kafka":
            jars.fetch(progress)
            (context / "libs").mkdir()
            for jar in jars.locked():
                shutil.copyfile(jar.path, context / "libs" / jar.path.name)
        log = paths.STATE / "images" / f"{image.stand_in}.log"
        images.build(image.short, context, log, labels={images.STAND_IN: _content(image, base)})


def has_base() -> bool:
    """Tell whether the Debian is there that all stand-ins begin with."""
    found = images.find(BASE)
    return found is not None and found.stand_in == _base_content()


def make_base() -> None:
    """Make the Debian that all stand-ins begin with.

    Raises:
        LabError: It could not be made.
    """
    log = _scratch() / "base.log"
    label = f"--change=LABEL {images.STAND_IN}={_base_content()}"
    with log.open("w", encoding="utf-8") as words:
        maker = [str(FOLDER / "base" / "make.sh"), SUITE]
        tree = subprocess.Popen(maker, stdout=subprocess.PIPE, stderr=words)
        taker = ["docker", "import", label, '--change=CMD ["bash"]', "-"]
        taken = subprocess.run(taker, stdin=tree.stdout, stdout=subprocess.PIPE, stderr=words, text=True, check=False)
    if tree.wait() or taken.returncode:
        raise LabError("docker.no_build", image=BASE, details=logs.tail(log))
    # Named when it is whole: what broke off half-way must not be taken for it.
    subprocess.run(["docker", "tag", taken.stdout.strip(), BASE], check=True)


def _scratch() -> Path:
    place = paths.STATE / "images"
    place.mkdir(parents=True, exist_ok=True)
    return place


def _base_content() -> str:
    return images.content(FOLDER / "base", SUITE)


def _content(image: Image, base: str) -> str:
    libraries = [jar.sha256 for jar in jars.locked()] if image.part == "kafka" else []
    return images.content(FOLDER / image.stand_in, base, *libraries)
