"""`lab plan`: what a load will take of Airflow, foreseen from measured constants."""

from __future__ import annotations

import json as encoder
import math
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape
from rich.table import Table

from labkit import paths, plan
from labkit.cli import Command
from labkit.errors import LabError, usage_error
from labkit.i18n import t
from labkit.ui import console

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labkit.plan import Asked, Foreseen

LIMITS = {
    "turn": "plan.limit_turn",
    "persist": "plan.limit_persist",
    "scheduler": "plan.limit_scheduler",
    "active": "plan.limit_active",
    "slots": "plan.limit_slots",
    "api": "plan.limit_api",
    "cpu": "plan.limit_cpu",
    "capacity": "plan.limit_capacity",
}
"""What the engine calls the limits, and what people read."""
WIDTH = 20
"""Characters of a bar that is full."""


def _options() -> list[click.Parameter]:
    """Return an option for each thing that can be asked for; in the code their names begin with `plan_`."""
    usual = plan.Asked()
    found: list[click.Parameter] = []
    for name in (field.name for field in fields(plan.Asked)):
        flag, default = f"--{name.replace('_', '-')}", getattr(usual, name)
        if name == "pattern":
            kind: click.ParamType[Any] = click.Choice(plan.PATTERNS)
        else:
            low, high = plan.LIMITS[name]
            kind = click.IntRange(int(low), int(high)) if name in plan.WHOLE else click.FloatRange(low, high)
        metavar = None if name == "pattern" else "N"
        found.append(click.Option([flag, f"plan_{name}"], type=kind, default=default, metavar=metavar))
    return [*found, click.Option(["--json"], is_flag=True, default=False)]


def _foresee(*, json: bool, **given: Any) -> None:
    """Foresee what a load takes."""
    asked = plan.Asked(**{name.removeprefix("plan_"): value for name, value in given.items()})
    if asked.pattern == "stream" and asked.batch > 1:
        raise usage_error("plan.stream_has_no_batch")
    try:
        record = plan.read()
    except (OSError, ValueError, KeyError) as error:
        file = plan.FILE.relative_to(paths.ROOT)
        raise LabError("plan.no_numbers", file=file, details=str(error)) from error
    told = plan.foresee(asked, plan.Constants.of(record))
    if json:
        click.echo(encoder.dumps(_plain(asdict(told)), indent=2))
        return
    _show(asked, told)
    times = record["times"]
    console.print(
        f"[dim]{t('plan.note', machine=_machine(times), airflow=times['versions']['airflow'], date=times['date'])}[/]"
    )


command = Command("plan", params=_options(), callback=_foresee)


def _plain(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table without infinite numbers, which JSON does not know."""
    return {name: None if isinstance(value, float) and math.isinf(value) else value for name, value in table.items()}


def _machine(times: Mapping[str, Any]) -> str:
    machine = times["machine"]
    return f"{machine['system']}, {machine['cores']} CPU"


def _show(asked: Asked, told: Foreseen) -> None:
    """Print it."""
    flow = {name: number(getattr(told, name)) for name in ("events", "runs", "tasks")}
    console.print(t("plan.flow", rate=number(asked.rate), **flow))
    console.print(
        t("plan.delay", event=_seconds(told.to_event), run=_seconds(told.to_run), task=_seconds(told.to_task))
    )
    console.print(
        t(
            "plan.database",
            statements=number(told.statements),
            idle=number(told.idle_statements),
            writes=number(told.writes),
        )
    )
    console.print(t("plan.growth", rows=number(told.rows * plan.DAY), size=number(told.bytes * plan.DAY / 1e9)))
    console.print(t("plan.cores", cores=number(told.cores)))
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(t("plan.limit"), no_wrap=True)
    table.add_column(t("plan.taken"), justify="right", no_wrap=True)
    table.add_column("")
    for name, load in told.loads.items():
        filled = min(WIDTH, round(load * WIDTH))
        colour = "red" if load > 1 else "yellow" if name == told.limit else "green"
        bar = f"[{colour}]{'█' * filled}[/]{'░' * (WIDTH - filled)}"
        table.add_row(escape(t(LIMITS[name])), f"{load:,.0%}", bar)
    console.print(table)
    console.print(escape(t("plan.first", limit=t(LIMITS[told.limit]), sustained=number(told.sustained))))
    if not told.keeps_up:
        console.print(f"[yellow]![/] {t('plan.too_much')}")


def number(value: float) -> str:
    """Return a number as people read it: two digits, or the whole of a large one."""
    if value == 0 or math.isinf(value):
        return "0" if value == 0 else "∞"
    digits = max(0, 1 - math.floor(math.log10(abs(value))))
    return f"{round(value, 1 - math.floor(math.log10(abs(value)))):,.{digits}f}"


def _seconds(value: float) -> str:
    return t("plan.never") if math.isinf(value) else t("plan.seconds", value=number(value))
