"""A held difference: both parties state a count, and what both state bills, at once or in the next open period."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError, connection, transaction

from billing.adjusting.last_bills import bill_late, contracts_with_late_usage
from billing.charging import ensure_periods
from billing.closing import CloseState, close_period
from billing.evidence import differences
from billing.models import (
    Contract,
    ContractVersion,
    InvoiceEvidence,
    InvoiceLine,
    Term,
    TermFact,
    TermWording,
    WitnessAnswer,
)
from billing.share_stating import AlreadySettled, By, WrongFact
from billing.term_versions import latest_version
from billing.witness_answers import answer_difference
from metering.models import Witness
from tenants.models import AuditEntry
from tests.billing.adjusting.test_restatements import wrong
from tests.billing.sharing import share
from tests.billing.world import APRIL, MARCH, MODEL, Shared, World, make_world
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
MTOK = 1_000_000
MAY = datetime(2026, 5, 1, tzinfo=APRIL.tzinfo)


@kept
def world(cast: Cast) -> World:
    return make_world(tokens={(MODEL, "output"): "1"}, parties=(cast.provider, cast.tenant))


@kept
def shared(world: World) -> Shared:
    """A share of 30 % whose witnesses counted 100 and 90 million in March, which is held."""
    made = share(world, Witness.GATEWAY, outside_tolerance="hold_and_ask")
    made.use({"output": 100 * MTOK}, witness=Witness.GATEWAY)
    made.use({"output": 90 * MTOK}, witness=Witness.ENGINE)
    ensure_periods(contract=world.contract, now=APRIL + DAY)
    world.rolled(world.nodes[0], MAY + 30 * DAY)
    return made


def answer(shared: Shared, party: str, mtok: int = 96, **changed: Any) -> bool:
    contract = shared.term.contract
    given: dict[str, Any] = {
        "contract": contract,
        "term_ref": shared.term.ref,
        "deployment": shared.deployment.id,
        "model": MODEL,
        "token_class": "output",
        "from_at": MARCH,
        "tokens": mtok * MTOK,
        "by": By(getattr(contract, party), f"{party}@example.com"),
        "now": APRIL + DAY,
    }
    return answer_difference(**{**given, **changed})


def latest(contract: Contract) -> ContractVersion:
    version = latest_version(contract)
    assert version is not None
    return version


def lines_at(shared: Shared, from_at: datetime, now: datetime) -> dict[str, Decimal]:
    closed = close_period(period_id=shared.term.contract.periods.get(from_at=from_at).id, now=now)
    assert closed.invoice is not None
    assert differences(json.loads(InvoiceEvidence.objects.get(invoice=closed.invoice).document)) == []
    found: dict[str, Decimal] = {}
    for line in InvoiceLine.objects.filter(invoice=closed.invoice):
        found[line.rule] = found.get(line.rule, Decimal(0)) + line.amount
    return found


def test_what_both_state_bills_in_its_open_period_which_then_closes(shared: Shared) -> None:
    period = shared.term.contract.periods.get(from_at=MARCH)
    assert close_period(period_id=period.id, now=APRIL + DAY).state is CloseState.WAITING
    assert not answer(shared, "provider")
    assert not TermFact.objects.exists()
    assert answer(shared, "tenant")
    lines = lines_at(shared, MARCH, APRIL + DAY)
    assert lines == {"token_share_list_price": Decimal(30), "share_excluded_witness_agreed": Decimal("-1.2")}
    period.refresh_from_db()
    assert period.accepted_gaps == []
    actions = AuditEntry.objects.filter(action__startswith="witnesses.").order_by("at", "pk")
    assert [one.action for one in actions] == ["witnesses.answered", "witnesses.answered", "witnesses.settled"]


def test_what_is_agreed_on_after_the_close_bills_once_in_the_next_open_period(shared: Shared) -> None:
    lines = lines_at(shared, MARCH, APRIL + 3 * DAY)
    assert lines == {"token_share_list_price": Decimal(30), "share_excluded_witness_held": Decimal(-3)}
    answer(shared, "tenant", now=APRIL + 5 * DAY)
    assert answer(shared, "provider", now=APRIL + 6 * DAY)
    assert lines_at(shared, APRIL, MAY + DAY) == {"share_witness_settled": Decimal("1.8")}
    ensure_periods(contract=shared.term.contract, now=MAY + 32 * DAY)
    closed = close_period(period_id=shared.term.contract.periods.get(from_at=MAY).id, now=MAY + 40 * DAY)
    assert (closed.state, closed.invoice) == (CloseState.CLOSED, None)


def test_a_party_may_change_its_mind_until_both_say_the_same(shared: Shared) -> None:
    assert not answer(shared, "provider", 90)
    assert not answer(shared, "tenant", 100)
    assert not answer(shared, "tenant", 100)
    assert WitnessAnswer.objects.count() == 2
    assert not answer(shared, "provider", 95)
    assert answer(shared, "tenant", 95)
    assert answer(shared, "provider", 95)
    assert TermFact.objects.count() == 1
    with pytest.raises(AlreadySettled):
        answer(shared, "provider", 90)
    assert WitnessAnswer.objects.count() == 4


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"term_ref": "S-9999"}, "term"),
        ({"from_at": MARCH - DAY}, "from"),
        ({"from_at": APRIL}, "from"),
        ({"from_at": MARCH + DAY}, "model"),
        ({"model": "other"}, "model"),
        ({"token_class": "input"}, "model"),
        ({"tokens": 90 * MTOK - 1}, "tokens"),
        ({"tokens": 100 * MTOK + 1}, "tokens"),
    ],
)
def test_a_wrong_answer_is_refused_with_its_field_and_nothing_is_kept(
    shared: Shared, changed: dict[str, Any], field: str
) -> None:
    with pytest.raises(WrongFact) as refused:
        answer(shared, "tenant", **changed)
    assert refused.value.extra["field"] == field
    assert not WitnessAnswer.objects.exists()


@pytest.mark.parametrize("goes_on", [True, False], ids=["the contract goes on", "the contract is over"])
def test_a_share_that_is_over_is_settled_on_the_next_or_a_last_bill(shared: Shared, *, goes_on: bool) -> None:
    contract = shared.term.contract
    Contract.objects.filter(pk=contract.pk).update(to_at=None if goes_on else APRIL)
    Term.objects.filter(pk=shared.term.pk).update(to_at=APRIL)
    TermWording.objects.create(term=shared.term, version=latest(contract), contract_version=99, from_at=APRIL)
    contract.periods.filter(from_at__gt=MARCH).delete()
    lines = lines_at(shared, MARCH, APRIL + 3 * DAY)
    assert lines == {"token_share_list_price": Decimal(30), "share_excluded_witness_held": Decimal(-3)}
    assert contracts_with_late_usage() == []
    answer(shared, "tenant", now=APRIL + 5 * DAY)
    assert answer(shared, "provider", now=APRIL + 6 * DAY)
    assert contracts_with_late_usage() == [contract.pk]
    assert bill_late(contract_id=contract.pk, now=APRIL + 7 * DAY)
    assert lines_at(shared, APRIL, MAY + DAY) == {"late_usage": Decimal("1.8")}
    assert [each for each in wrong() if not each.startswith("gateway usage")] == []


def test_an_answer_never_changes(shared: Shared) -> None:
    answer(shared, "tenant")
    for sql in ("UPDATE billing_witnessanswer SET tokens = 1", "DELETE FROM billing_witnessanswer"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
