"""`lab start`: makes everything ready, sends an event through, shows it on its way, tells where to go."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import click

from labkit import config, doctor, paths, session, site
from labkit import scale as scaling
from labkit.cli import Command
from labkit.errors import usage_error
from labkit.i18n import language, listed, t
from labkit.stack import lanes
from labkit.stack import state as states
from labkit.trace import as_text
from labkit.ui import console, journey_live, step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labkit.config import Lab
    from labkit.stack import Stack


@click.command("start", cls=Command)
@click.argument("lab", required=False)
@click.option("--no-site", is_flag=True)
@click.option("--mock", is_flag=True)
@click.option("--docker", is_flag=True)
@click.option("--scale", metavar="PART=N")
def command(lab: str | None, *, no_site: bool, mock: bool, docker: bool, scale: str | None) -> None:
    """Start the stack."""
    if docker and mock:
        raise usage_error("start.docker_or_mock")
    labs = [config.lab(lab) if lab else config.main(config.labs())]
    with session.interruptible(), session.lock():
        state = states.load()
        running = lanes.stack(state) if state and state.ready else None
        running = running if running and running.alive else None
        obstacle = _obstacle(running, labs, docker=docker) if running else ""
        lane = running.state.lane if running and not obstacle else "compose" if docker else "local"
        # Before anything happens: who asks for what there is not had better not lose what runs.
        wanted = scaling.parse(scale, lane)
        if running and not obstacle:
            for part in running.always_on():
                running.start_part(part)  # those that run are left alone
            session.wait_for_interface(running)
            session.load(running, labs)
            console.print(t("start.already"))
            _scale(running, wanted)
            _where_to_go(running, labs, with_site=not no_site and site.is_built())
            return
        if obstacle:
            console.print(t(obstacle))
        if state and (count := session.sweep()):
            console.print(t("start.swept", count=count))
        doctor.stop_if_hopeless()
        try:
            stack = _start(labs, wanted, mock=mock, docker=docker)
            _scale(stack, wanted)
        except BaseException:
            # Ctrl-C, a closed terminal, a full disk: whatever it was, nothing stays.
            with step(t("start.cleaning")):
                session.sweep()
            raise
        if not no_site:
            site.build_for_start(config.main(labs).page)
        _where_to_go(stack, labs, with_site=not no_site and site.is_built())


def _obstacle(running: Stack, labs: Sequence[Lab], *, docker: bool) -> str:
    """Return the message that says why a running stack is not what is asked for; empty where it is."""
    if docker and running.state.lane != "compose":
        return "start.other_lane"
    return "" if set(running.state.known) >= {one.name for one in labs} else "start.other_lab"


def _scale(stack: Stack, wanted: Mapping[str, int]) -> None:
    """Have as many of each part as was asked for; what was not asked for stays as it is."""
    if wanted:
        with step(t("scale.step", wanted=listed(f"{part}={number}" for part, number in wanted.items()))):
            stack.scale(wanted)


def _start(labs: Sequence[Lab], wanted: Mapping[str, int], *, mock: bool, docker: bool) -> Stack:
    known = config.labs()
    lay_out(known)
    stack = _bring_up_containers(labs, known, wanted) if docker else session.bring_up(labs, known=known, mock=mock)
    message = session.first_event(stack, config.main(labs))
    if message:
        with journey_live(f"{message.topic} ← {message.value}") as seen:
            session.watch(stack, message, seen)
    with step(t("start.interface")):
        session.wait_for_interface(stack)
        stack.start_part("site")
    stack.state.ready = True
    states.save(stack.state)
    return stack


def _bring_up_containers(labs: Sequence[Lab], known: Sequence[Lab], wanted: Mapping[str, int]) -> Stack:
    from labkit import compose_lane  # noqa: PLC0415  the SDK, which the local lane does not need

    return compose_lane.bring_up(labs, known, wanted)


def lay_out(labs: Sequence[Lab], *, solution: bool = False, anew: bool = False) -> None:
    """Put the labs' exercises where learners edit them.

    Args:
        labs: Whose.
        solution: Put the solutions there.
        anew: Replace what is there.
    """
    for lab in labs:
        lab.work.mkdir(parents=True, exist_ok=True)
        source = lab.folder / ("solution" if solution else "exercise")
        for file in sorted(source.glob("*.py")):
            if anew or not (lab.work / file.name).exists():
                shutil.copyfile(file, lab.work / file.name)


def _where_to_go(stack: Stack, labs: Sequence[Lab], *, with_site: bool) -> None:
    """Say what there is to open, and what to type next."""
    state = stack.state
    console.print(f"\n[bold green]{t('start.ready')}[/]")
    rows = [(t("start.ui"), state.ui_url, t("start.ui_note"))]
    if with_site:
        rows.insert(0, (t("start.site"), f"{state.site_url}/{language()}/index.html", ""))
    first = config.main(labs)
    if with_site:
        rows.insert(1, (t("start.lab_page"), f"{state.site_url}/{language()}/labs/{first.page}.html", ""))
    rows.append((t("start.notebook"), "./lab open notebook", t("start.notebook_note")))
    width = max(_width(label) for label, _, _ in rows)
    for label, target, note in rows:
        console.print(f"  {label}{' ' * (width - _width(label))}  [cyan]{target}[/]  [dim]{note}[/]", soft_wrap=True)
    if stack.broker.name == "kafka-mock":
        console.print(f"[yellow]![/] {t('status.mock')}")
    if first.first_event:
        value = as_text(first.first_event.value)
        console.print(f"\n{t('start.next')}\n  ./lab publish {first.first_event.topic} '{value}'", soft_wrap=True)
    work = first.work.relative_to(paths.ROOT)
    console.print(t("start.next_exercise", work=work, lab=first.id), soft_wrap=True)


def _width(text: str) -> int:
    """Return how many columns a text takes; a Chinese character takes two."""
    from rich.cells import cell_len  # noqa: PLC0415

    return cell_len(text)
