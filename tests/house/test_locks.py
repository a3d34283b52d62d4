"""Who locks rows opens the transaction that holds them: in tests one is always open, so nothing else would tell."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
APPS = ("tenants", "clusters", "metering", "billing", "portal", "forecourt")
INSIDE = {
    "claim_cursor",
    "next_credit_note_number",
    "record_accelerators",
    "take_back_of",
    "terms_of",
    "wording_then",
}
"""Called in a transaction of who calls them, beside those that are named `locked_`."""


def locking(source: str) -> list[tuple[str, bool]]:
    """Every public function that locks rows, and whether it opens a transaction."""
    found = [each for each in ast.walk(ast.parse(source)) if isinstance(each, ast.FunctionDef)]
    said = [(each.name, ast.unparse(each)) for each in found if not each.name.startswith("_")]
    return [(name, "transaction.atomic" in text) for name, text in said if "select_for_update(" in text]


def test_who_locks_rows_opens_a_transaction() -> None:
    sources = [
        (file, file.read_text(encoding="utf-8"))
        for app in APPS
        for file in sorted((ROOT / app).rglob("*.py"))
        if "migrations" not in file.parts
    ]
    found = [
        (str(file.relative_to(ROOT)), name, opens)
        for file, source in sources
        if "select_for_update(" in source
        for name, opens in locking(source)
    ]
    assert len(found) > 100
    without = {name for _, name, opens in found if not opens}
    assert {name for name in without if not name.startswith("locked_")} == INSIDE


def test_a_decorator_that_went_to_the_function_above_is_seen() -> None:
    source = "@transaction.atomic\ndef said(): ...\ndef approve(): rows.select_for_update().get()\n"
    assert locking(source) == [("approve", False)]
    assert locking("@transaction.atomic\n" + source.splitlines()[2]) == [("approve", True)]
