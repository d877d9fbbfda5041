"""Builds the site: both languages with Sphinx, the notebooks executed once against the running stack."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from typing import TYPE_CHECKING

from labkit import notebook_files, paths
from labkit.errors import LabError
from labkit.i18n import LANGUAGES, t
from labkit.ui import console, step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

OUT = paths.BUILD / "site"
_STAMP = paths.BUILD / "site.stamp"


def is_built() -> bool:
    """Tell whether there is a site to show."""
    return (OUT / "index.html").exists()


def _files(*folders: Path) -> Iterable[Path]:
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file


def _key(*folders: Path) -> str:
    """Return a hash of everything in these folders, of the lock and of `conf.py`."""
    key = hashlib.sha256(paths.LOCK_FILE.read_bytes())
    key.update((paths.ROOT / "conf.py").read_bytes())
    for file in _files(*folders):
        key.update(str(file.relative_to(paths.ROOT)).encode())
        key.update(file.read_bytes())
    return key.hexdigest()[:16]


_AT_WORK = re.compile(r"/([^/]+)\.md: Executing notebook")
"""What MyST-NB says when it begins to run a page."""


def _sphinx(language: str, out: Path, environment: dict[str, str], at_work: Callable[[str], None]) -> None:
    """Build one language, and tell which notebook is at work meanwhile."""
    command = [
        sys.executable, "-m", "sphinx", "-W", "-n", "--keep-going", "--no-color", "-c", str(paths.ROOT),
        "-d", str(paths.BUILD / "doctrees" / language), "-b", "html", str(paths.BOOK / language), str(out / language),
    ]  # fmt: skip
    # Sphinx gives up on a locale that the machine does not have; the pages' language is BOOK_LANG's.
    environment = {**os.environ, **environment, "BOOK_LANG": language, "LC_ALL": "C.UTF-8"}
    with tempfile.TemporaryFile("w+", encoding="utf-8") as complaints:
        process = subprocess.Popen(
            command, cwd=paths.ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=complaints
        )
        try:
            for line in process.stdout or ():
                if found := _AT_WORK.search(line):
                    at_work(found[1])
            process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.returncode:
            complaints.seek(0)
            raise LabError("site.failed", language=language, details=complaints.read()[-4000:])


def build(*, execute: bool, pages: Sequence[str] = (), at_work: Callable[[str], None] = lambda _: None) -> None:
    """Build both languages.

    Args:
        execute: Run the notebooks against the running stack, or take what was run on the very same sources.
        pages: Names of the lab pages to run; all by default.
        at_work: Told the name of each page whose notebook begins to run.

    Raises:
        LabError: Sphinx found something wrong; its words are in the details.
    """
    environment = {"BOOK_EXECUTE": "off"}
    if execute:
        # What cells show depends on the labs and the engine as well: a cache of other sources would be stale.
        cache = paths.BUILD / "executed" / _key(paths.LABS)
        for other in cache.parent.glob("*"):
            if other != cache:
                shutil.rmtree(other)
        cache.mkdir(parents=True, exist_ok=True)
        path = os.pathsep.join(filter(None, [str(paths.LABS), os.environ.get("PYTHONPATH", "")]))
        environment = {"BOOK_EXECUTE": "cache", "BOOK_CACHE": str(cache), "BOOK_STAMP": stamp(), "PYTHONPATH": path}
        environment["BOOK_PAGES"] = " ".join(pages)
    # Next to the old site until it is whole: whoever is reading keeps reading.
    draft = paths.BUILD / "site.new"
    shutil.rmtree(draft, ignore_errors=True)
    for language in LANGUAGES:
        # One after the other: the second finds the cells that the first has run.
        _sphinx(language, draft, environment, at_work)
    shutil.copyfile(paths.BOOK / "site-index.html", draft / "index.html")
    notebook_files.write()
    old = paths.BUILD / "site.old"
    shutil.rmtree(old, ignore_errors=True)
    if OUT.exists():
        OUT.rename(old)
    draft.rename(OUT)
    shutil.rmtree(old, ignore_errors=True)


def stamp() -> str:
    """Return where and when the notebooks were run, for the pages to tell."""
    facts = {
        "airflow": metadata.version("apache-airflow"),
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "cores": os.cpu_count() or 1,
        "machine": f"{platform.system()} {platform.machine()}",
    }
    return json.dumps(facts)


def prove() -> None:
    """Run the tests behind the seed ledger: its page is made from their results. They take seconds, and no stack.

    One that fails does not keep the site from being built: the page says so, row by row.
    """
    with step(t("site.proving")):
        command = [sys.executable, "-m", "pytest", "-q", str(paths.ROOT / "tests" / "ledger")]
        outcome = subprocess.run(command, cwd=paths.ROOT, check=False, capture_output=True, text=True)
    if outcome.returncode:
        console.print(f"[yellow]![/] {t('site.unproved')}", soft_wrap=True)


def build_executed(pages: Sequence[str] = ()) -> None:
    """Build both languages with the notebooks run on the running stack, which they find by themselves.

    Args:
        pages: Names of the lab pages to run; all by default.
    """
    count = len(pages) or len(list((paths.BOOK / LANGUAGES[0] / "labs").glob("*.md")))
    number = itertools.count(1)
    with step(t("site.building")) as rename:
        build(
            execute=True,
            pages=pages,
            at_work=lambda page: rename(t("site.running", number=next(number), count=count, page=page)),
        )
        rename(t("site.building"))
    _STAMP.write_text(_key(paths.LABS, paths.BOOK), encoding="utf-8")


def build_for_start(page: str) -> None:
    """Build the site after a start, unless the one there is made from the same sources.

    Only one notebook is run, that of the lab which the start is about: the others take minutes, and their pages say
    how to run them. A site that cannot be built does not make a running stack useless: the reason is shown, and life
    goes on.

    Args:
        page: The name of its lab page.
    """
    key = _key(paths.LABS, paths.BOOK)
    if is_built() and _STAMP.exists() and _STAMP.read_text(encoding="utf-8") == key:
        return
    try:
        build_executed([page])
    except LabError as error:
        console.print(error.details, style="dim", markup=False)
        console.print(f"[yellow]![/] {error}")
