"""Airflow imported once, its processes forked from there: the stack is up in half the time and a third less memory.

Each of Airflow's processes spends 2 s of CPU on the same imports before it does anything of its own. The nursery
imports what they share and forks a process for each request; what runs in it is Airflow's own command, called as
`airflow` calls it. Python's `multiprocessing` has the same idea (its fork server), but only for the processes of
one program, and ours are each kept by supervisord.

Three roles meet here:

* `serve(socket)` is the nursery, a program of supervisord's.
* `python -m labkit.airflow.nursery SOCKET PID_FILE COMMAND …` is a *keeper*: supervisord's program for one Airflow
  process. It hands its standard output over, passes signals on, and ends with its process. It imports nothing
  that is not needed for that.
* The forked process: a group of its own. Its keeper's end, however violent, ends the group; so does its own end,
  which leaves no orphans of it behind (a killed scheduler leaves its LocalExecutor workers otherwise).

Only used on Linux: macOS does not allow a fork after some of the imports.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

FIRST = "api-server"
"""The command that is served first: the execution API has the longest way to go until the first task can ask it."""

PRELOAD = (
    "airflow.__main__",
    "airflow.cli.cli_parser",
    "airflow.cli.commands.api_server_command",
    "airflow.api_fastapi.app",
)
"""What all processes import, and the first command waits for."""

PRELOAD_REST = (
    "airflow.jobs.scheduler_job_runner",
    "airflow.jobs.triggerer_job_runner",
    "airflow.dag_processing.manager",
    "airflow.cli.commands.scheduler_command",
    "airflow.cli.commands.triggerer_command",
    "airflow.cli.commands.dag_processor_command",
    # What most of the labs' Dag files import: else it is read anew for each parse and each task.
    "airflow.providers.common.messaging.triggers.msg_queue",
    "airflow.providers.apache.kafka.triggers.await_message",
)
"""What the other commands wait for; meanwhile the first one is at work on another core."""

_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2)


def serve(address: str) -> None:
    """Be the nursery: fork an Airflow process for each keeper that connects, until told to end.

    Args:
        address: The path of the socket; it appears when the imports are done.
    """
    import importlib  # noqa: PLC0415  not for keepers

    # The same calmer collector as in `labkit.airflow.launch`.
    gc.set_threshold(200_000, 20, 20)
    gc.disable()  # what is imported stays: looking for garbage among it would take a fifth of the time
    for name in PRELOAD:
        importlib.import_module(name)
    if "airflow.cli.cli_parser" in sys.modules:
        _prepare_airflow()
    _settle()

    draft = f"{address}.{os.getpid()}"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(draft)
    listener.listen(16)
    bell_in, bell_out = socket.socketpair()
    for end in (bell_in, bell_out):
        end.setblocking(False)  # noqa: FBT003  the standard library's signature
    signal.set_wakeup_fd(bell_out.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # rings the bell
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    os.replace(draft, address)  # noqa: PTH105  whoever sees it can connect

    keepers: dict[int, socket.socket] = {}
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(bell_in, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                connection, _ = listener.accept()
                try:
                    pid = _fork(connection, (listener, bell_in, bell_out, *keepers.values()), selector)
                except (OSError, ValueError):  # a keeper that was killed while it asked
                    connection.close()
                    continue
                keepers[pid] = connection
                selector.register(connection, selectors.EVENT_READ)
                with suppress(OSError):  # it is gone; that is noticed next
                    connection.sendall(f"{pid}\n".encode())
            elif key.fileobj is bell_in:
                with suppress(BlockingIOError):
                    bell_in.recv(4096)
                _report_the_dead(keepers, selector)
            else:  # a keeper ended; it never says anything
                pid = next(pid for pid, connection in keepers.items() if connection is key.fileobj)
                _end_group(pid)
                selector.unregister(keepers[pid])


def _prepare_airflow() -> None:
    """Do once what each process would do at its start: Airflow's command line, SQLAlchemy's mappers, an execution API.

    The dag-processor and the triggerer have one within themselves; what Pydantic and FastAPI work out for the first
    is there for the next. None of it needs the database, or starts a thread.
    """
    from airflow.api_fastapi.execution_api.app import InProcessExecutionAPI  # noqa: PLC0415
    from airflow.cli.cli_parser import get_parser  # noqa: PLC0415
    from airflow.models import import_all_models  # noqa: PLC0415
    from sqlalchemy.orm import configure_mappers  # noqa: PLC0415

    get_parser()  # Airflow caches it
    import_all_models()  # type: ignore[no-untyped-call]  # Airflow ships it untyped
    configure_mappers()
    _ = InProcessExecutionAPI().app


def _prepare_the_rest() -> None:
    """Import, once, what the first command need not wait for."""
    import importlib  # noqa: PLC0415  not for keepers

    missing = [name for name in PRELOAD_REST if name not in sys.modules]
    if missing:
        gc.disable()
        for name in missing:
            importlib.import_module(name)
        _settle()


def _settle() -> None:
    """Keep what is there out of collections for ever: its pages stay shared with the children."""
    gc.freeze()
    gc.enable()


def _report_the_dead(keepers: dict[int, socket.socket], selector: selectors.BaseSelector) -> None:
    """Tell the keepers of ended processes with which code they ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        connection = keepers.pop(pid, None)
        if connection is None:
            continue
        _end_group(pid)  # what it leaves behind
        with suppress(KeyError):
            selector.unregister(connection)
        with suppress(OSError):
            connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        connection.close()


def _end_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _wanted(connection: socket.socket) -> tuple[list[str], str, str, list[int]]:
    """Return what a keeper asks for: command, folder, name of its database sessions, its standard output and error."""
    request, descriptors, _, _ = socket.recv_fds(connection, 1_000_000, 2)
    try:
        wanted = json.loads(request)
        return wanted["command"], wanted["folder"], wanted.get("name", ""), descriptors
    except (ValueError, KeyError, TypeError):
        for descriptor in descriptors:
            os.close(descriptor)
        raise ValueError from None


def _fork(connection: socket.socket, others: tuple[socket.socket, ...], selector: selectors.BaseSelector) -> int:
    """Fork the process that a keeper asks for; returns its pid, and in the child not at all."""
    command, folder, name, descriptors = _wanted(connection)
    if command[0] != FIRST:
        _prepare_the_rest()
    pid = os.fork()
    if pid:
        with suppress(OSError):  # as the child does: whoever comes first, its group is there before it can be ended
            os.setpgid(pid, pid)
        for descriptor in descriptors:
            os.close(descriptor)
        return pid
    code = 1
    try:
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        selector.close()
        for other in (connection, *others):
            other.close()
        for target, descriptor in enumerate(descriptors, start=1):
            os.dup2(descriptor, target)
            os.close(descriptor)
        os.chdir(folder)
        if name:
            os.environ["PGAPPNAME"] = name
        sys.argv = ["airflow", *command]
        from airflow.__main__ import main  # noqa: PLC0415  imported long since

        main()  # type: ignore[no-untyped-call]  # Airflow ships it untyped
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001  the process ends here, whatever it was
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def keep(address: str, pid_file: str, command: list[str]) -> int:
    """Be a keeper: ask for a process, pass signals on to it, and return its exit code when it ends.

    Args:
        address: The nursery's socket.
        pid_file: Where the process's id is written, for `status` and for whoever wants to kill it.
        command: Airflow's command, without `airflow`.
    """
    nursery = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    nursery.connect(address)
    name = os.environ.get("PGAPPNAME", "")  # what PostgreSQL calls its sessions
    request = json.dumps({"command": command, "folder": os.getcwd(), "name": name})  # noqa: PTH109  no pathlib at start-up
    socket.send_fds(nursery, [request.encode()], [1, 2])
    answers = nursery.makefile()
    pid = int(answers.readline())
    Path(pid_file).write_text(f"{pid}\n", encoding="ascii")

    def forward(number: int, _: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)

    for number in _FORWARDED:
        signal.signal(number, forward)
    told = answers.readline()
    if not told:  # the nursery died, and its children are nobody's now
        _end_group(pid)
        return 1
    return int(told) if int(told) >= 0 else 128 - int(told)


def process(pid_file: Path) -> int | None:
    """Return the id of the process behind a keeper, None where there is none yet."""
    with suppress(FileNotFoundError, ValueError):
        return int(pid_file.read_text(encoding="ascii"))
    return None


if __name__ == "__main__":
    if len(sys.argv) == 2:
        serve(sys.argv[1])
    else:
        sys.exit(keep(sys.argv[1], sys.argv[2], sys.argv[3:]))
