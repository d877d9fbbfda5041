"""supervisord's configuration: what we write is what supervisord reads, whatever paths hold."""

from __future__ import annotations

import os
import shlex
import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from supervisor.options import ServerOptions

from labkit.errors import LabError
from labkit.stack import supervisor
from labkit.stack.local import LocalStack
from labkit.stack.supervisor import Program

if TYPE_CHECKING:
    from pathlib import Path

NASTY = [
    "plain",
    "with space",
    "課程",
    "100% done",
    "%(here)s",
    "it's",
    'say "hi"',
    "back\\slash",
    "a;b",
    "$HOME",
    "{x}",
]
COMMENTS = ["draft ;old", "course #2"]
"""What supervisord's parser takes for the beginning of a comment."""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A stack's folder."""
    folder = tmp_path / "run"
    (folder / "log").mkdir(parents=True)
    return folder


def read_back(folder: Path, programs: list[Program]) -> tuple[Any, dict[str, Any]]:
    """Return supervisord's own options and its programs, as supervisord reads our file."""
    file = supervisor.write_configuration(folder, programs)
    options = ServerOptions()
    options.realize(["-c", str(file)], doc="")
    return options, {group.name: group.process_configs[0] for group in options.process_group_configs}


@pytest.mark.parametrize("name", [*NASTY, *COMMENTS])
def test_supervisord_reads_a_checkout_s_path_as_it_was_meant(name: str, run: Path, tmp_path: Path) -> None:
    place = tmp_path / name
    command = [str(place / "python"), "-m", "http.server", "--directory", str(place / "build"), ""]
    _, programs = read_back(run, [Program("site", command, run)])
    assert shlex.split(programs["site"].command) == command


@pytest.mark.parametrize("name", ["100% done", "%(here)s", "it's", 'say "hi"', "back\\slash", *COMMENTS])
def test_a_temporary_folder_that_supervisord_would_misread_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / name))
    with pytest.raises(LabError, match="TMPDIR"):
        LocalStack.create([])


@pytest.mark.parametrize("name", ["plain", "with space", "課程", "$HOME", "{x}"])
def test_supervisord_reads_the_path_of_a_temporary_folder_as_it_was_meant(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name / "run"
    (folder / "log").mkdir(parents=True)
    options, programs = read_back(folder, [Program("kafka", ["/bin/true"], folder)])
    kafka = programs["kafka"]
    assert kafka.directory == str(folder)
    assert kafka.stdout_logfile == str(folder / "log" / "kafka.log")
    assert options.logfile == str(folder / "log" / "supervisord.log")
    assert options.pidfile == str(folder / "supervisord.pid")
    assert options.server_configs[0]["file"] == str(supervisor.socket_path(folder))


@pytest.mark.parametrize("argument", ["", "two words", "%d{ISO8601} %%", "\"q\" 'r'", "事件", "tab\tbed", '{"a": 1}'])
def test_supervisord_reads_an_argument_as_it_was_meant(argument: str, run: Path) -> None:
    _, programs = read_back(run, [Program("kafka", ["/bin/echo", argument, "end"], run)])
    assert shlex.split(programs["kafka"].command) == ["/bin/echo", argument, "end"]


def test_nothing_starts_by_itself_and_what_dies_comes_back_for_ever(run: Path) -> None:
    _, programs = read_back(run, [Program("one", ["/bin/true"], run), Program("two", ["/bin/true"], run, keep=False)])
    assert not programs["one"].autostart
    assert programs["one"].autorestart is not False
    assert programs["one"].startretries >= 1000
    assert programs["two"].autorestart is False


def test_a_program_has_the_time_to_end_that_it_needs(run: Path) -> None:
    _, programs = read_back(run, [Program("one", ["/bin/true"], run), Program("two", ["/bin/true"], run, grace=15)])
    assert (programs["one"].stopwaitsecs, programs["two"].stopwaitsecs) == (8, 15)


def test_only_the_owner_reads_the_configuration_and_reaches_the_socket(run: Path) -> None:
    options, _ = read_back(run, [])
    assert (run / "supervisord.conf").stat().st_mode & 0o077 == 0
    assert options.server_configs[0]["chmod"] & 0o077 == 0


def test_no_environment_of_the_stack_is_written_to_the_disk(run: Path) -> None:
    os.environ["LAB_TEST_SECRET"] = "hunter2-secret"  # noqa: S105  not one
    try:
        supervisor.write_configuration(run, [Program("one", ["/bin/true"], run)])
    finally:
        del os.environ["LAB_TEST_SECRET"]
    assert "hunter2" not in (run / "supervisord.conf").read_text(encoding="utf-8")


# supervisor's transport leaves a socket that refused to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_folder_without_a_supervisord_is_not_alive(run: Path) -> None:
    assert not supervisor.alive(run)
    supervisor.socket_path(run).write_text("", encoding="utf-8")  # left by one that was killed
    assert not supervisor.alive(run)
