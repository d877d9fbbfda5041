"""`lab site` runs the proofs of the seed ledger, and builds all the same when one fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labkit import paths, site

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("body", "told"), [("pass", False), ("assert False", True)])
def test_a_proof_that_fails_is_told(
    body: str, *, told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    tests = tmp_path / "tests" / "ledger"
    tests.mkdir(parents=True)
    (tests / "test_proof.py").write_text(f"def test_proof():\n    {body}\n", encoding="utf-8")
    site.prove()
    out = capsys.readouterr()
    assert ("./lab test ledger" in out.out + out.err) is told
