"""What pages say, for tests that compare it with what is so."""

from __future__ import annotations

from labkit import paths


def table(page: str, language: str, label: str) -> list[list[str]]:
    """Return the cells of the first table after a label, without its head; an escaped bar in a cell becomes `/`.

    Args:
        page: Such as `chapters/03-asset-watchers`.
        language: Which of its two.
        label: Of the heading above the table.
    """
    text = (paths.BOOK / language / f"{page}.md").read_text(encoding="utf-8")
    lines = text.partition(f"({label})=")[2].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().strip("`") for cell in line.replace("\\|", "/").strip("|").split("|")])
    return rows
