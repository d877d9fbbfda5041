"""`hint`: which step it is for, without doing anything to find out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import pytest

from labkit import config, session, verify
from labkit.config import Lab, Step

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.conftest import Outcome

    from labkit.airflow.metadata import Metadata

CHECKS = """
from labkit.verify import NotYet

def look(metadata, lab):
    pass

def send(metadata, lab):
    with (lab.folder / "sent").open("a") as file:
        file.write("x")
    if not (lab.folder / "mended").exists():
        raise NotYet(en="Not mended.", zh_tw="還沒修好。")

def last(metadata, lab):
    raise NotYet(en="Not the last.", zh_tw="還沒到最後。")
"""


class _Stack:
    """Stands in for a running stack; it has no database to ask."""

    class state:  # noqa: N801  as the stack's own
        labs = ("08-tea",)

    def metadata(self) -> Metadata:
        return _Metadata()  # type: ignore[return-value]

    def trigger_log(self) -> list[str]:
        return []


class _Metadata:
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def import_failures(self) -> list[object]:
        return []


@pytest.fixture
def tea(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A lab whose second check sends something."""
    folder = tmp_path / "08-tea"
    folder.mkdir()
    (folder / "verify.py").write_text(CHECKS, encoding="utf-8")
    steps = tuple(
        Step(name, {"en": f"Step {name}", "zh-TW": name}, {"en": ["?"], "zh-TW": ["?"]}, acts=name == "send")
        for name in ("look", "send", "last")
    )
    lab = Lab(folder, 8, {"en": "Tea", "zh-TW": "茶"}, 5, ("teas",), (), steps)
    for module in (session, verify, config):
        monkeypatch.setattr(module, "lab", lambda _: lab, raising=False)
    monkeypatch.setattr(session, "current", _Stack)
    monkeypatch.setattr(session, "having", lambda _: _Stack())
    return lab


def test_a_hint_does_nothing_to_the_stack_and_goes_by_what_verify_last_found(
    tea: Lab, lab: Callable[..., Outcome]
) -> None:
    sent = tea.folder / "sent"
    assert "Step send" in lab("hint", "08").out
    assert not sent.exists()
    assert "Not mended." in lab("verify", "08").out
    assert "Step send" in lab("hint", "08").out
    (tea.folder / "mended").touch()
    assert "Not the last." in lab("verify", "08").out
    assert "Step last" in lab("hint", "08").out
    assert sent.read_text(encoding="utf-8") == "xx"


def test_the_checks_of_the_project_that_send_or_break_something_are_marked() -> None:
    for one in config.labs():
        source = (one.folder / "verify.py").read_text(encoding="utf-8")
        parts = {part.partition("(")[0]: part for part in source.split("\ndef ")}
        for step in one.steps:
            text = parts[step.id.replace("-", "_")]
            assert step.acts == any(word in text for word in ("_burst(", "_survives(", "_give(")), (
                f"{one.name} {step.id}"
            )
