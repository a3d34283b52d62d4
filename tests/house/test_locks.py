"""Who locks rows opens the transaction that holds them: in tests one is always open, so nothing else would tell.

Nor would anything tell that more was locked than was meant: a lock is of every table that a query reads, also of what
it only shows or chooses by. A provider's row that is held so stops every posting of that provider.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

import pytest

ROOT = Path(__file__).parents[2]
APPS = ("tenants", "clusters", "metering", "billing", "portal", "forecourt")
JOINS: Final = re.compile(
    r"select_related\(|\b[a-z_]+__(?!(?:in|gt|gte|lt|lte|isnull|i?startswith|i?contains|i?exact|range|regex|date)\b)[a-z]"
)
"""What makes a query read another table."""
LOCK: Final = re.compile(r"select_for_update\(([^()]*(?:\([^()]*\))?[^()]*)\)")
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


def sources_of_locks() -> list[tuple[Path, str]]:
    """Every module of the product that locks rows, with its text."""
    files = [file for app in APPS for file in sorted((ROOT / app).rglob("*.py")) if "migrations" not in file.parts]
    return [(file, text) for file in files if "select_for_update(" in (text := file.read_text(encoding="utf-8"))]


def locking_beyond(source: str) -> list[str]:
    """Every query that reads other tables beside the one whose rows it locks, and does not say which rows it means.

    What a function keeps under a name is followed to where the name is used.
    """
    found = []
    for function in [each for each in ast.walk(ast.parse(source)) if isinstance(each, ast.FunctionDef)]:
        nodes = list(ast.walk(function))
        held = {
            each.targets[0].id: ast.unparse(each.value)
            for each in nodes
            if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name)
        }
        for call in [each for each in nodes if isinstance(each, ast.Call)]:
            whole = held.get(_begins_with(call), "") + ast.unparse(call)
            lock = LOCK.search(whole)
            if lock is not None and "of=" not in lock[1] and JOINS.search(whole):
                found.append(whole)
    return found


def _begins_with(call: ast.AST) -> str:
    """The name that a chain of calls begins with; nothing where it begins otherwise."""
    while isinstance(call, ast.Call | ast.Attribute):
        call = call.func if isinstance(call, ast.Call) else call.value
    return call.id if isinstance(call, ast.Name) else ""


def test_who_locks_rows_opens_a_transaction() -> None:
    found = [
        (str(file.relative_to(ROOT)), name, opens)
        for file, source in sources_of_locks()
        for name, opens in locking(source)
    ]
    assert len(found) > 100
    without = {name for _, name, opens in found if not opens}
    assert {name for name in without if not name.startswith("locked_")} == INSIDE


def test_a_lock_is_of_the_rows_that_are_meant() -> None:
    sources = sources_of_locks()
    assert len(sources) > 50
    beyond = {str(file.relative_to(ROOT)): locking_beyond(source) for file, source in sources}
    assert {file: found for file, found in beyond.items() if found} == {}


@pytest.mark.parametrize(
    ("body", "is_found"),
    [
        ("Line.objects.select_for_update().select_related('account').get()", True),
        ("Line.objects.select_for_update(of=('self',)).select_related('account').get()", False),
        ("Step.objects.select_for_update(no_key=True).filter(invoice__issuer=provider)", True),
        ("Line.objects.select_for_update().filter(amount__gt=0, closed_at__isnull=True)", False),
        ("locked = Line.objects.select_for_update()\n locked.select_related('account').first()", True),
        ("locked = Line.objects.select_for_update(of=('self',))\n locked.select_related('account').first()", False),
    ],
)
def test_a_lock_of_more_than_is_meant_is_seen(body: str, is_found: bool) -> None:
    assert bool(locking_beyond(f"def said():\n {body}\n")) is is_found


def test_a_decorator_that_went_to_the_function_above_is_seen() -> None:
    source = "@transaction.atomic\ndef said(): ...\ndef approve(): rows.select_for_update().get()\n"
    assert locking(source) == [("approve", False)]
    assert locking("@transaction.atomic\n" + source.splitlines()[2]) == [("approve", True)]
