"""A statement's document: its figures are the sums of its rows, and it finds where they are not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.share_lines import RULE_LIST_PRICE
from billing.rating.share_statement import SECTION_OF
from billing.statements.document import (
    Earned,
    Moved,
    Reconciled,
    Row,
    Statement,
    TermPart,
    differences,
    make_document,
    section_of,
)
from tests.examples import examples

AT = datetime(2026, 4, 2, tzinfo=UTC)
cents = st.integers(-(10**9), 10**9).map(lambda number: Decimal(number) / 100)


def earned(net: Decimal, fee: Decimal = Decimal(0), tax: Decimal = Decimal(0), deposit: Decimal = Decimal(0)) -> Earned:
    return Earned(
        "invoice", "INV-0001", "Sample tenant", "C-0001", AT, AT, AT, net + fee + tax + deposit, deposit, fee, tax, net
    )  # fmt: skip


def moved(amount: Decimal, cause: str = "credit_note") -> Moved:
    return Moved(cause, f"{cause}:1", "Sample", AT, amount)


def row(rule: str, exact: str, base: str = "0") -> Row:
    return Row(
        rule=rule,
        model="sample-model",
        token_class="output",
        context_over=0,
        unit="tokens",
        unit_price=Decimal("0.80"),
        unit_price_unit="per_mtok",
        share_percent=Decimal(30),
        quantity=Decimal(10),
        base=Decimal(base),
        exact=Decimal(exact),
    )


SHARED = (row(RULE_LIST_PRICE, "3.001", "10.0033"),)
TERM = TermPart("C-0001", "Sample tenant", "S-0001", "token_share", Decimal("3.00"), SHARED)
SAMPLE = Statement(
    number="STM-0001",
    provider="Sample provider",
    currency="USD",
    month=date(2026, 3, 1),
    made_at=AT,
    opening=Decimal(0),
    earned=[earned(Decimal(95), Decimal(5))],
    received=[],
    moved=[],
    paid_out=[],
    terms=[],
    reconciliation=[],
    missing=[],
)


@settings(max_examples=examples(25))
@given(
    opening=cents,
    nets=st.lists(st.tuples(cents, cents, cents, cents), max_size=5),
    direct=st.lists(cents, max_size=3),
    corrections=st.lists(cents, max_size=3),
    payouts=st.lists(cents, max_size=3),
)
def test_every_statement_adds_up(
    opening: Decimal,
    nets: list[tuple[Decimal, ...]],
    direct: list[Decimal],
    corrections: list[Decimal],
    payouts: list[Decimal],
) -> None:
    statement = replace(
        SAMPLE,
        opening=opening,
        earned=[earned(*parts) for parts in nets],
        received=[moved(amount, "payment") for amount in direct],
        moved=[moved(amount) for amount in corrections],
        paid_out=[moved(amount, "payout") for amount in payouts],
    )
    document = make_document(statement)
    assert differences(document) == []
    owed = opening + sum(net + tax + deposit for net, _fee, tax, deposit in nets)
    owed += sum(direct) + sum(corrections) + sum(payouts)
    assert Decimal(document["totals"]["closing"]) == owed


def change(document: dict[str, Any], place: list[Any], value: object) -> dict[str, Any]:
    inner: Any = document
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    return document


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (["totals", "net"], "95.01", "net: 95.01 stated"),
        (["totals", "closing"], "95.01", "closing: 95.01 stated"),
        (["opening"], "1.00", "closing: "),
        (["earned", 0, "fee"], "5.01", "INV-0001: total 100.00"),
        (["moved"], [{"amount": "1.00"}], "moved: 0.00 stated"),
        (["terms", 0, "exact"], "3", "S-0001: exact 3"),
        (["terms", 0, "rounding"], "0", "S-0001: amount 3.00 is not"),
        (["terms", 0, "sections", "gross", "exact"], "0", "S-0001: sections"),
        (["terms", 0, "rows", 0, "exact"], "broken", "cannot be read"),
        (["totals"], {}, "cannot be read"),
    ],
)
def test_a_figure_that_was_changed_is_found(place: list[Any], value: object, said: str) -> None:
    document = make_document(replace(SAMPLE, terms=[TERM]))
    assert differences(document) == []
    assert any(said in wrong for wrong in differences(change(document, place, value)))


def test_rounding_of_a_term_is_its_own_figure() -> None:
    (term,) = make_document(replace(SAMPLE, terms=[TERM]))["terms"]
    assert (term["amount"], term["exact"], term["rounding"]) == ("3.00", "3.001", "-0.001")


def test_every_rule_of_a_share_has_its_section_and_one_that_is_new_is_an_adjustment() -> None:
    assert {section_of("token_share", rule) for rule in SECTION_OF} == {str(section) for section in SECTION_OF.values()}
    assert section_of("token_share", "something_new") == "adjustments"
    assert section_of("lease", "lease_deposit_taken") == "deposits"
    assert section_of("lease", "lease_hours") == "sales"


@pytest.mark.parametrize(
    ("compared", "control", "tolerance", "percent", "within"),
    [
        (1_000, 990, "1", "1", True),
        (1_000, 1_011, "1", "1.1", False),
        (0, 0, "1", None, None),
        (1_000, 990, None, "1", None),
    ],
)
def test_the_residual_is_compared_with_the_tolerance(
    compared: int, control: int, tolerance: str | None, percent: str | None, within: bool | None
) -> None:
    agreed = None if tolerance is None else Decimal(tolerance)
    found = Reconciled("C-0001", "sample-model", "output", 2_000, compared, control, agreed)
    (said,) = make_document(replace(SAMPLE, reconciliation=[found]))["reconciliation"]
    assert (said["residual_percent"], said["within"]) == (percent, within)
    assert said["residual"] == str(compared - control)


def test_amounts_have_the_decimals_of_their_currency() -> None:
    document = make_document(replace(SAMPLE, currency="JPY", earned=[earned(Decimal("95.0000"), Decimal(5))]))
    assert (document["totals"]["closing"], document["earned"][0]["total"]) == ("95", "100")
    document = make_document(replace(SAMPLE, currency="BHD", earned=[earned(Decimal("95.005"))]))
    assert document["totals"]["closing"] == "95.005"
