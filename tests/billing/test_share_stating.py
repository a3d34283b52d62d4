"""Refunds and findings of audits: stated once by the party that knows, kept and billed, or refused."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from billing.audit_claims import answer_audit
from billing.charging import charge_period, ensure_periods
from billing.closing import close_period
from billing.evidence import differences
from billing.models import BillingPeriod, Charge, Invoice, InvoiceEvidence, InvoiceLine, PeriodState, TermFact
from billing.revenue_statements import StatementTooLate, state_revenue
from billing.share_stating import By, FactTooLate, NotTheParty, WrongFact, state_audit, state_refund
from billing.term_versions import TermChange, add_version
from metering.models import Witness
from tenants.models import AuditEntry
from tests.billing.sharing import agree, share
from tests.billing.world import APRIL, HOUR, MARCH, MODEL, Shared, World, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
MTOK = 1_000_000
MAY = datetime(2026, 5, 1, tzinfo=APRIL.tzinfo)
REFUNDS = [{"rule": "refunds"}]


@kept
def world() -> World:
    return make_world(tokens={(MODEL, name): "1" for name in ("input", "output")})


@kept
def shared(world: World) -> Shared:
    """A share of 30 %, with 100 USD of output in March, refunds of which are no revenue."""
    made = share(world, Witness.GATEWAY, exclusions=REFUNDS)
    made.use({"output": 100 * MTOK})
    ensure_periods(contract=world.contract, now=APRIL + DAY)
    world.rolled(world.nodes[0], MAY + 30 * DAY)
    return made


def refund(shared: Shared, **changed: Any) -> tuple[TermFact, bool]:
    given: dict[str, Any] = {
        "contract": shared.term.contract,
        "term_ref": shared.term.ref,
        "refund": " R-1 ",
        "period_from_at": MARCH,
        "deployment": shared.deployment.id,
        "model": MODEL,
        "token_class": "output",
        "tokens": 10 * MTOK,
        "by": By(shared.tenant, "alice@example.com"),
        "now": APRIL + DAY,
    }
    return state_refund(**{**given, **changed})


def audit(shared: Shared, **changed: Any) -> tuple[TermFact, bool]:
    given: dict[str, Any] = {
        "contract": shared.term.contract,
        "term_ref": shared.term.ref,
        "audit": "A-1",
        "period_from_at": MARCH,
        "reported_share_amount": Decimal(30),
        "found_share_amount": Decimal("40.5"),
        "cost_amount": Decimal("2.25"),
        "by": By(shared.term.contract.provider, "petra@example.com"),
        "now": APRIL + 3 * DAY,
    }
    return state_audit(**{**given, **changed})


def accept(shared: Shared, now: datetime = APRIL + 4 * DAY) -> None:
    contract = shared.term.contract
    by = By(contract.tenant, "alice@example.com")
    answer_audit(contract=contract, term_ref=shared.term.ref, audit="A-1", accepts=True, note="", by=by, now=now)


def close(shared: Shared, from_at: datetime = MARCH, now: datetime = APRIL + 2 * DAY) -> Invoice | None:
    period = shared.term.contract.periods.get(from_at=from_at)
    return close_period(period_id=period.id, now=now).invoice


def lines_of(invoice: Invoice) -> dict[str, Decimal]:
    return {line.rule: line.amount for line in InvoiceLine.objects.filter(invoice=invoice)}


def test_a_refund_is_excluded_at_the_price_and_share_it_was_counted_at(world: World, shared: Shared) -> None:
    charge_period(period_id=world.period().id, up_to=MARCH + 5 * HOUR, now=MARCH + 5 * HOUR)
    stated, is_new = refund(shared)
    assert is_new
    assert stated.document["refund"] == "R-1"
    assert (stated.recorded_by, stated.recorded_at) == ("alice@example.com", APRIL + DAY)
    invoice = close(shared)
    assert invoice is not None
    assert lines_of(invoice) == {"token_share_list_price": Decimal(30), "share_excluded_refunds": Decimal(-3)}
    assert sum(Charge.objects.filter(period=invoice.period).values_list("amount", flat=True)) == 27
    assert differences(json.loads(InvoiceEvidence.objects.get(invoice=invoice).document)) == []
    noted = AuditEntry.objects.get(action="revenue.refunded")
    assert (noted.organization, noted.actor, noted.subject) == (
        world.tenant,
        "alice@example.com",
        f"{shared.term.ref} R-1",
    )
    assert noted.after == stated.document


def test_the_same_refund_again_changes_nothing_and_another_under_its_reference_is_refused(shared: Shared) -> None:
    first, _ = refund(shared)
    assert refund(shared, now=APRIL + 2 * DAY) == (first, False)
    with pytest.raises(WrongFact) as refused:
        refund(shared, tokens=11 * MTOK)
    assert refused.value.extra["field"] == "refund"
    close(shared)
    # The answer that was lost is given again, though the period is closed by now.
    assert refund(shared) == (first, False)
    assert TermFact.objects.count() == AuditEntry.objects.filter(action="revenue.refunded").count() == 1


def test_refunds_together_are_never_more_than_was_counted(shared: Shared) -> None:
    refund(shared, tokens=60 * MTOK)
    with pytest.raises(WrongFact, match=r"100000000 were counted and 60000000 paid back before\. Example: 40000000"):
        refund(shared, refund="R-2", tokens=40 * MTOK + 1)
    refund(shared, refund="R-2", tokens=40 * MTOK)
    assert close(shared) is not None
    assert not Charge.objects.exclude(rule__in=("token_share_list_price", "share_excluded_refunds")).exists()
    assert sum(Charge.objects.values_list("amount", flat=True)) == 0


def test_refunds_count_from_where_the_wording_excludes_them() -> None:
    world = make_world(tokens={(MODEL, "output"): "1"})
    shared = share(world, Witness.GATEWAY)
    agree(shared.term, at=MARCH + 10 * DAY, exclusions=REFUNDS)
    ensure_periods(contract=world.contract, now=APRIL + DAY)
    shared.use({"output": 5 * MTOK})
    with pytest.raises(WrongFact, match="No output"):
        refund(shared, tokens=1)
    shared.use({"output": 7 * MTOK}, at=MARCH + 12 * DAY)
    stated, _ = refund(shared, tokens=7 * MTOK)
    assert (stated.document["from_at"], stated.document["to_at"]) == ("2026-03-11T00:00:00Z", "2026-04-01T00:00:00Z")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"refund": " "}, "refund"),
        ({"refund": "R" * 101}, "refund"),
        ({"refund": "R\x00"}, "refund"),
        ({"term_ref": "S-9999"}, "term"),
        ({"period_from_at": MARCH + DAY}, "period_from"),
        ({"period_from_at": APRIL, "now": MARCH + DAY}, "period_from"),
        ({"model": "other"}, "model"),
        ({"deployment": "00000000-0000-0000-0000-000000000009"}, "model"),
        ({"token_class": "input"}, "model"),
        ({"token_class": "cached_input"}, "token_class"),
        ({"tokens": 0}, "tokens"),
        ({"tokens": -1}, "tokens"),
        ({"tokens": 100 * MTOK + 1}, "tokens"),
    ],
)
def test_a_wrong_refund_is_refused_with_its_field_and_nothing_is_kept(
    shared: Shared, changed: dict[str, Any], field: str
) -> None:
    with pytest.raises(WrongFact) as refused:
        refund(shared, **changed)
    assert refused.value.extra["field"] == field
    assert not TermFact.objects.exists()
    assert not AuditEntry.objects.filter(action="revenue.refunded").exists()


def test_where_refunds_are_not_excluded_none_is_taken(world: World) -> None:
    made = world.share()
    ensure_periods(contract=world.contract, now=APRIL + DAY)
    with pytest.raises(WrongFact, match="does not exclude refunds"):
        refund(made)


def test_a_closed_period_takes_no_refund(shared: Shared) -> None:
    close(shared)
    with pytest.raises(FactTooLate, match="the one it is paid in"):
        refund(shared)
    assert not TermFact.objects.exists()


def test_each_party_states_its_own(world: World, shared: Shared) -> None:
    with pytest.raises(NotTheParty, match="tenant states refunds"):
        refund(shared, by=By(world.provider, "petra@example.com"))
    with pytest.raises(NotTheParty, match="provider states what audits found"):
        audit(shared, by=By(world.tenant, "alice@example.com"))


def test_a_finding_is_billed_in_the_open_period_and_its_cost_beyond_the_tolerance(shared: Shared) -> None:
    close(shared)
    stated, is_new = audit(shared)
    assert is_new
    assert stated.at == APRIL + 3 * DAY
    assert audit(shared, now=APRIL + 9 * DAY) == (stated, False)
    accept(shared)
    invoice = close(shared, APRIL, MAY + DAY)
    assert invoice is not None
    assert lines_of(invoice) == {"share_audit_difference": Decimal("10.5"), "share_audit_cost": Decimal("2.25")}
    assert differences(json.loads(InvoiceEvidence.objects.get(invoice=invoice).document)) == []
    assert AuditEntry.objects.get(action="revenue.audited").after == stated.document
    ensure_periods(contract=shared.term.contract, now=MAY + 32 * DAY)
    assert close(shared, MAY, MAY + 40 * DAY) is None


def test_a_finding_between_periods_counts_in_the_first_open_one(shared: Shared) -> None:
    close(shared)
    audit(shared, now=MAY + 2 * DAY)
    accept(shared, now=MAY + 3 * DAY)
    settled = TermFact.objects.get(document__fact="audit_finding")
    assert settled.at == APRIL
    assert settled.document["found_at"] == "2026-04-01T00:00:00Z"


def test_a_finding_within_the_tolerance_leaves_its_cost_to_who_ordered_it(shared: Shared) -> None:
    close(shared)
    audit(shared, found_share_amount=Decimal("30.9"))
    accept(shared)
    invoice = close(shared, APRIL, MAY + DAY)
    assert invoice is not None
    assert lines_of(invoice) == {"share_audit_difference": Decimal("0.9")}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"audit": ""}, "audit"),
        ({"term_ref": "S-9999"}, "term"),
        ({"period_from_at": MARCH + DAY}, "period_from"),
        ({"period_from_at": APRIL}, "period_from"),
        ({"found_share_amount": Decimal(30)}, "found_share_amount"),
        ({"found_share_amount": Decimal("NaN")}, "found_share_amount"),
        ({"reported_share_amount": Decimal(-1)}, "reported_share_amount"),
        ({"cost_amount": Decimal("0.00001")}, "cost_amount"),
        ({"cost_amount": Decimal(10) ** 15}, "cost_amount"),
    ],
)
def test_a_wrong_finding_is_refused_with_its_field_and_nothing_is_kept(
    shared: Shared, changed: dict[str, Any], field: str
) -> None:
    close(shared)
    with pytest.raises(WrongFact) as refused:
        audit(shared, **changed)
    assert refused.value.extra["field"] == field
    assert not TermFact.objects.exists()


def test_a_finding_under_a_reference_that_says_otherwise_is_refused(shared: Shared) -> None:
    close(shared)
    audit(shared)
    with pytest.raises(WrongFact, match="stated already, and otherwise"):
        audit(shared, cost_amount=Decimal(3))
    assert TermFact.objects.count() == 1


def test_a_statement_of_a_share_that_is_over_is_refused() -> None:
    world = make_world(tokens={(MODEL, "output"): "1"})
    made = share(world, Witness.GATEWAY, base="certified_revenue", statements={"due_days": 1})
    world.rolled(world.nodes[0], MAY + 30 * DAY)
    change = TermChange(made.term, ((APRIL, None),), bound={})
    add_version(contract=world.contract, changes=[change], effective_at=APRIL, now=APRIL)
    ensure_periods(contract=world.contract, now=APRIL + DAY)
    close(made, now=APRIL + 3 * DAY)
    assert BillingPeriod.objects.filter(contract=world.contract, state=PeriodState.OPEN).exists()
    with pytest.raises(StatementTooLate):
        state_revenue(
            contract=world.contract,
            term_ref=made.term.ref,
            period_from_at=MARCH,
            document=b"item,amount,currency\nsample,5,USD\n",
            certified_by="Ada",
            by="alice@example.com",
            now=APRIL + 4 * DAY,
        )


def test_what_was_stated_never_changes(shared: Shared) -> None:
    refund(shared)
    for sql in ("UPDATE billing_termfact SET at = now()", "DELETE FROM billing_termfact"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
