"""The images of the compose lane: the one list `docker/images.toml`, what is here of it, and the labs' own Airflow."""

from __future__ import annotations

import hashlib
import subprocess
import tomllib
from collections.abc import Mapping  # noqa: TC003  dataclass fields are read at run time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import docker.errors

from labkit import paths
from labkit.errors import LabError
from labkit.stack import logs
from labkit.stack.compose import engine

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FOLDER = paths.ROOT / "docker"
LIST = FOLDER / "images.toml"
AIRFLOW = "airflow"
STAND_IN = "lab.stand-in"
"""The label of an image that stands in for the real one; its value is the hash of what it was made of."""
_REPOSITORY = "event-driven-airflow/airflow"


@dataclass(frozen=True)
class Image:
    """One row of the list.

    Attributes:
        part: Whom it is for.
        name: As registries know it.
        tag: Its version.
        digest: What pins it to its very bytes; empty where nobody asked a registry yet.
        stand_in: The folder in `docker/offline/` that it can be made of without a registry.
        purpose: What it is for, by language.
    """

    part: str
    name: str
    tag: str
    digest: str
    stand_in: str
    purpose: Mapping[str, str]

    @property
    def short(self) -> str:
        """Name and tag."""
        return f"{self.name}:{self.tag}"


@dataclass(frozen=True)
class Here:
    """An image that the engine has.

    Attributes:
        reference: What names it.
        size: Bytes, unpacked.
        architecture: Such as `amd64`.
        stand_in: The hash of a stand-in; empty for the real one.
    """

    reference: str
    size: int
    architecture: str
    stand_in: str


def listed() -> list[Image]:
    """Return the list."""
    return [Image(**row) for row in tomllib.loads(LIST.read_text(encoding="utf-8"))["image"]]


def find(reference: str) -> Here | None:
    """Return an image by its name, None where the engine has none."""
    with engine.told():
        try:
            image = engine.connect().images.get(reference)
        except docker.errors.ImageNotFound:
            return None
    return Here(reference, image.attrs["Size"], image.attrs["Architecture"], image.labels.get(STAND_IN, ""))


def here(image: Image) -> Here | None:
    """Return what the engine has of a row: the pinned bytes, a stand-in, or, where nothing is pinned, the tag."""
    pinned = find(f"{image.name}@{image.digest}") if image.digest else None
    if pinned:
        return pinned
    found = find(image.short)
    return found if found and (found.stand_in or not image.digest) else None


def reference(image: Image) -> str:
    """Return what compose is to start."""
    found = here(image)
    return found.reference if found else image.short


def missing() -> list[Image]:
    """Return those rows that the engine has nothing of."""
    return [image for image in listed() if here(image) is None]


def pull(image: Image) -> None:
    """Fetch an image from its registry.

    Raises:
        LabError: It cannot be reached, has no such image, or none for this machine's processor.
    """
    target = f"{image.name}@{image.digest}" if image.digest else image.short
    outcome = subprocess.run(["docker", "pull", "--quiet", target], capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise LabError("docker.no_image", image=target, details=outcome.stderr.strip())


def content(folder: Path, *more: str) -> str:
    """Return a hash of all that an image is made of: names and bytes of a folder's files, and what else counts."""
    key = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        key.update(f"{file.relative_to(folder)}\0{file.stat().st_mode & 0o111}\0".encode())
        key.update(hashlib.sha256(file.read_bytes()).digest())
    for word in more:
        key.update(f"{word}\0".encode())
    return key.hexdigest()[:16]


def build(tag: str, folder: Path, log: Path, *, labels: Mapping[str, str], arguments: Iterable[str] = ()) -> None:
    """Build an image.

    Args:
        tag: What it will be called.
        folder: With its Dockerfile and all that it takes.
        log: Where the builder's own words go.
        labels: What it is to carry.
        arguments: More for the command line.

    Raises:
        LabError: It could not be built; the end of the builder's words is in the details.
    """
    command = ["docker", "build", "--tag", tag, *arguments]
    for name, value in labels.items():
        command += ["--label", f"{name}={value}"]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as words:
        outcome = subprocess.run([*command, str(folder)], stdout=words, stderr=subprocess.STDOUT, check=False)
    if outcome.returncode:
        raise LabError("docker.no_build", image=tag, details=logs.tail(log))


def lab_image() -> str:
    """Return the name of the labs' own Airflow, which changes with all that it is made of."""
    base = next(image for image in listed() if image.part == AIRFLOW)
    found = here(base)
    return f"{_REPOSITORY}:{base.tag}-{content(FOLDER / AIRFLOW, base.digest, found.stand_in if found else '')}"


def build_lab_image() -> str:
    """Have the labs' own Airflow, built where it is missing; returns its name."""
    name = lab_image()
    if find(name) is None:
        base = next(image for image in listed() if image.part == AIRFLOW)
        log = paths.STATE / "images" / "lab.log"
        base_argument = ["--build-arg", f"BASE={reference(base)}"]
        # Of a stand-in it inherits the label.
        build(name, FOLDER / AIRFLOW, log, labels={"lab.image": AIRFLOW}, arguments=base_argument)
    return name
