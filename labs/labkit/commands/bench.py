"""`lab bench`: measures start, latency and idle cost, ours and Airflow's; what brokers sustain, what events cost."""

from __future__ import annotations

import os
import sys

import click

from labkit import paths
from labkit.cli import Command
from labkit.errors import usage_error
from labkit.i18n import language

NAMES = ("start", "latency", "idle", "clone", "brokers", "scale")
CONTENDERS = (
    "kafka-single", "kafka-batch", "kafka-shared", "sqs-single", "sqs-batches",
    "redis", "file", "directory", "outbox", "duel",
)  # fmt: skip
"""What `brokers` measures; `tests/bench/brokers/contenders.py` says what each is."""


@click.command("bench", cls=Command)
@click.argument("which", nargs=-1, type=click.Choice(NAMES))
@click.option("--quick", is_flag=True)
@click.option("--only", multiple=True, type=click.Choice(CONTENDERS), metavar="NAME")
@click.option("--record", is_flag=True)
def command(which: tuple[str, ...], only: tuple[str, ...], *, quick: bool, record: bool) -> None:
    """Run the benchmarks."""
    if ((quick or record) and not {"brokers", "scale"} & set(which)) or (only and "brokers" not in which):
        raise usage_error("bench.only_brokers")
    if quick and record and "scale" in which:
        raise usage_error("bench.record_whole")
    if only and record:
        raise usage_error("bench.record_all")
    words = ["--quick"] * quick + ["--record"] * record + [word for name in only for word in ("--only", name)]
    # The charts are drawn as the site draws them.
    places = [str(paths.LABS), str(paths.ROOT / "book" / "_ext")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places), "LAB_LANG": language()}
    os.chdir(paths.ROOT)
    # In our place, so that Ctrl-C reaches who has a stack to end, and nobody kills it meanwhile.
    os.execve(sys.executable, [sys.executable, "-m", "tests.bench", *which, *words], environment)  # noqa: S606
