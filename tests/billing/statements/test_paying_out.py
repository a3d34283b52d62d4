"""Payouts: made once of what is available, paid, failed, reversed; booked, and refused where they cannot be."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from billing.ledger import balances
from billing.models import (
    AccountKind,
    Payout,
    PayoutMethod,
    PayoutReversal,
    PayoutSchedule,
    PayoutState,
    PayoutTerms,
    ProviderStatement,
    StripePayee,
)
from billing.statements.gathering import entries_of
from billing.statements.months import over_at
from billing.statements.paying_out import (
    DuePayout,
    NoPayout,
    PayoutSettled,
    WrongPayout,
    due_payouts,
    make_payout,
    record_failed,
    record_paid,
    record_reversal,
)
from billing.statements.stating import WAIT, make_statement
from tenants.models import AuditEntry, Organization
from tests.billing.statements.stated import APRIL_MONTH, STATED_AT, broken, close_march, make_month, pay, state_march
from tests.billing.statements.test_stating import correct
from tests.billing.test_telling import kinds, listen
from tests.billing.world import APRIL, World
from tests.kept import kept

pytestmark = pytest.mark.django_db

NET = Decimal("1663.83")
LATER = APRIL + timedelta(days=30)
PAYABLE, TRANSIT, STRIPE, BANK = (
    AccountKind.PROVIDER_PAYABLE,
    AccountKind.PAYOUT_IN_TRANSIT,
    AccountKind.STRIPE_CLEARING,
    AccountKind.BANK_CLEARING,
)


def make_paid(*, method: PayoutMethod = PayoutMethod.BANK, **terms: object) -> World:
    """A provider whose tenant paid March by card."""
    world = make_month()
    pay(close_march(world))
    PayoutTerms.objects.create(provider=world.provider, method=method, **{"hold_days": 0, **terms})
    if method == PayoutMethod.STRIPE:
        make_payee(world.provider)
    return world


def make_payee(provider: Organization, *, can_receive: bool = True) -> StripePayee:
    return StripePayee.objects.create(
        provider=provider, account_id=f"acct_{provider.slug}", can_receive=can_receive, created_at=APRIL, seen_at=APRIL
    )


def payout_of(world: World, **given: object) -> Payout:
    return make_payout(provider_id=world.provider.id, currency="USD", by="sam", now=LATER, **given)  # type: ignore[arg-type]


def standing(organization: Organization) -> dict[AccountKind, Decimal]:
    return {kind: amount for (kind, _currency), amount in balances(organization_id=organization.id).items() if amount}


world = kept(make_paid)


@kept
def world_made() -> World:
    return make_paid(method=PayoutMethod.STRIPE)


def test_what_is_available_goes_out_once(world: World) -> None:
    payout = payout_of(world)
    assert (payout.number, payout.amount, payout.state, payout.next_try_at) == ("PO-0001", NET, "in_transit", None)
    assert standing(world.provider) == {TRANSIT: -NET, STRIPE: Decimal("1751.40")}
    with pytest.raises(NoPayout, match=r"0\.00 USD is available"):
        payout_of(world)
    assert broken() == []


def test_paid_by_bank_the_operators_bank_pays_and_what_stripe_holds_is_its_own(world: World) -> None:
    payout = payout_of(world)
    for _again in range(2):
        record_paid(payout_id=payout.id, reference="SEPA-1", by="sam", at=LATER, now=LATER)
    operator = Organization.objects.get(is_operator=True)
    assert standing(world.provider) == {STRIPE: Decimal("87.57")}
    assert standing(operator) == {AccountKind.OPERATOR_FEE: Decimal("-87.57"), STRIPE: NET, BANK: -NET}
    payout.refresh_from_db()
    assert (payout.state, payout.reference, payout.settled_at) == ("paid", "SEPA-1", LATER)
    assert list(
        AuditEntry.objects.filter(subject="payout PO-0001").values_list("action", flat=True).order_by("pk")
    ) == [
        "payout.made",
        "payout.paid",
    ]
    assert broken() == []


def test_paid_by_transfer_stripe_holds_the_fee_alone(world_made: World) -> None:
    world = world_made
    payout = payout_of(world)
    assert (payout.account_id, payout.next_try_at) == (f"acct_{world.provider.slug}", LATER)
    record_paid(payout_id=payout.id, reference="tr_1", by="payouts", at=LATER, now=LATER)
    assert standing(world.provider) == {STRIPE: Decimal("87.57")}


def test_one_that_failed_is_owed_again_and_goes_out_anew(world: World) -> None:
    payout = payout_of(world)
    for _again in range(2):
        record_failed(payout_id=payout.id, reason="account closed", by="sam", now=LATER)
    assert standing(world.provider) == {PAYABLE: -NET, STRIPE: Decimal("1751.40")}
    with pytest.raises(PayoutSettled):
        record_paid(payout_id=payout.id, reference="SEPA-1", by="sam", at=LATER, now=LATER)
    assert payout_of(world).number == "PO-0002"
    assert broken() == []


@pytest.mark.parametrize("method", list(PayoutMethod))
def test_what_comes_back_is_owed_again(method: PayoutMethod) -> None:
    world = make_paid(method=method)
    payout = payout_of(world)
    record_paid(payout_id=payout.id, reference="out-1", by="sam", at=LATER, now=LATER)
    before = standing(Organization.objects.get(is_operator=True))

    def back(amount: str, reference: str) -> PayoutReversal:
        return record_reversal(
            payout_id=payout.id, amount=Decimal(amount), reference=reference, reason="sample", by="sam", at=LATER
        )

    assert back("663.83", "back-1") == back("663.83", "back-1")
    assert standing(world.provider) == {PAYABLE: Decimal("-663.83"), STRIPE: Decimal("751.40")}
    with pytest.raises(WrongPayout, match="was recorded before"):
        back("1.00", "back-1")
    with pytest.raises(WrongPayout, match=r"1000\.00 USD of PO-0001 can come back"):
        back("1000.01", "back-2")
    back("1000.00", "back-2")
    payout.refresh_from_db()
    assert payout.state == PayoutState.REVERSED
    assert standing(world.provider) == {PAYABLE: -NET, STRIPE: Decimal("1751.40")}
    if method == PayoutMethod.BANK:
        assert before[BANK] == -NET
    assert BANK not in standing(Organization.objects.get(is_operator=True))
    with pytest.raises(PayoutSettled):
        back("0.01", "back-3")
    assert broken() == []


def test_a_payout_in_transit_cannot_come_back(world: World) -> None:
    payout = payout_of(world)
    with pytest.raises(PayoutSettled):
        record_reversal(payout_id=payout.id, amount=NET, reference="x", reason="x", by="sam", at=LATER)


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"minimum_amount": Decimal("1663.84")}, "the least is 1663.84"),
        ({"held_reason": "identity is being checked"}, "identity is being checked"),
        ({"hold_days": 60}, r"0\.00 USD is available, and the least is 0\.01\..* held back for 60 days: 1\d{3}\.\d\d;"),
        ({"reserve_amount": NET}, r"0\.00 USD is available, .* reserve: 1663\.83\."),
    ],
)
def test_what_holds_a_payout_back_is_said(world: World, terms: dict[str, object], said: str) -> None:
    PayoutTerms.objects.update(**terms)
    with pytest.raises(NoPayout, match=said):
        payout_of(world)


def test_the_minimum_itself_is_enough(world: World) -> None:
    PayoutTerms.objects.update(minimum_amount=NET)
    assert payout_of(world).amount == NET


def test_an_account_that_is_not_ready_receives_nothing(world_made: World) -> None:
    world = world_made
    StripePayee.objects.update(can_receive=False)
    with pytest.raises(NoPayout, match="cannot receive transfers yet"):
        payout_of(world)


def test_the_operator_pays_nothing_to_itself(world: World) -> None:
    Organization.objects.filter(is_operator=True).update(is_operator=False)
    Organization.objects.filter(pk=world.provider.pk).update(is_operator=True)
    with pytest.raises(NoPayout, match="is the operator"):
        payout_of(world)
    assert due_payouts(now=LATER) == []


def test_what_was_paid_too_much_is_carried_and_made_up_for(world: World) -> None:
    record_paid(payout_id=payout_of(world).id, reference="SEPA-1", by="sam", at=LATER, now=LATER)
    correct(world, "100.00", at=LATER)
    with pytest.raises(NoPayout, match=r"0\.00 USD is available"):
        payout_of(world)
    other = make_month(parties=(world.provider, world.tenant))
    pay(close_march(other))
    assert payout_of(world).amount == NET - 100


def test_the_schedule_with_statements_pays_once_after_each(world: World) -> None:
    assert due_payouts(now=STATED_AT) == []
    statement = state_march(world)
    assert due_payouts(now=STATED_AT) == [DuePayout(world.provider.id, "USD")]
    made = make_payout(provider_id=world.provider.id, currency="USD", by="payouts", now=STATED_AT, scheduled=True)
    assert made.statement == statement
    assert due_payouts(now=LATER) == []
    with pytest.raises(NoPayout, match="not time"):
        payout_of(world, scheduled=True)


@pytest.mark.parametrize(
    ("schedule", "after_days"), [(PayoutSchedule.DAILY, 1), (PayoutSchedule.WEEKLY, (7 - LATER.weekday()))]
)
def test_other_schedules_pay_once_a_day_or_week(world: World, schedule: PayoutSchedule, after_days: int) -> None:
    PayoutTerms.objects.update(schedule=schedule)
    assert due_payouts(now=LATER) == [DuePayout(world.provider.id, "USD")]
    payout_of(world, scheduled=True)
    midnight = LATER.replace(hour=0, minute=0)
    assert due_payouts(now=midnight + timedelta(days=after_days, seconds=-1)) == []
    assert due_payouts(now=midnight + timedelta(days=after_days)) == [DuePayout(world.provider.id, "USD")]


def test_payouts_stand_on_the_next_statement(world: World) -> None:
    first = state_march(world)
    assert first is not None
    assert first.closing == NET
    record_paid(payout_id=payout_of(world).id, reference="SEPA-1", by="sam", at=LATER, now=LATER)
    following = make_statement(
        provider_id=world.provider.id, currency="USD", month=APRIL_MONTH, now=over_at(APRIL_MONTH) + WAIT
    )
    assert following is None  # LATER lies in May
    may = make_statement(
        provider_id=world.provider.id,
        currency="USD",
        month=APRIL_MONTH.replace(month=5),
        now=LATER + timedelta(days=90),
    )
    assert may is not None
    assert (may.opening, may.paid_out, may.closing) == (NET, -NET, Decimal(0))
    assert -sum(entries_of(world.provider.id, "USD").values_list("amount", flat=True)) == 0
    assert ProviderStatement.objects.count() == 2
    assert broken() == []


@pytest.mark.parametrize("text", ["", "x" * 201])
def test_a_reference_has_1_to_200_characters(world: World, text: str) -> None:
    payout = payout_of(world)
    with pytest.raises(WrongPayout):
        record_paid(payout_id=payout.id, reference=text, by="sam", at=LATER, now=LATER)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_payout SET amount = amount + 1",
        "UPDATE billing_payout SET state = 'reversed', settled_at = now()",
        "DELETE FROM billing_payout",
        "UPDATE billing_payout SET currency = 'EUR'",
    ],
)
def test_the_database_refuses_to_change_what_a_payout_is(world: World, statement: str) -> None:
    payout_of(world)
    with (
        pytest.raises(DatabaseError, match="payout PO-0001 cannot"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_the_database_refuses_more_back_than_was_paid(world: World) -> None:
    payout = payout_of(world)
    record_paid(payout_id=payout.id, reference="SEPA-1", by="sam", at=LATER, now=LATER)
    with pytest.raises(DatabaseError, match="more came back"), transaction.atomic():
        PayoutReversal.objects.create(
            payout=payout, amount=NET + 1, reason="x", reference="x", by="x", at=LATER
        )  # fmt: skip


def test_programs_of_the_provider_are_told(world: World) -> None:
    listen(world.provider)
    record_failed(payout_id=payout_of(world).id, reason="account closed", by="sam", now=LATER)
    record_paid(payout_id=payout_of(world).id, reference="SEPA-1", by="sam", at=LATER, now=LATER)
    assert kinds(world.provider) == ["payout.created", "payout.failed", "payout.created", "payout.paid"]
