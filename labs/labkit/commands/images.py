"""`lab images`: what the compose lane is made of, and what of it is here; nothing is pulled by looking."""

from __future__ import annotations

import click
from rich.table import Table

from labkit import compose_lane
from labkit.cli import Command
from labkit.i18n import t
from labkit.stack.compose import engine, images
from labkit.ui import console, size, step


@click.command("images", cls=Command)
@click.option("--offline", is_flag=True)
def command(*, offline: bool) -> None:
    """Show the images."""
    found = engine.check()
    if offline:
        count = compose_lane.make_stand_ins()
        with step(t("docker.building")):
            images.build_lab_image()
        console.print(t("docker.made", count=count) if count else t("docker.nothing_to_make"))
    console.print(t("docker.engine", version=found.version, compose=found.compose, architecture=found.architecture))
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for key in ("docker.image", "docker.here", "docker.architecture", "docker.size", "docker.purpose"):
        table.add_column(t(key), justify="right" if key == "docker.size" else "left", no_wrap=key != "docker.purpose")
    for image in images.listed():
        _row(table, image.short, images.here(image), compose_lane.purpose(image), found.architecture)
    own = images.lab_image()
    _row(table, own.partition(":")[0], images.find(own), t("docker.own"), found.architecture)
    console.print(table)


def _row(table: Table, name: str, here: images.Here | None, purpose: str, architecture: str) -> None:
    if here is None:
        table.add_row(name, f"[dim]{t('docker.not_here')}[/]", "", "", purpose)
        return
    kind = f"[yellow]{t('docker.stand_in')}[/]" if here.stand_in else f"[green]{t('docker.real')}[/]"
    fits = here.architecture if here.architecture == architecture else f"[red]{here.architecture}[/]"
    table.add_row(name, kind, fits, size(here.size), purpose)
