"""What a movement could pay, from stored rows: named invoices alone where any is named, else what is owed."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.banking.candidates import proposals_for
from billing.banking.deciding import match_by_hand
from billing.banking.matching import Part, Proposal, Rule
from billing.models import IssuerSequence
from billing.number_series import begin_series
from billing.payment_references import payment_reference
from tests.billing.banking.statements import BY, NOW, PAYER, Movement, make_account, take_one
from tests.billing.issued import Line, make_issued
from tests.billing.pages.test_invoices import pay
from tests.kept import kept

if TYPE_CHECKING:
    from billing.models import BankAccount, BankLine, Invoice
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@kept
def account(cast: Cast) -> BankAccount:
    return make_account(cast.provider)


def issued(cast: Cast, number: str, amount: str = "100.00", currency: str = "USD") -> Invoice:
    return make_issued([Line(amount)], parties=(cast.provider, cast.tenant), number=number, currency=currency)


def came(cast: Cast, amount: str, text: str = "", **more: str) -> BankLine:
    return take_one(cast.provider, Movement(amount, text, more.pop("reference", "A1"), **more))  # type: ignore[arg-type]


def found(line: BankLine, left: str | None = None) -> tuple[Proposal, ...]:
    return proposals_for(line, line.amount if left is None else Decimal(left))


def paid(proposal: Proposal) -> list[tuple[object, Decimal]]:
    return [(part.invoice_id, part.amount) for part in proposal.parts]


@kept
def invoice(cast: Cast) -> Invoice:
    return issued(cast, "S-0001")


@pytest.mark.parametrize("left", ["0", "-0.01"])
def test_of_nothing_left_nothing_is_proposed_and_nothing_is_asked(cast: Cast, account: BankAccount, left: str) -> None:
    issued(cast, "S-0001")
    line = came(cast, "100.00", "S-0001")
    with CaptureQueriesContext(connection) as queries:
        assert found(line, left) == ()
    assert len(queries) == 0


@pytest.mark.parametrize("where", ["text", "structured"])
def test_an_invoice_is_named_in_whatever_field_the_payer_wrote_it(
    cast: Cast, account: BankAccount, where: str, invoice: Invoice
) -> None:
    issued(cast, "S-0002")
    [first, *_] = found(came(cast, "100.00", **{where: "S-0001"}))
    assert (first.rule, first.is_sure, paid(first)) == (Rule.NAMED, True, [(invoice.pk, Decimal(100))])


def test_an_invoice_of_the_series_before_is_named_beside_the_new_one(
    cast: Cast, account: BankAccount, invoice: Invoice
) -> None:
    begin_series(letter="B", by=BY, now=NOW)
    new = issued(cast, "S-B-0001")
    for number, one, reference in (("S-0001", invoice, "A1"), ("S-B-0001", new, "A2")):
        for text in (number, payment_reference(number)):
            [first, *_] = found(came(cast, "100.00", text, reference=f"{reference} {text[:2]}"))
            assert (first.rule, paid(first)) == (Rule.NAMED, [(one.pk, Decimal(100))]), text


def test_the_part_that_is_left_is_what_is_shared_out(cast: Cast, account: BankAccount, invoice: Invoice) -> None:
    [first, *_] = found(came(cast, "100.00", "S-0001"), "40.00")
    assert paid(first) == [(invoice.pk, Decimal(40))]


def test_the_number_of_another_issuer_is_none_of_ours(cast: Cast, account: BankAccount) -> None:
    make_issued([Line("100.00")], parties=(cast.outsider, cast.tenant), number="S-0001")
    assert found(came(cast, "100.00", "S-0001")) == ()


def test_an_issuer_that_never_numbered_an_invoice_has_none_that_is_named(cast: Cast, account: BankAccount) -> None:
    IssuerSequence.objects.all().delete()
    issued(cast, "S-0001", "70.00")
    assert found(came(cast, "100.00", "S-0001")) == ()


def test_a_paid_invoice_that_is_named_takes_nothing_more(cast: Cast, account: BankAccount) -> None:
    pay(issued(cast, "S-0001"))
    [first, *_] = found(came(cast, "100.00", "S-0001"))
    assert (first.is_sure, paid(first), first.surplus) == (False, [], Decimal(100))


def test_without_a_name_the_one_with_just_this_amount_open_is_proposed(cast: Cast, account: BankAccount) -> None:
    invoice = issued(cast, "S-0001", "70.00")
    issued(cast, "S-0002", "71.00")
    [only] = found(came(cast, "70.00", "thanks", payer="Somebody"))
    assert (only.rule, only.is_sure, paid(only)) == (Rule.AMOUNT, False, [(invoice.pk, Decimal(70))])
    assert found(came(cast, "70.01", "thanks", payer="Somebody", reference="A2")) == ()


def test_what_is_owed_in_another_currency_or_paid_is_not_looked_through(cast: Cast, account: BankAccount) -> None:
    issued(cast, "S-0001", "70.00", "EUR")
    pay(issued(cast, "S-0002", "70.00"))
    assert found(came(cast, "70.00", payer="Somebody")) == ()


def test_an_account_that_paid_for_a_tenant_before_is_known_until_that_is_taken_back(
    cast: Cast, account: BankAccount
) -> None:
    before = issued(cast, "S-0001", "30.00")
    line = came(cast, "30.00", "thanks", payer="Somebody")
    match_by_hand(provider=cast.provider, line_id=line.pk, parts=[Part(before.pk, Decimal(30))], by=BY, now=NOW)
    invoice = issued(cast, "S-0002", "70.00")
    [known] = found(came(cast, "70.00", "again", payer="Somebody", reference="A2"))
    assert (known.rule, paid(known)) == (Rule.PAYER_AMOUNT, [(invoice.pk, Decimal(70))])
    other = came(cast, "70.00", "again", payer="Somebody", payer_account=f"{PAYER[:-1]}8", reference="A3")
    assert [one.rule for one in found(other)] == [Rule.AMOUNT]


def test_many_invoices_take_no_more_queries(cast: Cast, account: BankAccount) -> None:
    counts = []
    for count in (1, 8):
        for number in range(count):
            issued(cast, f"S-{count}{number:03d}", f"{count}{number}.00")
        line = came(cast, "3.33", payer="Somebody", reference=f"A{count}")
        with CaptureQueriesContext(connection) as queries:
            found(line)
        counts.append(len(queries))
    assert counts[0] == counts[1]
