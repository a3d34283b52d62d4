"""Checks evidence files of invoices with nothing but the files: no database, no settings, no network."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from billing.canonical import digest
from billing.evidence import differences

if TYPE_CHECKING:
    from collections.abc import Sequence

FOUND, WRONG, UNREADABLE = 0, 1, 2


def verify(text: str) -> list[str]:
    """Return where an evidence file's own lines, taxes and total are not what its usage, terms and prices give.

    Raises ValueError for what is no evidence file.
    """
    document: Any = json.loads(text)
    if not isinstance(document, dict) or not isinstance(document.get("invoice"), dict):
        raise ValueError("no evidence file: expected a JSON object with an invoice")  # noqa: TRY004  it was read
    return differences(document)


def main(names: Sequence[str]) -> int:
    """Verify files by name; say of each what it is and whether it recomputes. The worst outcome is the exit status."""
    worst = FOUND
    for name in names:
        try:
            text = Path(name).read_text(encoding="utf-8")
            wrong = verify(text)
        except (OSError, ValueError) as error:
            sys.stderr.write(f"{name}: {error}\n")
            worst = UNREADABLE
            continue
        stated = json.loads(text)["invoice"]
        mark = "WRONG" if wrong else "ok   "
        sys.stdout.write(f"{mark} {stated.get('number')} {stated.get('total')} sha256 {digest(text)}\n")
        for difference in wrong:
            sys.stdout.write(f"      {difference}\n")
        worst = max(worst, WRONG if wrong else FOUND)
    return worst
