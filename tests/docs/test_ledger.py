"""The page on the ledger names every account, posting, guard and proof."""

from __future__ import annotations

import re

import pytest
from django.db import connection

from billing.books import CHECKS
from billing.models import AccountKind
from tests.docs.pages import ROOT, code, rows_of, text_of

PAGE = "docs/ledger.md"


def test_every_account_is_named_and_whether_it_is_posted_to() -> None:
    used = {code(row[0]) for row in rows_of(PAGE, "account", "whose")}
    later = re.search(r"not posted to yet: (.*?)\.\n", text_of(PAGE), re.DOTALL)
    assert later
    unused = set(re.findall(r"`(\w+)`", later[1]))
    assert used | unused == set(AccountKind.values)
    assert not used & unused
    rooms = [path for path in (ROOT / "billing").rglob("*.py") if not {"models", "migrations"} & set(path.parts)]
    sources = [path for path in rooms if path.name != "ledger.py" and path.parent.name != "bookkeeping"]
    posted = {found for path in sources for found in re.findall(r"AccountKind\.([A-Z_]+)", path.read_text())}
    assert {AccountKind[name].value for name in posted} == used


@pytest.mark.django_db
def test_append_only_tables_are_those_of_the_database() -> None:
    row = next(row for row in rows_of(PAGE, "guard") if "TRUNCATE" in row[0])
    with connection.cursor() as cursor:
        # The parts of a table that is cut inherit its guard.
        cursor.execute(
            "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE '%\\_append\\_only' AND tgparentid = 0"
        )
        guarded = sorted(table for (table,) in cursor.fetchall())
    assert re.findall(r"`(\w+)`", row[1]) == guarded


def test_every_proof_is_listed() -> None:
    assert re.findall(r"^- (.*)$", text_of(PAGE), re.MULTILINE) == list(CHECKS)


def test_the_example_is_right_and_balances() -> None:
    text = text_of(PAGE)
    assert 8 * 522 * 235 == 981_360
    assert "8 × 522 h × 2.35 = 9,813.60 USD" in text
    amounts = [row[2].replace(",", "").replace("−", "-") for row in rows_of(PAGE, "posting", "account")]
    assert sum(map(float, amounts[:2])) == sum(map(float, amounts[2:])) == 0
