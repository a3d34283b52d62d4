"""Reading the documentation: its tables, its blocks of code, its links."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def all_pages() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def rows_of(name: str, *head: str) -> list[list[str]]:
    """The rows of the one table of a page whose header begins with these cells."""
    lines = text_of(name).splitlines()
    starts = [number for number, line in enumerate(lines) if cells_of(line)[: len(head)] == list(head)]
    assert len(starts) == 1, f"{name}: {len(starts)} tables begin with {head}"
    rows = []
    for line in lines[starts[0] + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(cells_of(line))
    return rows


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []


def code(cell: str) -> str:
    """What stands between the first backticks of a cell."""
    return cell.split("`")[1] if "`" in cell else ""


def blocks_of(name: str, language: str) -> list[str]:
    return [text for found, text in BLOCK.findall(text_of(name)) if found == language]


def anchor(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors_of(page: Path) -> set[str]:
    lines = BLOCK.sub("", page.read_text(encoding="utf-8")).splitlines()
    return {anchor(line.lstrip("#")) for line in lines if line.startswith("#")}
