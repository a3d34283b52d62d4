"""An outage by the provider's word: on record once, rated in the periods it was in, adjusted where they are closed."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from billing.adjusting.last_bills import bill_late, contracts_with_late_usage
from billing.bases import read_basis, window_of
from billing.basis import rate
from billing.charging import charge_period, ensure_periods
from billing.closing import close_period
from billing.contracting import add_term
from billing.evidence import differences
from billing.models import Charge, Invoice, InvoiceEvidence, InvoiceLine, TermFact
from billing.outage_stating import Stated, WrongOutage, state_outage
from billing.queries.availability import availability_of
from billing.queries.outages import OutageRow, counted_causes, outages_of_lease
from billing.rating.availability import AvailabilityWording, Step
from billing.rating.lease_wording import LeaseWording
from billing.share_stating import By, NotTheParty
from metering.control_models import Silence, SilenceEnd
from tenants.models import AuditEntry
from tests.billing.adjusting.test_restatements import wrong
from tests.billing.let import DAY, END, FIXED, START, fresh, make_floor, reserved, wish
from tests.billing.world import APRIL, MARCH, World
from tests.kept import kept

if TYPE_CHECKING:
    from billing.models import Term

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
MAY = APRIL + 30 * DAY
WHOLE = Decimal(2 * 2 * 14 * 24)
"""Two cards at 2 USD for 14 days."""
FAULT = LeaseWording(price_per_gpu_hour=Decimal(2), provider_fault=("maintenance",))
STEPS = (Step(below_percent=Decimal(99), credit_percent=Decimal(25)),)


@kept
def world() -> World:
    made = make_floor()
    made.rolled(made.nodes[0], MAY + 30 * DAY)
    return made


def cards(lease: Term) -> list[UUID]:
    return sorted(lease.allocations.values_list("allocation__slice__accelerator_id", flat=True))


def state(lease: Term, **changed: Any) -> Stated:
    given: dict[str, Any] = {
        "lease": lease,
        "cause": "maintenance",
        "from_at": START + DAY,
        "to_at": START + DAY + 6 * HOUR,
        "by": By(lease.contract.provider, "petra@example.com"),
        "now": END + DAY,
    }
    return state_outage(**{**given, **changed})


def close(lease: Term, from_at: datetime, now: datetime) -> Invoice:
    invoice = close_period(period_id=lease.contract.periods.get(from_at=from_at).id, now=now).invoice
    assert invoice is not None
    assert differences(json.loads(InvoiceEvidence.objects.get(invoice=invoice).document)) == []
    return invoice


def proved() -> list[str]:
    return [each for each in wrong() if not each.startswith("gateway usage")]


def test_before_the_close_it_changes_the_page_the_draft_and_the_invoice(world: World) -> None:
    lease = fresh(reserved(world, wording=FAULT))
    ensure_periods(contract=world.contract, now=END)
    period = world.period()
    charge_period(period_id=period.id, up_to=END, now=END)
    stated = state(lease)
    assert stated.is_new
    assert stated.accelerators == tuple(map(str, cards(lease)))
    charge_period(period_id=period.id, up_to=END + DAY, now=END + DAY)
    assert sum(Charge.objects.values_list("amount", flat=True)) == WHOLE - 2 * 2 * 6
    found = availability_of(lease, END)
    assert found is not None
    assert found.lost_gpu_ms == 2 * 6 * 3_600_000
    invoice = close(lease, MARCH, APRIL + 2 * DAY)
    lines = {line.rule: line.amount for line in InvoiceLine.objects.filter(invoice=invoice)}
    assert lines["lease_provider_fault"] == Decimal(-24)
    assert invoice.subtotal == WHOLE - 24
    assert proved() == []


def test_after_the_close_the_next_bill_gives_it_back_and_the_books_hold(world: World) -> None:
    lease = fresh(reserved(world, wish(2, START, MAY), FAULT))
    ensure_periods(contract=world.contract, now=APRIL + DAY)
    closed = close(lease, MARCH, APRIL + 2 * DAY)
    assert contracts_with_late_usage(timedelta()) == []
    state(lease, to_at=START + 2 * DAY, now=APRIL + 3 * DAY)
    assert contracts_with_late_usage(timedelta()) == [world.contract.pk]
    assert bill_late(contract_id=world.contract.pk, now=APRIL + 4 * DAY)
    draft = rate(read_basis(window_of(lease.contract.periods.get(from_at=APRIL))))
    assert draft.exact_total == 2 * 2 * 24 * 30 - 2 * 2 * 24
    invoice = close(lease, APRIL, MAY + 2 * DAY)
    late = InvoiceLine.objects.get(invoice=invoice, rule="late_usage")
    assert late.amount == Decimal(-96)
    assert closed.subtotal == 2 * 2 * 24 * 21
    assert proved() == []


def test_a_ladder_credits_what_was_stated_of_its_leases_even_when_its_period_is_closed(world: World) -> None:
    lease = fresh(reserved(world, wish(2, START, MAY), FIXED))
    wording = AvailabilityWording(ladder=STEPS, causes=("card_faulty",), refs=(lease.ref,))
    add_term(contract=world.contract, wording=wording, from_at=MARCH, to_at=None, now=MARCH, title="")
    assert counted_causes(lease, END) == {"card_faulty"}
    ensure_periods(contract=world.contract, now=APRIL + DAY)
    close(lease, MARCH, APRIL + 2 * DAY)
    state(lease, to_at=START + 2 * DAY, now=APRIL + 3 * DAY)
    state(lease, cause="card_faulty", to_at=START + 2 * DAY, now=APRIL + 3 * DAY)
    invoice = close(lease, APRIL, MAY + 2 * DAY)
    late = InvoiceLine.objects.get(invoice=invoice, rule="late_usage")
    assert late.amount == -Decimal(2 * 2 * 24 * 21) / 4
    assert proved() == []


def test_an_outage_over_the_end_of_a_period_counts_in_both_and_is_one(world: World) -> None:
    lease = fresh(reserved(world, wish(2, START, MAY), FAULT))
    state(lease, from_at=APRIL - 3 * HOUR, to_at=APRIL + 2 * HOUR, now=APRIL + DAY)
    out = {
        period.from_at: sum(line.amount for line in rate(read_basis(window_of(period))).lines if line.amount < 0)
        for period in lease.contract.periods.all()
    }
    assert out == {MARCH: Decimal(-12), APRIL: Decimal(-8)}
    assert TermFact.objects.count() == 4
    (row,) = outages_of_lease(lease, MAY)
    assert (row.from_at, row.to_at, len(row.accelerators)) == (APRIL - 3 * HOUR, APRIL + 2 * HOUR, 2)


def test_the_same_outage_again_changes_nothing_and_an_overlapping_one_counts_once(world: World) -> None:
    lease = fresh(reserved(world, wording=FAULT))
    first = state(lease)
    again = state(lease, now=END + 2 * DAY, by=By(lease.contract.provider, "another"))
    assert (again.is_new, again.from_at, again.accelerators) == (False, first.from_at, first.accelerators)
    assert TermFact.objects.count() == 2
    noted = AuditEntry.objects.get(action="lease.outage_stated")
    assert (noted.organization, noted.actor, noted.subject) == (world.provider, "petra@example.com", lease.ref)
    assert noted.after is not None
    assert noted.after["accelerator_ids"] == list(first.accelerators)
    state(lease, from_at=START + DAY + 3 * HOUR, to_at=START + DAY + 9 * HOUR)
    assert rate(read_basis(window_of(world.period()))).exact_total == WHOLE - 2 * 2 * 9


def test_one_card_is_that_card_alone_and_both_sides_see_what_is_measured_beside_it(world: World) -> None:
    lease = fresh(reserved(world, wording=FAULT))
    Silence.objects.create(
        node=world.nodes[0], from_at=START, to_at=START + HOUR, end=SilenceEnd.MISSED, found_at=START
    )
    one, both = cards(lease)[:1], cards(lease)
    state(lease, accelerators=one)
    assert rate(read_basis(window_of(world.period()))).exact_total == WHOLE - 2 * 6
    said = ("petra@example.com", END + DAY)
    assert outages_of_lease(lease, END) == [
        OutageRow("maintenance", START + DAY, START + DAY + 6 * HOUR, tuple(map(str, one)), *said),
        OutageRow("node_silent", START, START + HOUR, tuple(map(str, both))),
    ]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"cause": ""}, "cause"),
        ({"cause": "Maintenance"}, "cause"),
        ({"cause": "planned work"}, "cause"),
        ({"cause": "m" * 41}, "cause"),
        ({"to_at": START + DAY}, "to"),
        ({"to_at": START}, "to"),
        ({"now": START + DAY + HOUR}, "to"),
        ({"from_at": START - HOUR}, "from"),
        ({"to_at": END + HOUR}, "from"),
        ({"accelerators": [UUID(int=9)]}, "accelerator_ids"),
    ],
)
def test_what_cannot_have_been_is_refused_with_its_field_and_nothing_is_kept(
    world: World, changed: dict[str, Any], field: str
) -> None:
    lease = reserved(world, wording=FAULT)
    with pytest.raises(WrongOutage) as refused:
        state(lease, **changed)
    assert refused.value.extra["field"] == field
    assert not TermFact.objects.exists()
    assert not AuditEntry.objects.filter(action="lease.outage_stated").exists()


def test_only_the_provider_states_it(world: World) -> None:
    lease = reserved(world, wording=FAULT)
    with pytest.raises(NotTheParty):
        state(lease, by=By(world.tenant, "alice@example.com"))
    assert not TermFact.objects.exists()
