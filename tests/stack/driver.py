"""A checkout of its own, driven as people drive it: by `./lab`, and by what they do to processes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from labkit import paths
from labkit.stack import lanes
from labkit.stack.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from labkit.stack import Part, Stack

PATIENCE = 180.0
"""Seconds for a start on a busy machine; it takes 10 to 20 on a quiet one."""

NETWORK = re.compile(r"(HTTPS?|ALL|NO)_PROXY|(REQUESTS|CURL)_CA_BUNDLE|SSL_CERT_(FILE|DIR)", re.IGNORECASE)
"""Variables that say how this machine reaches the network: a person's shell has them, so a checkout has them too."""

SHARED = (Path("/tmp"), Path("/dev/shm"))
"""Where programs put files whatever TMPDIR says."""


def until(condition: Callable[[], Any], what: str, seconds: float = 60, pause: float = 0.1) -> Any:
    """Wait until a condition holds; returns its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(pause)
    return value


@dataclass
class Checkout:
    """A copy of the project, with a home and a folder for temporary files that nobody else writes to.

    Attributes:
        base: The folder around it all.
        root: The copy.
        tmp: Its TMPDIR.
        user: Whose it is, where that is not ours.
        wrapper: A command to run `./lab` with.
    """

    base: Path
    root: Path
    tmp: Path
    home: Path
    user: int | None = None
    wrapper: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    born: float = field(default_factory=lambda: time.time() - 1)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    pids: set[int] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    ports: set[int] = field(default_factory=set)
    before: dict[Path, set[str]] = field(default_factory=dict)

    @classmethod
    def make(cls, source: Path, files: Iterable[Path]) -> Checkout:
        """Copy the project to a path as people have them; it shares the environment of the one under test."""
        # Not below pytest's own folder: sockets need short paths, and other users could not enter it.
        base = Path(tempfile.mkdtemp(prefix="labt-", dir="/tmp")).resolve()
        base.chmod(0o755)
        root = base / "課程 course"
        for file in files:
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / file, root / file, follow_symlinks=False)
        # The same environment, but a record of its own of the lock: nothing is ever installed from here.
        (root / ".venv").mkdir()
        for part in (source / ".venv").iterdir():
            if part.name != "lab.lock":
                (root / ".venv" / part.name).symlink_to(part)
        shutil.copy2(root / "requirements.lock", root / ".venv" / "lab.lock")
        (base / "bin").mkdir()
        (base / "bin" / "uv").write_text("#!/bin/sh\necho 'the tests install nothing' >&2\nexit 1\n", encoding="ascii")
        (base / "bin" / "uv").chmod(0o755)
        made = cls(base, root, base / "t", base / "home")
        made.tmp.mkdir()
        made.home.mkdir()
        made.before = {folder: _names(folder) for folder in SHARED}
        made.environment = {
            **{name: value for name, value in os.environ.items() if NETWORK.fullmatch(name)},
            "PATH": f"{base / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(made.home),
            "TMPDIR": str(made.tmp),
            "LAB_CACHE": str(paths.cache()),
            "LAB_LANG": "en",
            "LANG": "C.UTF-8",
            "COLUMNS": "200",
            "STACK_TEST": made.mark,
        }
        return made

    # Driving it ---------------------------------------------------------------------------------------------------

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [*self.wrapper, "./lab", *arguments]

    def lab(
        self, *arguments: str, code: int | None = 0, timeout: float = PATIENCE, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `./lab …` to its end.

        Args:
            *arguments: What follows `./lab`.
            code: The exit code that is expected; None where any will do.
            timeout: Seconds.
            **environment: Variables that differ from the usual.
        """
        done = subprocess.run(
            self._command(arguments),
            cwd=self.root,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        self.remember()
        if code is not None:
            assert done.returncode == code, (
                f"./lab {' '.join(arguments)} → {done.returncode}\n{done.stdout}{done.stderr}"
            )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def having(self, lab: str = "03") -> Checkout:
        """Start the stack where none runs, and load a lab where it is not loaded; returns this checkout."""
        state = self.state
        if not self.whole or not state or not any(name.startswith(lab) for name in state["labs"]):
            self.lab("start", lab, "--no-site")
        return self

    def begin(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Begin `./lab …` in a process group of its own, as a terminal does; its output is not read."""
        return subprocess.Popen(
            self._command(arguments),
            cwd=self.root,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            # A shell that runs the tests in the background has Ctrl-C ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  no threads here
        )

    def send(self, topic: str, order: int, **environment: str) -> None:
        """Publish an order, or the payment for one, that can be found again by its number."""
        rest: dict[str, object] = {"amount": 60} if topic == "payments" else {"drink": "oolong", "cups": 1}
        self.lab("publish", topic, json.dumps({"order_id": order, **rest}), **environment)

    def handled(self, dag: str, *orders: int) -> bool:
        """Tell whether runs of the Dag succeeded on all these orders."""
        with self.stack.metadata() as metadata:
            payloads = metadata.succeeded_payloads(dag)
        done = {json.loads(text).get("order_id") for text in payloads}
        return set(orders) <= done

    # Looking at it ------------------------------------------------------------------------------------------------

    @property
    def state_file(self) -> Path:
        """The record of the stack."""
        return self.root / ".lab" / "state.json"

    @property
    def state(self) -> dict[str, Any] | None:
        """What the record says, None where there is none."""
        try:
            table: dict[str, Any] = json.loads(self.state_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return table

    @property
    def stack(self) -> Stack:
        """The stack, for looking at it without starting Python each time."""
        state = self.state
        assert state, "no stack runs"
        return lanes.stack(State(**state))

    def part(self, name: str) -> Part:
        """Return what is known of one part."""
        return next(part for part in self.stack.parts() if part.name == name)

    def running_pids(self) -> dict[str, int | None]:
        """Return the process of each part."""
        return {part.name: part.pid for part in self.stack.parts()}

    @property
    def whole(self) -> bool:
        """Whether a stack runs that came to its end."""
        state = self.state
        return bool(state and state["ready"] and lanes.stack(State(**state)).alive)

    def processes(self) -> list[psutil.Process]:
        """Return every living process that comes from this checkout, found without the engine's help."""
        found = []
        me = os.getpid()
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.pid != me and process.status() != psutil.STATUS_ZOMBIE and self._is_ours(process):
                    found.append(process)
        self.pids |= {process.pid for process in found}
        return found

    def _is_ours(self, process: psutil.Process) -> bool:
        if process.create_time() < self.born:
            return False
        # Airflow's workers hide their environment and folder from all but root; their group is a scheduler's of ours.
        if os.getpgid(process.pid) in self.pids:
            return True
        with contextlib.suppress(psutil.AccessDenied):
            if process.environ().get("STACK_TEST") == self.mark:
                return True
        with contextlib.suppress(psutil.AccessDenied):
            if Path(process.cwd()).is_relative_to(self.base):
                return True
        return any(str(self.base) in word for word in process.cmdline())

    def remember(self) -> None:
        """Note what belongs to the stack now, to look for it when it should be gone."""
        with contextlib.suppress(ValueError):
            state = self.state
            if state:
                self.ids.add(state["id"])
                self.ports |= set(state["ports"].values())
        self.processes()

    def leftovers(self) -> list[str]:
        """Return whatever is left of stacks that were stopped: processes, ports, files, shared memory."""
        left = [f"process {process.pid}: {' '.join(_words(process))[:150]}" for process in self.processes()]
        left += [f"port {port}" for port in self.ports if _listener(port) in self.pids]
        left += [f"in TMPDIR: {file.relative_to(self.tmp)}" for file in sorted(self.tmp.iterdir())]
        state = self.root / ".lab"
        left += [f"record: {file.name}" for file in state.glob("state*")]
        left += [f"draft: {file.name}" for file in state.glob("templates/*.*")]
        for folder in SHARED:
            new = {name for name in _names(folder) - self.before[folder] if self._suspicious(name)}
            # A program that lives and is not of this checkout may have made it, perhaps another stage of the tests.
            left += [f"in {folder}: {name}" for name in new if not _held(folder / name)]
        left += [f"JVM data of process {pid}" for pid in self.pids for _ in Path("/tmp").glob(f"hsperfdata_*/{pid}")]
        left += [f"shared memory {segment}" for segment in _shared_memory(self.pids)]
        return left

    def _suspicious(self, name: str) -> bool:
        """Tell whether a new file in a folder that all share could be ours."""
        if any(identity in name for identity in self.ids):
            return True
        return bool(re.match(r"\.s\.PGSQL|PostgreSQL\.|pymp-|sem\.|psm_|kafka|lab-kafka|jansi|snappy|librdkafka", name))

    # Ending it ----------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Stop whatever runs and see that nothing stays."""
        self.remember()
        self.lab("stop")
        self.check_gone()

    def check_gone(self) -> None:
        """See that nothing is left of any stack; what is left is removed, so that the next test begins clean."""
        left = self.leftovers()
        self._clear()
        assert not left, "left behind:\n" + "\n".join(left)

    def _clear(self) -> None:
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        for segment in _shared_memory(self.pids):
            subprocess.run(["ipcrm", "-m", str(segment)], check=False)
        for file in self.tmp.iterdir():
            shutil.rmtree(file, ignore_errors=True)
        self.before = {folder: _names(folder) for folder in SHARED}
        self.pids.clear()
        self.ids.clear()
        self.ports.clear()

    def remove(self) -> None:
        """Remove the checkout and, if it comes to that, whatever a failed test left running."""
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            self.lab("stop", code=None, timeout=60)
        self._clear()
        shutil.rmtree(self.base, ignore_errors=True)


def end_group(process: subprocess.Popen[str], number: signal.Signals, timeout: float = 60) -> int:
    """Send a signal to a process and all that share its terminal, as Ctrl-C does; returns the exit code."""
    os.killpg(process.pid, number)
    return process.wait(timeout=timeout)


def _names(folder: Path) -> set[str]:
    return set(os.listdir(folder)) if folder.exists() else set()  # noqa: PTH208  names are what is compared


def _held(file: Path) -> bool:
    """Tell whether a living process maps a file or listens on it; those of the checkout are reported as such."""
    wanted = str(file)
    if any(connection.laddr == wanted for connection in psutil.net_connections("unix")):
        return True
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if wanted in Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8", errors="replace"):
                return True
    return False


def _words(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return ["?"]


def _listener(port: int) -> int | None:
    """Return the process that listens on a port of the loopback address."""
    for connection in psutil.net_connections("tcp4"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
            return connection.pid or -1
    return None


def _shared_memory(makers: set[int]) -> list[int]:
    """Return the System V segments that these processes made; PostgreSQL makes one."""
    table = Path("/proc/sysvipc/shm")
    if not table.exists():
        return []
    rows = [line.split() for line in table.read_text(encoding="ascii").splitlines()[1:]]
    return [int(row[1]) for row in rows if int(row[4]) in makers]
