"""Checks of the labs' steps: each lab's `verify.py` looks at the real system, this runs it and words the answer."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labkit.airflow import complaints
from labkit.airflow.metadata import reason_and_line
from labkit.config import in_language
from labkit.errors import LabError
from labkit.i18n import t

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from types import ModuleType

    from labkit.airflow.metadata import ImportFailure, Metadata
    from labkit.config import Lab, Step


@dataclass(frozen=True)
class Row:
    """A step and whether it is done; `missing` says what is not, in the user's language."""

    step: Step
    passed: bool
    missing: str = ""


class NotYet(Exception):  # noqa: N818  not an error: a step that is still to be done
    """Raised by a check: what is missing, in both languages.

    Args:
        en: In English.
        zh_tw: In Traditional Chinese.
    """

    def __init__(self, *, en: str, zh_tw: str) -> None:
        self.text = {"en": en, "zh-TW": zh_tw}
        super().__init__(en)


class TooBusy(NotYet):
    """Raised by a check that this machine is too busy for: it says nothing of what the learner did."""

    def __init__(self) -> None:
        super().__init__(
            en="The scheduler was slow just now; your code was not judged. Run this again.",
            zh_tw="排程器剛才太慢，還沒檢查到你的程式。請再執行一次。",
        )


def module(lab: Lab) -> ModuleType:
    """Return a lab's `verify.py`.

    Raises:
        LabError: There is none, or it cannot be loaded.
    """
    file: Path = lab.folder / "verify.py"
    spec = importlib.util.spec_from_file_location(f"lab_{lab.id}_verify", file)
    if spec is None or spec.loader is None or not file.exists():
        raise LabError("lab.no_verify", lab=lab.id, file=file)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def learners(lab: Lab, module: str, name: str) -> Any:
    """Return what a learner's module in the work folder defines, imported anew: what was edited counts.

    Args:
        lab: The lab whose work folder it is in.
        module: The file's name without its ending.
        name: What it has to define.

    Raises:
        NotYet: It is not there, cannot be imported (with the line), or defines no such thing.
    """
    file = f"{module}.py"
    if not (lab.work / file).is_file():
        raise NotYet(
            en=f"There is no `{file}` in `work/{lab.name}`. `./lab reset {lab.id}` brings the exercise back.",
            zh_tw=f"`work/{lab.name}` 裡沒有 `{file}`。用 `./lab reset {lab.id}` 可以把練習的檔案找回來。",
        )
    sys.path.insert(0, str(lab.work))
    sys.modules.pop(module, None)
    importlib.invalidate_caches()
    try:
        loaded = importlib.import_module(module)
    except (Exception, SystemExit) as error:  # whatever a learner's file does when it is imported
        reason, line = reason_and_line(traceback.format_exc(), file)
        raise NotYet(
            en=f"`{file}` cannot be imported{f', line {line}' if line else ''}: {reason}",
            zh_tw=f"`{file}` 無法匯入{f'，第 {line} 行' if line else ''}：{reason}",
        ) from error
    finally:
        sys.path.remove(str(lab.work))
    if not hasattr(loaded, name):
        raise NotYet(en=f"`{file}` defines no `{name}`.", zh_tw=f"`{file}` 裡沒有定義 `{name}`。")
    return getattr(loaded, name)


def check(lab: Lab, metadata: Metadata, *, only: str | None = None, log: Iterable[str] = ()) -> Iterator[Row]:
    """Yield each step with its verdict.

    A step's function has the step's id with `_` for `-`; it takes the metadata reader and the lab, returns when
    all is there and raises `NotYet` when not. No exercise passes while Airflow cannot import a file of the learner's:
    what it knows of that file's Dags is from before.

    Args:
        lab: The lab.
        metadata: The metadata database.
        only: The id of the one step to look at.
        log: The triggerer's log: what it says of the lab's watchers, and of brokers that do not
            answer, goes with steps that are not done.
    """
    checks = module(lab)
    bundles = (lab.name, f"{lab.name}-work")
    failures = [one for one in metadata.import_failures() if one.bundle in bundles]
    learners_own = [one for one in failures if one.bundle == bundles[1]]
    lines = list(log)
    failing = complaints.recent(lines, metadata.watchers()) if lines else []
    unheard = complaints.unheard(lines)
    if failing:
        ours = metadata.scheduling_assets(bundles)
        failing = [one for one in failing if one.asset in ours]
    for step in lab.steps:
        if only and step.id != only:
            continue
        function: Callable[[Metadata, Lab], None] = getattr(checks, step.id.replace("-", "_"))
        try:
            _judge(function, metadata, lab)
        except NotYet as reason:
            text = in_language(reason.text)
            if failures:
                text += f"\n      {_unimported(failures)}"
            for one in failing:
                text += "\n      " + _advised(f"{one.told()}\n        {one.error}", one.error)
            for address in unheard:
                text += f"\n      {t('complaint.unheard', address=address)}"
                text += f"\n      → {t('complaint.unreachable', address=address)}"
            yield Row(step, passed=False, missing=text)
        else:
            if step.exercise and learners_own:
                yield Row(step, passed=False, missing=_unimported(learners_own))
            else:
                yield Row(step, passed=True)


def _unimported(failures: Iterable[ImportFailure]) -> str:
    """Return a sentence about files that Airflow could not import: where, why, and what to do."""
    told = (_advised(f"{one.file}{f':{one.line}' if one.line else ''}: {one.reason}", one.reason) for one in failures)
    return t("verify.import_error", reason="; ".join(told))


def _judge(function: Callable[[Metadata, Lab], None], metadata: Metadata, lab: Lab) -> None:
    """Ask a step's function; where a part could not be held still for it, there is no verdict."""
    try:
        function(metadata, lab)
    except LabError as error:
        if error.key != "stack.not_held":
            raise
        raise TooBusy from error


def _advised(told: str, error: str) -> str:
    """Return what was told, with what to do about it where that is known."""
    advice = complaints.mend(error)
    return f"{told}\n      → {advice}" if advice else told
