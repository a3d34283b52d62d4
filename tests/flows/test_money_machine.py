"""The whole flow of money, in seeded runs of acts: the books hold after each act, and every file recomputes.

A few seeds that together come to more outcomes of acts than the first ten; `MONEY_RUNS=1000` runs the first thousand,
with `MONEY_FROM=500` those of them from the 500th on. A seed that fails says the acts that led there, and is its own
run again.
"""

from __future__ import annotations

import os

import pytest

from tests.billing.test_books import forge
from tests.flows.money import acts
from tests.flows.money.holds import held_against
from tests.flows.money.machine import at_the_end, run
from tests.flows.money.state import Money, make_money
from tests.kept import kept

pytestmark = pytest.mark.django_db

SHORT = (5, 9, 10, 15, 26, 27)
FROM = int(os.environ.get("MONEY_FROM", "0"))
SEEDS = range(FROM, int(os.environ["MONEY_RUNS"])) if "MONEY_RUNS" in os.environ else SHORT
STEPS = int(os.environ.get("MONEY_STEPS", "24"))


@kept
def money() -> Money:
    return make_money(5)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_to_money_the_books_hold_after_each_act(seed: int) -> None:
    made = run(seed, steps=STEPS)
    assert len(made.acted) == STEPS


SPOILT = {
    "tenant_receivable": "UPDATE billing_payment SET amount = amount + 1",
    "debits and credits differ": "UPDATE billing_ledgerentry SET amount = amount + 1 WHERE amount > 0",
    "with Dues": "UPDATE billing_invoice SET state = 'paid', paid_at = issued_at WHERE state = 'issued'",
    "was paid at": "UPDATE billing_invoice SET paid_at = issued_at WHERE state = 'issued'",
    "in another currency": "UPDATE billing_ledgerentry SET currency = 'CHF'",
}


@pytest.mark.parametrize(("said", "sql"), SPOILT.items())
def test_what_is_spoilt_past_the_guards_is_seen_after_the_next_act(said: str, sql: str, money: Money) -> None:
    assert acts.pay_by_bank(money)
    wrong, postings = held_against(money, 0)
    assert (wrong, postings > 1) == ([], True)
    forge(sql)
    assert any(said in one for one in held_against(money, postings)[0])


def test_postings_that_are_gone_are_seen(money: Money) -> None:
    _, postings = held_against(money, 0)
    assert any("became" in one for one in held_against(money, postings + 1)[0])


def test_a_file_that_says_otherwise_is_seen_at_the_end() -> None:
    make_money(5)
    assert at_the_end() == []
    forge('UPDATE billing_invoiceevidence SET document = replace(document, \'"total":"\', \'"total":"1\')')
    assert any(one.startswith("evidence of") for one in at_the_end())
