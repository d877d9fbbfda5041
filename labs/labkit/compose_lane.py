"""Bringing the compose lane up: looks first, fetches what is missing, builds the labs' own Airflow, starts it all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit import scale
from labkit.config import in_language
from labkit.i18n import listed, t
from labkit.stack.compose import engine, images, offline
from labkit.stack.compose.stack import ComposeStack
from labkit.ui import console, download, step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labkit.config import Lab
    from labkit.stack import Stack


def bring_up(labs: Sequence[Lab], known: Sequence[Lab], wanted: Mapping[str, int]) -> Stack:
    """Start a stack of containers from nothing, up to where an event can be sent.

    Args:
        labs: Whose Dags it loads.
        known: Whose Dags it can load later.
        wanted: How many of a part, where somebody said so.

    Raises:
        LabError: Something is missing that only the user can mend, or a part did not come up.
    """
    with step(t("docker.checking")):
        found = engine.check(scale.complete(wanted))
    fetch()
    with step(t("docker.building")):
        lab_image = images.build_lab_image()
    if stand_ins := [image.short for image in images.listed() if _is_stand_in(image)]:
        console.print(f"[yellow]![/] {t('docker.stand_ins', images=listed(stand_ins))}")
    stack = ComposeStack.create(labs, known, found, lab_image, wanted)
    with step(t("docker.starting")):
        stack.launch_desk(known)
        stack.up()
    return stack


def fetch() -> None:
    """Fetch the images that are missing; says which before it begins.

    Raises:
        LabError: One could not be had.
    """
    missing = images.missing()
    if missing:
        console.print(t("docker.missing", images=listed(image.short for image in missing)))
    for image in missing:
        with step(t("docker.pulling", image=image.short)):
            images.pull(image)


def make_stand_ins() -> int:
    """Make the stand-ins that are missing or stale; returns how many.

    Raises:
        LabError: This machine cannot, or one could not be built.
    """
    stale = offline.stale()
    if not stale:
        return 0
    offline.check()
    if not offline.has_base():
        with step(t("docker.making", image=offline.BASE)):
            offline.make_base()
    for image in stale:
        with step(t("docker.making", image=image.short)), download(t("start.jars")) as report:
            offline.make(image, report)
    return len(stale)


def purpose(image: images.Image) -> str:
    """Return what an image is for, in the user's language."""
    return str(in_language(image.purpose))


def _is_stand_in(image: images.Image) -> bool:
    found = images.here(image)
    return bool(found and found.stand_in)
