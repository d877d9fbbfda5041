"""The passports are what the wheels and the runs say now, and the judgements rest on the code that people read."""

from __future__ import annotations

import functools
import platform
import re
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

import passport_data
from labkit import paths
from labkit.errors import LabError
from tests.passports import __main__ as maker
from tests.passports import wheels
from tests.passports.cases import CASES

if TYPE_CHECKING:
    from pathlib import Path

    from passport_data import Passport

PASSPORTS = passport_data.load()
each_scheme = pytest.mark.parametrize("passport", PASSPORTS, ids=lambda passport: passport.name)


@functools.cache
def looked_at(name: str) -> dict[str, Any]:
    return maker.look(name, maker.python_for(name))


@each_scheme
def test_passport_is_what_wheel_and_run_say_now(passport: Passport) -> None:
    """Byte for byte; `./lab passports` writes them anew."""
    if passport.name == "ibmmq" and (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("IBM has no wheel of its Python classes for this machine")
    file = paths.BOOK / "passports" / f"{passport.page}.json"
    assert maker.written(looked_at(passport.name)) == file.read_text(encoding="utf-8")


@each_scheme
def test_judgement_rests_on_the_code_that_was_read(passport: Passport) -> None:
    told = f"{passport.name}: the lines on its passport are not those that were judged. Read them, mend the words in "
    told += f'book/passports.toml, and write there: looked = "{passport.wheel["evidence"]}"'
    assert passport.looked == passport.wheel["evidence"], told


@each_scheme
def test_judgement_is_what_was_seen(passport: Passport) -> None:
    """The moment of acknowledging, in the order of the lines and in the run."""
    assert passport.run["handover"] == passport_data.ACKS[passport.ack]
    order = [line["what"] for line in passport.wheel["lines"] if line["what"] in {"ack", "yield"}]
    assert order == {"never": ["yield"], "after": ["yield", "ack"]}.get(passport.ack, ["ack", "yield"])
    places = [(line["file"], line["line"]) for line in passport.wheel["lines"] if line["what"] in {"ack", "yield"}]
    if len({file for file, _ in places}) == 1:
        assert places == sorted(places), "in one file, what comes first stands first"


@each_scheme
def test_a_switch_leaves_the_message_with_the_broker(passport: Passport) -> None:
    if switched := passport.run.get("switched"):
        assert switched["handover"] == "waiting"
        ((name, value),) = switched["set"].items()
        (parameter,) = (one for one in passport.wheel["parameters"] if one["name"] == name)
        assert parameter.get("default") != repr(value)


def test_only_where_nothing_is_kept_a_handful_is_lost() -> None:
    lossy = {one.name for one in PASSPORTS if one.run["burst"]["messages"] < one.run["burst"]["published"]}
    assert lossy == {one.name for one in PASSPORTS if one.ack == "never"} == {"redis+pubsub"}


def test_every_scheme_there_is_has_a_passport_and_a_case() -> None:
    """Of the providers in the learner's environment; the other environment's are asked by the passports' own runs."""
    names = {one.name for one in PASSPORTS}
    assert names == CASES.keys()
    assert maker.schemes_here() <= names


def test_one_airflow_for_all() -> None:
    assert len({(one.wheel["airflow"], one.wheel["messaging"]) for one in PASSPORTS}) == 1


@each_scheme
def test_since_is_a_release_and_its_pull_requests(passport: Passport) -> None:
    versions = [passport.since[name] for name in ("queue", "before", "version") if name in passport.since]
    assert versions == sorted(versions, key=lambda text: [int(part) for part in text.split(".")])
    assert all(re.fullmatch(r"#\d{5}", pull) for pull in passport.since["pull"])


# The reader of wheels, on code of its own.


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A trigger's module below a folder called `airflow`."""
    file = tmp_path / "airflow" / "specimen.py"
    file.parent.mkdir()
    file.write_text(
        textwrap.dedent('''
            class Trigger:
                """
                Wait for it.

                :param queue: The ``queue``, see
                    :class:`~some.where.Queue`.
                :param pause: In seconds.
                """

                def __init__(self, queue: str, pause: float = 60, *, more: "list[str] | None" = None):
                    pass

                async def run(self):
                    """Run."""
                    # A word.
                    await self.acknowledge(1)
                    yield 1
        '''),
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(file.parent))
    monkeypatch.delitem(sys.modules, "specimen", raising=False)
    wheels._function.cache_clear()
    return file


PLACES = [
    {"what": "ack", "function": "specimen:Trigger.run", "code": "await self.acknowledge("},
    {"what": "yield", "function": "specimen:Trigger.run", "code": "yield 1"},
]


def test_lines_are_found(module: Path) -> None:
    lines = [wheels._line(**place) for place in PLACES]
    assert [line["code"] for line in lines] == ["await self.acknowledge(1)", "yield 1"]
    assert lines[0]["file"] == "airflow/specimen.py"
    assert [line["line"] for line in lines] == [17, 18]


def test_code_that_is_gone_is_told(module: Path) -> None:
    with pytest.raises(wheels.PassportError, match="nothing that begins with `commit"):
        wheels._line("ack", "specimen:Trigger.run", "commit(")
    with pytest.raises(wheels.PassportError, match=r"specimen has no Trigger\.walk"):
        wheels._line("ack", "specimen:Trigger.walk", "commit(")


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("# A word.", "# Another word.", True),
        ('"""Run."""', '"""Run for ever."""', True),
        ("yield 1", "yield 2", False),
        ("await self.acknowledge(1)\n", "yield 0\n", False),
    ],
)
def test_fingerprint_is_of_the_code(module: Path, old: str, new: str, same: bool) -> None:  # noqa: FBT001
    before = wheels.fingerprint(PLACES)
    text = module.read_text(encoding="utf-8")
    assert old in text
    module.write_text(text.replace(old, new), encoding="utf-8")
    wheels._function.cache_clear()
    assert (wheels.fingerprint(PLACES) == before) is same


def test_parameters_are_told_with_the_wheels_words(module: Path) -> None:
    import specimen  # type: ignore[import-not-found]

    assert wheels.parameters(specimen.Trigger) == [
        {"name": "queue", "type": "str", "required": True, "doc": "The `queue`, see `Queue`."},
        {"name": "pause", "type": "float", "required": False, "default": "60", "doc": "In seconds."},
        {"name": "more", "type": "list[str] | None", "required": False, "default": "None", "doc": ""},
    ]


def test_a_look_that_fails_tells_the_last_word_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LabError) as refusal:
        maker.look("nobody", maker.python_for("kafka"))
    assert refusal.value.key == "passports.failed"
    assert "nobody" in str(refusal.value)
    monkeypatch.setattr(maker, "PATIENCE", 0.5)
    with pytest.raises(LabError, match="nobody"):
        maker.look("nobody", maker.python_for("kafka"))
