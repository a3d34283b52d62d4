"""What a movement could pay: sure only where it is named and fits, else proposed, best first; sums always whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.banking.matching import Candidate, Incoming, Proposal, Rule, propose, share_out
from tests.examples import examples

DUE = datetime(2026, 4, 17, tzinfo=UTC)


def invoice(number: int, left: str, *, tenant: int = 1, name: str = "Northwind Labs Ltd", **more: object) -> Candidate:
    fields: dict[str, object] = {"currency": "USD", "accounts": frozenset(), **more}
    return Candidate(
        id=UUID(int=number), tenant_id=UUID(int=tenant), tenant=name, left=Decimal(left),
        due_at=DUE + timedelta(days=number), **fields,  # type: ignore[arg-type]  # varied by name
    )  # fmt: skip


def incoming(amount: str, *, payer: str = "Somebody", account: str = "", currency: str = "USD") -> Incoming:
    return Incoming(Decimal(amount), currency, payer, account)


def best(*found: Proposal) -> Any:
    return found[0].rule, [(part.invoice_id.int, part.amount) for part in found[0].parts], found[0].surplus


def test_what_is_named_and_fits_is_sure() -> None:
    one, two = invoice(1, "100"), invoice(2, "50")
    for amount, named, parts, surplus in (
        ("100", [one], [(1, 100)], 0),
        ("40", [one], [(1, 40)], 0),
        ("130", [one], [(1, 100)], 30),
        ("150", [two, one], [(1, 100), (2, 50)], 0),
        ("160", [one, two], [(1, 100), (2, 50)], 10),
        ("20", [one, invoice(3, "0")], [(1, 20)], 0),
    ):
        found = propose(incoming(amount), named, [])
        assert found[0].is_sure
        assert best(*found) == (Rule.NAMED, parts, surplus)


def test_what_is_named_and_does_not_fit_by_itself_is_for_a_person() -> None:
    one, two = invoice(1, "100"), invoice(2, "50")
    assert best(*propose(incoming("120"), [one, two], [])) == (Rule.NAMED_UNSURE, [(1, 100), (2, 20)], 0)
    assert best(*propose(incoming("70"), [invoice(3, "0")], [])) == (Rule.NAMED_UNSURE, [], 70)
    others = propose(incoming("100"), [one, invoice(4, "100", tenant=2)], [])
    assert [proposal.rule for proposal in others] == [Rule.NAMED_UNSURE, Rule.NAMED_UNSURE]
    assert {proposal.tenant_id.int for proposal in others} == {1, 2}


def test_in_another_currency_nothing_is_named() -> None:
    assert propose(incoming("100", currency="EUR"), [invoice(1, "100")], [invoice(2, "100")]) == ()


def test_without_a_name_amounts_are_proposed_the_best_reason_first() -> None:
    known = invoice(1, "70", tenant=1, accounts=frozenset({"A1"}))
    named = invoice(2, "70", tenant=2, name="Acme Compute GmbH")
    found = propose(incoming("70", payer="ACME COMPUTE", account="A1"), [], [named, known])
    assert [(one.rule, one.parts[0].invoice_id.int) for one in found] == [(Rule.PAYER_AMOUNT, 1), (Rule.NAME_AMOUNT, 2)]
    assert not any(one.is_sure for one in found)
    assert best(*propose(incoming("70"), [], [known, invoice(3, "71", tenant=3)])) == (Rule.AMOUNT, [(1, 70)], 0)
    assert propose(incoming("70"), [], [known, named]) == ()
    assert propose(incoming("9"), [], [known]) == ()


def test_one_transfer_for_several_invoices_of_a_known_payer_is_found() -> None:
    owed = [invoice(number, left) for number, left in ((1, "10"), (2, "20"), (3, "45"))]
    payer = "Northwind Labs"
    assert best(*propose(incoming("75", payer=payer), [], owed))[1] == [(1, 10), (2, 20), (3, 45)]
    assert best(*propose(incoming("55", payer=payer), [], owed))[1] == [(1, 10), (3, 45)]
    assert propose(incoming("56", payer=payer), [], owed) == ()
    ambiguous = [*owed, invoice(4, "65")]
    assert propose(incoming("75", payer=payer), [], [invoice(5, "30"), *ambiguous]) == ()
    many = [invoice(number, "1") for number in range(1, 30)]
    assert propose(incoming("3", payer=payer), [], many) == ()


@settings(max_examples=examples(25))
@given(
    amount=st.decimals(min_value="0.01", max_value=1000, places=2),
    named=st.lists(st.tuples(st.integers(1, 3), st.decimals(min_value=0, max_value=500, places=2)), max_size=6),
    owed=st.lists(st.tuples(st.integers(1, 3), st.decimals(min_value="0.01", max_value=500, places=2)), max_size=14),
)
def test_every_proposal_uses_the_amount_up_and_pays_nobody_too_much(
    amount: Decimal, named: list[tuple[int, Decimal]], owed: list[tuple[int, Decimal]]
) -> None:
    names = [invoice(place, str(left), tenant=tenant) for place, (tenant, left) in enumerate(named, 1)]
    rest = [invoice(place, str(left), tenant=tenant) for place, (tenant, left) in enumerate(owed, 100)]
    left = {one.id: one.left for one in (*names, *rest)}
    for proposal in propose(Incoming(amount, "USD", "Northwind Labs", ""), names, rest):
        assert sum((part.amount for part in proposal.parts), proposal.surplus) == amount
        assert proposal.surplus >= 0
        assert all(0 < part.amount <= left[part.invoice_id] for part in proposal.parts)


def test_money_is_shared_out_to_what_is_due_first() -> None:
    parts, rest = share_out(Decimal(25), [invoice(2, "20"), invoice(1, "10"), invoice(3, "5")])
    assert [(part.invoice_id.int, float(part.amount)) for part in parts] == [(1, 10), (2, 15)]
    assert rest == 0
