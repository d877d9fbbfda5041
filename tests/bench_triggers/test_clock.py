"""The clock jumps over what nobody works at, and over nothing else."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import pytest
from asgiref.sync import sync_to_async

from labkit.bench.clock import JumpingLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def loop() -> Iterator[JumpingLoop]:
    """A loop whose clock jumps."""
    loop = JumpingLoop()
    loop.run_until_complete(_prepare(loop))
    yield loop
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.watch.end()
    loop.close()


async def _prepare(loop: JumpingLoop) -> None:
    loop.use_anyio()


class _Took:
    """Seconds on both clocks."""

    def __init__(self, loop: JumpingLoop) -> None:
        self.loop = loop
        self.began = (loop.time(), time.monotonic())

    @property
    def clock(self) -> float:
        return self.loop.time() - self.began[0]

    @property
    def real(self) -> float:
        return time.monotonic() - self.began[1]


def test_a_sleep_takes_no_time(loop: JumpingLoop) -> None:
    took = _Took(loop)
    loop.run_until_complete(asyncio.sleep(3600))
    assert 3600 <= took.clock < 3601
    assert took.real < 1


def test_sleeps_end_in_their_order(loop: JumpingLoop) -> None:
    ended: list[int] = []

    async def sleep(seconds: int) -> None:
        await asyncio.sleep(seconds)
        ended.append(seconds)

    async def main() -> None:
        await asyncio.gather(*(sleep(seconds) for seconds in (300, 10, 60)))

    loop.run_until_complete(main())
    assert ended == [10, 60, 300]


def test_time_limits_hold(loop: JumpingLoop) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await asyncio.sleep(61)

    loop.run_until_complete(main())


@pytest.mark.parametrize("hand_over", [asyncio.to_thread, anyio.to_thread.run_sync, lambda f, *a: sync_to_async(f)(*a)])
def test_a_job_in_a_thread_is_not_overtaken(hand_over: Callable[..., Any], loop: JumpingLoop) -> None:
    async def main() -> str:
        async with asyncio.timeout(5):
            await hand_over(time.sleep, 0.4)
        return "in time"

    took = _Took(loop)
    assert loop.run_until_complete(main()) == "in time"
    assert 0.4 <= took.clock < 3


def test_an_answer_that_takes_its_time_is_not_overtaken(loop: JumpingLoop) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        await asyncio.to_thread(time.sleep, 0.3)
        writer.write(b"late\n")
        writer.close()

    ready = threading.Event()
    address: list[Any] = []

    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        address.append(server.sockets[0].getsockname())
        ready.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(3):
                await server.serve_forever()

    async def ask() -> bytes:
        ticking = asyncio.create_task(tick())
        async with asyncio.timeout(60):
            reader, writer = await asyncio.open_connection(*address[0])
            writer.write(b"well?\n")
            said = await reader.readline()
        writer.close()
        ticking.cancel()
        return said

    async def tick() -> None:  # what tempts the clock to jump
        for _ in range(3):
            await asyncio.sleep(15)

    # Another thread, another loop: the server is the outside world.
    server = threading.Thread(target=asyncio.run, args=(serve(),), name="ThreadPoolExecutor stand-in")
    server.start()
    assert ready.wait(5)
    assert loop.run_until_complete(ask()) == b"late\n"
    server.join()


def test_a_child_process_is_waited_for(loop: JumpingLoop) -> None:
    async def main() -> bytes:
        code = "import time; time.sleep(0.3); print('done')"
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=subprocess.PIPE)
        async with asyncio.timeout(30):
            out, _ = await child.communicate()
        return out

    took = _Took(loop)
    with asyncio.ThreadedChildWatcher() as watcher:
        asyncio.set_child_watcher(watcher)
        watcher.attach_loop(None)
        assert loop.run_until_complete(main()) == b"done\n"
    assert took.real >= 0.3


def test_a_thread_of_nobodys_is_waited_for(loop: JumpingLoop) -> None:
    async def main() -> str:
        answer: asyncio.Future[str] = loop.create_future()

        def work() -> None:
            time.sleep(0.2)
            loop.call_soon_threadsafe(answer.set_result, "done")

        threading.Thread(target=work, name="listener").start()
        async with asyncio.timeout(60):
            return await answer

    assert loop.run_until_complete(main()) == "done"


def test_real_seconds_are_real(loop: JumpingLoop) -> None:
    async def main() -> None:
        over = asyncio.Event()
        loop.call_real(0.2, over.set)
        sleeping = asyncio.create_task(asyncio.sleep(1000))
        await over.wait()
        sleeping.cancel()

    took = _Took(loop)
    loop.run_until_complete(main())
    assert took.real >= 0.2


def test_what_holds_the_loop_is_seen(loop: JumpingLoop, threshold: float) -> None:
    async def main() -> None:
        await asyncio.sleep(10)
        time.sleep(threshold * 1.5)  # noqa: ASYNC251  the point

    loop.run_until_complete(main())
    assert loop.watch.longest >= threshold
    assert "time.sleep(threshold * 1.5)" in loop.watch.place


def test_waiting_does_not_hold_the_loop(loop: JumpingLoop) -> None:
    loop.run_until_complete(asyncio.to_thread(time.sleep, 0.4))
    assert loop.watch.longest == 0
