"""Checks evidence files of invoices with nothing but the files: no database, no settings, no network."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from billing.canonical import canonical, digest
from billing.evidence import differences

if TYPE_CHECKING:
    from collections.abc import Sequence

FOUND, WRONG, UNREADABLE = 0, 1, 2


NOT_AS_SEALED = "text: not byte for byte as evidence is sealed"


def verify(text: str, sha256: str = "") -> list[str]:
    """Return where an evidence file is not what was sealed, as far as can be told from it, and from a hash if given.

    Its lines, taxes and total must be what its usage, terms and prices give, and its text the one that is hashed.
    Names, numbers and where readings came from follow from nothing in the file: the hash on the invoice holds them.
    Raises ValueError for what is no evidence file.
    """
    document: Any = json.loads(text)
    if not isinstance(document, dict) or not isinstance(document.get("invoice"), dict):
        raise ValueError("no evidence file: expected a JSON object with an invoice")  # noqa: TRY004  it was read
    found = differences(document)
    if text != canonical(document):
        found.append(NOT_AS_SEALED)
    if sha256 and digest(text) != sha256.lower():
        found.append(f"sha256: {sha256} expected")
    return found


def main(argv: Sequence[str]) -> int:
    """Verify files by name; say of each what it is and whether it recomputes. The worst outcome is the exit status."""
    parser = ArgumentParser(prog="forecourt verify", description="Recomputes invoices from their evidence files alone.")
    parser.add_argument("files", nargs="+", metavar="FILE", help="evidence of an invoice")
    parser.add_argument(
        "--sha256", default="", metavar="HASH", help="what the one file's hash must be, as on the invoice"
    )
    given = parser.parse_args(argv)
    if given.sha256 and len(given.files) > 1:
        parser.error("--sha256 is the hash of one file")
    return max(_verify_file(name, given.sha256) for name in given.files)


def _verify_file(name: str, sha256: str) -> int:
    try:
        # Not as text: line ends would be made alike, and the hash is over the bytes.
        text = Path(name).read_bytes().decode()
        wrong = verify(text, sha256)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{name}: {error}\n")
        return UNREADABLE
    stated = json.loads(text)["invoice"]
    mark = "WRONG" if wrong else "ok   "
    sys.stdout.write(f"{mark} {stated.get('number')} {stated.get('total')} sha256 {digest(text)}\n")
    for difference in wrong:
        sys.stdout.write(f"      {difference}\n")
    return WRONG if wrong else FOUND
