"""Looks at a scheme in this environment and writes what it found: `python -m tests.passports.look OUT SCHEME`."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import sys
import time
import tomllib
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.bench import StateStore, examine, isolate

isolate()

from tests.passports import wheels  # noqa: E402
from tests.passports.cases import CASES, text  # noqa: E402

if TYPE_CHECKING:
    from tests.passports.cases import Case

JUDGEMENTS = Path(__file__).parents[2] / "book" / "passports.toml"

BURST = 5
"""Messages that lie in the broker when the trigger begins; where nothing can lie, sent at once when it listens."""

QUIET = 3.0
"""Real seconds without an event after which no more are awaited. Kafka lets a new consumer in well within it."""

PATIENCE = 60.0
"""Real seconds until an event that has to come is given up."""

VOLATILE = {
    "MessageId": "…",
    "ReceiptHandle": "…",
    "SequenceNumber": "…",
    "ShardId": None,
    "ApproximateArrivalTimestamp": "…",
}
"""What differs from run to run in payloads, and what the passport shows instead; None: it does not differ."""


def look(scheme: str, judgement: dict[str, Any]) -> dict[str, Any]:
    """Return everything mechanical about a scheme: from its wheel, and from its runs."""
    told = wheels.read(scheme, judgement["queue"], judgement["line"])
    trigger = wheels.providers()[scheme].trigger_class()
    run: dict[str, Any] = {}
    with CASES[scheme]() as make:
        run["on"] = make().on
        run["handover"], payload = asyncio.run(at_handover(trigger, make()))
        run["payload"] = steady(payload)
        run["burst"] = asyncio.run(burst(trigger, make()))
        if switch := judgement.get("switch"):
            run["switched"] = {"set": switch, "handover": asyncio.run(at_handover(trigger, make(**switch)))[0]}
        # Last: gRPC, cut off by the bench with its loop, does not answer whoever comes after it in this process.
        run["bench"] = on_record(told) or examined(trigger, make())
    return {**told, "run": run}


def on_record(told: dict[str, Any]) -> dict[str, Any] | None:
    """Return the bench's verdict on a trigger where it has one on record, which tests of its own repeat."""
    from labkit import bench

    record = tomllib.loads(Path(bench.__file__).with_name("verdicts.toml").read_text(encoding="utf-8"))
    for one in record["trigger"]:
        if one["name"] == told["trigger"].rpartition(".")[2] and told["package"].endswith(f"-{one['package']}"):
            return {name: one[name] for name in ("on", "kind", "failed", "open")}
    return None


def examined(trigger: Any, case: Case) -> dict[str, Any]:
    """Return the bench's verdict on a trigger, here and now."""
    verdict = examine(
        lambda: trigger(**case.kwargs), cause=lambda number: case.publish(text(number)), **{"events": 2, **case.options}
    )
    return {
        "on": case.on,
        "kind": verdict.kind,
        "failed": [one.check for one in verdict.findings if one.passed is False],
        "open": [one.check for one in verdict.findings if one.passed is None],
    }


def steady(payload: Any) -> Any:
    """Return a payload without what differs from run to run."""
    if isinstance(payload, dict):
        return {
            name: VOLATILE[name] if VOLATILE.get(name) and value else steady(value) for name, value in payload.items()
        }
    if isinstance(payload, str):
        return re.sub(r"^orders-[0-9a-f]{8}$", "orders", payload)  # each run has channels and topics of its own
    return [steady(one) for one in payload] if isinstance(payload, list) else payload


class _Run:
    """`run()` of fresh triggers, one after the other, asked for one event at a time."""

    def __init__(self, trigger: Any, case: Case) -> None:
        self.trigger = trigger
        self.case = case
        self.store = StateStore()
        self.one: Any = None
        self.stream: Any = None
        self.asked: asyncio.Task[Any] | None = None

    def ask(self) -> asyncio.Task[Any]:
        """Have the trigger at work on its next event; begin anew where it has ended."""
        if self.asked is None:
            if self.stream is None:
                self.one = self.trigger(**self.case.kwargs)
                self.one.asset_state_store = self.store
                self.stream = self.one.run()
            self.asked = asyncio.ensure_future(anext(self.stream))
        return self.asked

    async def event(self, seconds: float) -> Any:
        """Return the next payload, None if none comes in time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            done, _ = await asyncio.wait([self.ask()], timeout=left)
            if not done:
                return None
            task, self.asked = self.asked, None
            assert task is not None
            try:
                return task.result().payload
            except StopAsyncIteration:
                await self.end()
        return None

    async def end(self) -> None:
        """Stop the trigger as the triggerer does."""
        if self.asked is not None:
            self.asked.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await self.asked
            self.asked = None
        if self.stream is not None:
            await self.stream.aclose()
            await self.one.cleanup()
        self.stream = self.one = None


async def _begin(trigger: Any, case: Case, count: int) -> _Run:
    """Publish, and start the trigger; the other way round where messages do not wait for their reader."""
    import greenback

    await greenback.ensure_portal()
    run = _Run(trigger, case)
    if case.ready is not None:
        run.ask()
        deadline = time.monotonic() + PATIENCE
        while not case.ready():
            assert time.monotonic() < deadline, "the trigger did not begin to listen"
            await asyncio.sleep(0.02)
    for number in range(count):
        await asyncio.to_thread(case.publish, text(number))
    return run


async def at_handover(trigger: Any, case: Case) -> tuple[str, Any]:
    """Tell how things stand at the moment when an event has been handed over and nothing has happened since.

    Returns:
        The state and the payload. States: `acknowledged`, the broker would not deliver the message again; `waiting`,
        it would; `keeps-nothing`, the broker had forgotten it before anyone could acknowledge; `place-not-saved` and
        `place-saved`, the reader keeps its place itself, and has not or has written it down.
    """
    run = await _begin(trigger, case, 1)
    payload = await run.event(PATIENCE)
    assert payload is not None, "no event"
    if case.ready is not None:
        state = "keeps-nothing"
    elif case.left is None:
        state = "place-saved" if run.store.values else "place-not-saved"
    else:
        state = "waiting" if await asyncio.to_thread(case.left) else "acknowledged"
    await run.end()
    return state, payload


async def burst(trigger: Any, case: Case) -> dict[str, int]:
    """Count the events and messages that become of a handful sent at once."""
    run = await _begin(trigger, case, BURST)
    events = messages = 0
    while messages < BURST and (payload := await run.event(PATIENCE if not events else QUIET)) is not None:
        events += 1
        messages += case.count(payload)
    await run.end()
    return {"published": BURST, "events": events, "messages": messages}


def main(out: str, scheme: str) -> None:
    """Write the findings as JSON."""
    warnings.simplefilter("ignore")  # those of providers and clients: not ours to mend
    logging.disable(logging.CRITICAL)
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "client"  # hooks look for connections as in the triggerer's child
    judgements = tomllib.loads(JUDGEMENTS.read_text(encoding="utf-8"))["scheme"]
    (judgement,) = (one for one in judgements if one["name"] == scheme)
    Path(out).write_text(json.dumps(look(scheme, judgement)), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)  # threads of the clients' own may wait for ever
