"""Stating what no meter knows, killed before any of its writes: nothing is kept, and the next call does all of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from billing.audit_claims import answer_audit
from billing.charging import ensure_periods
from billing.closing import close_period
from billing.models import RevenueStatement, TermFact, WitnessAnswer
from billing.revenue_statements import state_revenue
from billing.share_stating import By, state_audit, state_refund
from billing.witness_answers import answer_difference
from metering.models import Witness
from tenants.models import AuditEntry
from tests.billing.killed import Killed, at_write, counts_in, die
from tests.billing.sharing import share
from tests.billing.world import APRIL, MARCH, MODEL, Shared, World, make_world
from tests.kept import kept

pytestmark = [pytest.mark.django_db, pytest.mark.unmeasured]

DAY = timedelta(days=1)
MTOK = 1_000_000
MAY = datetime(2026, 5, 1, tzinfo=APRIL.tzinfo)
KEPT = (TermFact, RevenueStatement, WitnessAnswer, AuditEntry)
FILE = b"item,amount,currency\nsample,95,USD\n"


@kept
def world() -> World:
    return make_world(tokens={(MODEL, "output"): "1"})


def used(world: World, **document: object) -> Shared:
    """A share with 100 USD of output in March, which is over and open."""
    made = share(world, Witness.GATEWAY, **document)
    made.use({"output": 100 * MTOK})
    ensure_periods(contract=world.contract, now=APRIL + DAY)
    world.rolled(world.nodes[0], MAY)
    return made


def counts() -> dict[str, int]:
    return counts_in(KEPT)


def killed_everywhere(act: Callable[[], object], *, least: int) -> None:
    """Kill an act before each of its writes, hold that it leaves nothing, and let it end at last."""
    before, place = counts(), 0
    while True:
        place += 1
        try:
            with connection.execute_wrapper(at_write(place, die)):
                act()
        except Killed:
            assert counts() == before
        else:
            break
    # The last round saw every write of the act, so each was a place to die at.
    assert place > least


def test_a_refund_is_stated_whole_or_not_at_all(world: World) -> None:
    shared = used(world, exclusions=[{"rule": "refunds"}])

    def act() -> tuple[TermFact, bool]:
        return state_refund(
            contract=world.contract,
            term_ref=shared.term.ref,
            refund="R-1",
            period_from_at=MARCH,
            deployment=shared.deployment.id,
            model=MODEL,
            token_class="output",
            tokens=10 * MTOK,
            by=By(world.tenant, "alice@example.com"),
            now=APRIL + DAY,
        )

    killed_everywhere(act, least=2)
    assert not act()[1]
    assert TermFact.objects.get().document["tokens"] == 10 * MTOK
    assert AuditEntry.objects.filter(action="revenue.refunded").count() == 1
    invoice = close_period(period_id=world.period().id, now=APRIL + 3 * DAY).invoice
    assert invoice is not None
    assert invoice.total == 27


def test_a_finding_is_stated_whole_or_not_at_all(world: World) -> None:
    shared = used(world)
    close_period(period_id=world.period().id, now=APRIL + 2 * DAY)

    def act() -> tuple[TermFact, bool]:
        return state_audit(
            contract=world.contract,
            term_ref=shared.term.ref,
            audit="A-1",
            period_from_at=MARCH,
            reported_share_amount=Decimal(30),
            found_share_amount=Decimal(36),
            cost_amount=Decimal(2),
            by=By(world.provider, "petra@example.com"),
            now=APRIL + 3 * DAY,
        )

    killed_everywhere(act, least=2)
    assert not act()[1]
    assert TermFact.objects.count() == AuditEntry.objects.filter(action="revenue.audited").count() == 1
    by = By(world.tenant, "alice@example.com")
    answer_audit(
        contract=world.contract,
        term_ref=shared.term.ref,
        audit="A-1",
        accepts=True,
        note="",
        by=by,
        now=APRIL + 4 * DAY,
    )
    ensure_periods(contract=world.contract, now=MAY + DAY)
    invoice = close_period(period_id=world.period(APRIL).id, now=MAY + 2 * DAY).invoice
    assert invoice is not None
    assert invoice.total == 8


def test_certified_revenue_is_stated_whole_or_not_at_all(world: World) -> None:
    shared = used(world, base="certified_revenue", statements={"due_days": 21})

    def act() -> tuple[RevenueStatement, bool]:
        return state_revenue(
            contract=world.contract,
            term_ref=shared.term.ref,
            period_from_at=MARCH,
            document=FILE,
            certified_by="Ada Example",
            by="alice@example.com",
            now=APRIL + DAY,
        )

    killed_everywhere(act, least=3)
    assert not act()[1]
    assert RevenueStatement.objects.get().fact == TermFact.objects.get()
    invoice = close_period(period_id=world.period().id, now=APRIL + 3 * DAY).invoice
    assert invoice is not None
    assert invoice.total == Decimal("28.5")


def test_the_second_word_on_a_held_difference_is_kept_with_what_is_agreed_or_not_at_all(world: World) -> None:
    shared = used(world, outside_tolerance="hold_and_ask")
    shared.use({"output": 90 * MTOK}, witness=Witness.ENGINE)

    def answer(by: By) -> bool:
        return answer_difference(
            contract=world.contract,
            term_ref=shared.term.ref,
            deployment=shared.deployment.id,
            model=MODEL,
            token_class="output",
            from_at=MARCH,
            tokens=95 * MTOK,
            by=by,
            now=APRIL + DAY,
        )

    assert not answer(By(world.provider, "petra@example.com"))
    killed_everywhere(lambda: answer(By(world.tenant, "alice@example.com")), least=4)
    assert WitnessAnswer.objects.count() == 2
    assert TermFact.objects.get().document["tokens"] == 95 * MTOK
    actions = AuditEntry.objects.filter(action__startswith="witnesses.").values_list("action", flat=True)
    assert sorted(actions) == ["witnesses.answered", "witnesses.answered", "witnesses.settled"]
