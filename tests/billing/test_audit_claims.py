"""A finding of an audit bills once its tenant has accepted it, or let the days to dispute it pass; never before."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.adjusting.last_bills import bill_late, contracts_with_late_usage
from billing.audit_claims import (
    NOTE_CHARS_MAX,
    UNANSWERED,
    Claim,
    ClaimState,
    answer_audit,
    claims_of,
    settle_unanswered,
)
from billing.bases import read_basis, window_of
from billing.charging import ensure_periods
from billing.closing import close_period
from billing.models import Contract, InvoiceLine, TermFact
from billing.share_stating import AlreadySettled, By, NotTheParty, WrongFact, state_audit
from billing.term_versions import TermChange, add_version
from metering.models import Witness
from tenants.hook_models import WebhookEvent
from tenants.models import AuditEntry, Organization
from tests.billing.adjusting.test_restatements import wrong
from tests.billing.sharing import share
from tests.billing.test_telling import listen
from tests.billing.world import APRIL, MARCH, MODEL, Shared, World, make_world

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
MAY = datetime(2026, 5, 1, tzinfo=APRIL.tzinfo)
STATED_AT = APRIL + 3 * DAY


def audited(world: World | None = None, *, ends_at: datetime | None = None, **document: Any) -> Shared:
    """A share of 30 % of 100 USD in March, which is closed, and of which an audit found 40.50 instead of 30."""
    world = world or make_world(tokens={(MODEL, "output"): "1"})
    shared = share(world, Witness.GATEWAY, **document)
    shared.use({"output": 100_000_000})
    if ends_at is not None:
        change = TermChange(shared.term, ((ends_at, None),), bound={})
        add_version(contract=world.contract, changes=[change], effective_at=ends_at, now=MARCH)
        Contract.objects.filter(pk=world.contract.pk).update(to_at=ends_at)
        world.contract.refresh_from_db()
    ensure_periods(contract=world.contract, now=APRIL + DAY)
    world.rolled(world.nodes[0], MAY + 30 * DAY)
    close_period(period_id=world.period().id, now=APRIL + 2 * DAY)
    state_audit(
        contract=world.contract,
        term_ref=shared.term.ref,
        audit="A-1",
        period_from_at=MARCH,
        reported_share_amount=Decimal(30),
        found_share_amount=Decimal("40.5"),
        cost_amount=Decimal("2.25"),
        by=By(world.provider, "petra@example.com"),
        now=STATED_AT,
    )
    return shared


def answer(shared: Shared, *, accepts: bool, now: datetime = APRIL + 5 * DAY, **changed: Any) -> Claim:
    contract = shared.term.contract
    given: dict[str, Any] = {
        "contract": contract,
        "term_ref": shared.term.ref,
        "audit": "A-1",
        "note": "",
        "by": By(contract.tenant, "alice@example.com"),
    }
    return answer_audit(**{**given, **changed}, accepts=accepts, now=now)


def april(shared: Shared, now: datetime = MAY + DAY) -> dict[str, Decimal]:
    closed = close_period(period_id=shared.term.contract.periods.get(from_at=APRIL).id, now=now)
    return (
        {}
        if closed.invoice is None
        else {row.rule: row.amount for row in InvoiceLine.objects.filter(invoice=closed.invoice)}
    )


FOUND = {"share_audit_difference": Decimal("10.5"), "share_audit_cost": Decimal("2.25")}


def test_what_the_tenant_has_not_answered_is_on_no_bill_and_nothing_is_rated_from_it() -> None:
    shared = audited()
    assert settle_unanswered(now=MAY + 300 * DAY) == 0
    period = shared.term.contract.periods.get(from_at=APRIL)
    [term] = read_basis(window_of(period)).terms
    assert [fact for fact in term.facts if type(fact).__name__ == "AuditFinding"] == []
    assert april(shared) == {}


def test_what_the_tenant_accepts_bills_once() -> None:
    shared = audited()
    claim = answer(shared, accepts=True, note="Right.")
    assert (claim.state, claim.counts_from) == (ClaimState.SETTLED, APRIL + 5 * DAY)
    assert answer(shared, accepts=True, now=APRIL + 6 * DAY).state is ClaimState.SETTLED
    with pytest.raises(AlreadySettled):
        answer(shared, accepts=False)
    assert TermFact.objects.filter(document__fact="audit_finding").count() == 1
    assert AuditEntry.objects.filter(action="audit.accepted").count() == 1
    assert april(shared) == FOUND
    assert [each for each in wrong() if not each.startswith("gateway usage")] == []


def test_what_is_disputed_waits_until_it_is_accepted_after_all() -> None:
    shared = audited(settlement={"dispute_days": 10})
    assert answer(shared, accepts=False, note="Those were tests.").state is ClaimState.DISPUTED
    assert answer(shared, accepts=False).note == "Those were tests."
    assert settle_unanswered(now=MAY) == 0
    assert april(shared) == {}
    claim = answer(shared, accepts=True, now=MAY + 3 * DAY)
    assert (claim.state, claim.counts_from) == (ClaimState.SETTLED, MAY + 3 * DAY)


def test_days_to_dispute_that_pass_without_a_word_settle_it() -> None:
    shared = audited(settlement={"dispute_days": 10})
    stated = TermFact.objects.get(document__fact="audit_claim")
    [claim] = claims_of([stated])
    assert (claim.state, claim.answer_by) == (ClaimState.OPEN, STATED_AT + 10 * DAY)
    assert settle_unanswered(now=STATED_AT + 10 * DAY - timedelta(seconds=1)) == 0
    assert settle_unanswered(now=STATED_AT + 10 * DAY) == 1
    assert settle_unanswered(now=STATED_AT + 11 * DAY) == 0
    [claim] = claims_of([stated])
    assert (claim.state, claim.settled_by) == (ClaimState.SETTLED, UNANSWERED)
    with pytest.raises(AlreadySettled, match=UNANSWERED):
        answer(shared, accepts=False, now=STATED_AT + 12 * DAY)
    assert april(shared) == FOUND


def test_a_word_that_comes_too_late_settles_it_as_silence_did() -> None:
    shared = audited(settlement={"dispute_days": 1})
    with pytest.raises(AlreadySettled):
        answer(shared, accepts=False, now=STATED_AT + DAY)
    assert answer(shared, accepts=True, now=STATED_AT + DAY).settled_by == UNANSWERED


def test_of_a_share_that_is_over_its_period_is_corrected_on_a_last_bill() -> None:
    shared = audited(ends_at=APRIL)
    contract = shared.term.contract
    assert contracts_with_late_usage() == []
    answer(shared, accepts=True)
    assert contracts_with_late_usage() == [contract.pk]
    assert bill_late(contract_id=contract.pk, now=APRIL + 6 * DAY)
    closed = close_period(period_id=contract.periods.get(from_at=APRIL).id, now=MAY + DAY)
    assert closed.invoice is not None
    assert closed.invoice.subtotal == Decimal("12.75")
    assert [each for each in wrong() if not each.startswith("gateway usage")] == []


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"audit": "A-9"}, "audit"), ({"term_ref": "S-9999"}, "term"), ({"note": "x" * (NOTE_CHARS_MAX + 1)}, "note")],
)
def test_a_wrong_answer_is_refused_with_its_field(changed: dict[str, Any], field: str) -> None:
    shared = audited()
    with pytest.raises(WrongFact) as refused:
        answer(shared, accepts=True, **changed)
    assert refused.value.extra["field"] == field
    with pytest.raises(NotTheParty):
        answer(shared, accepts=True, by=By(shared.term.contract.provider, "petra@example.com"))
    assert TermFact.objects.count() == 1


def told(organization: Organization) -> list[tuple[str, Any]]:
    events = WebhookEvent.objects.filter(organization=organization, kind__startswith="audit.").order_by("at", "pk")
    return [(event.kind, event.body["settled_by"]) for event in events]


@pytest.mark.parametrize(
    ("words", "last"),
    [
        ((False, True), [("audit.disputed", None), ("audit.settled", "alice@example.com")]),
        ((True, True), [("audit.settled", "alice@example.com")]),
        ((), [("audit.settled", UNANSWERED)]),
    ],
)
def test_both_parties_programs_are_told_of_each_step_once(words: tuple[bool, ...], last: list[tuple[str, Any]]) -> None:
    world = make_world(tokens={(MODEL, "output"): "1"})
    for party in (world.provider, world.tenant):
        listen(party)
    shared = audited(world, settlement={"dispute_days": 10})
    for place, accepts in enumerate(words):
        answer(shared, accepts=accepts, now=STATED_AT + (1 + place) * DAY)
    for days in (11, 12):
        settle_unanswered(now=STATED_AT + days * DAY)
    assert told(world.tenant) == told(world.provider) == [("audit.stated", None), *last]
    body = WebhookEvent.objects.filter(organization=world.tenant, kind="audit.stated").get().body
    claim = TermFact.objects.get(document__fact="audit_claim")
    assert body == {
        "id": str(claim.pk),
        "audit": "A-1",
        "contract_id": str(world.contract.pk),
        "contract": world.contract.number,
        "term": shared.term.ref,
        "currency": "USD",
        "period_from": claim.document["from_at"],
        "period_to": claim.document["to_at"],
        "reported_share_amount": "30",
        "found_share_amount": "40.5",
        "cost_amount": "2.25",
        "answer_by": claim.document["answer_by"].replace("+00:00", "Z"),
        "settled_by": None,
    }
