"""What waits at each stage: only what could be worked on now, counted where it stands."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from billing.charging import ensure_periods
from billing.models import BillingPeriod, DocumentState, DocumentStep, Invoice, SettlementState, StripeEvent
from billing.pipeline.backlog import Backlog, Stage, backlogs
from metering.event_models import WaitingEvents
from metering.models import NodeCursor, RollupCursor
from tenants.ids import new_id
from tests.billing.banking.statements import Movement, make_account, take_one
from tests.billing.corrections.kept import by_hand
from tests.billing.issued import ISSUED_AT, make_issued
from tests.billing.pipeline.test_failures import letters
from tests.billing.world import APRIL, HOUR, MARCH, MODEL, make_world
from tests.factories import Cast, make_cluster, make_node
from tests.kept import kept

pytestmark = pytest.mark.django_db
NOW = ISSUED_AT + timedelta(days=1)


def waiting() -> dict[Stage, Backlog]:
    return {one.stage: one for one in backlogs(NOW) if one.count}


@kept
def invoice(cast: Cast) -> Invoice:
    return make_issued(parties=(cast.provider, cast.tenant))


def test_every_stage_is_there_also_where_nothing_waits(
    db: None, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(19):
        found = backlogs(NOW)
    assert [one.stage for one in found] == list(Stage)
    assert {(one.count, one.oldest_at) for one in found} == {(0, None)}


def test_batches_and_events_wait_until_they_are_rolled_up(cast: Cast) -> None:
    node = make_node(make_cluster(cast.provider), public_key=b"k" * 32)
    NodeCursor.objects.filter(node=node).update(last_seq=9)
    RollupCursor.objects.filter(node=node).update(rolled_seq=4, rolled_to_at=APRIL)
    silent = make_node(make_cluster(cast.provider, "sample-2"), public_key=b"l" * 32)
    NodeCursor.objects.filter(node=silent).update(last_seq=2)
    RollupCursor.objects.filter(node=silent).update(rolled_seq=2, rolled_to_at=MARCH)
    for place in range(2):
        WaitingEvents.objects.create(call=new_id(), received_at=APRIL + place * HOUR, events=40)
    assert waiting() == {
        Stage.BATCHES: Backlog(Stage.BATCHES, 5, APRIL),
        Stage.EVENTS: Backlog(Stage.EVENTS, 80, APRIL),
    }


def test_a_period_waits_to_be_charged_and_then_to_be_closed(cast: Cast) -> None:
    world = make_world(tokens={(MODEL, "input"): "3"}, parties=(cast.provider, cast.tenant))
    ensure_periods(contract=world.contract, now=MARCH)
    BillingPeriod.objects.update(rated_at=APRIL - 3 * HOUR)
    assert waiting() == {
        Stage.CHARGING: Backlog(Stage.CHARGING, 1, APRIL - 3 * HOUR),
        Stage.CLOSING: Backlog(Stage.CLOSING, 1, APRIL),
    }
    BillingPeriod.objects.update(rated_at=APRIL)
    assert set(waiting()) == {Stage.CLOSING}


def test_what_is_tried_later_does_not_wait_now(cast: Cast, invoice: Invoice) -> None:
    settlement = by_hand(invoice, SettlementState.COLLECT)
    step = DocumentStep.objects.create(
        subject_id=invoice.pk,
        subject="invoice",
        issuer=cast.provider,
        recipient=cast.tenant,
        state=DocumentState.WAITING,
        next_try_at=ISSUED_AT,
        updated_at=ISSUED_AT,
    )
    assert waiting() == {
        Stage.DOCUMENTS: Backlog(Stage.DOCUMENTS, 1, ISSUED_AT),
        Stage.COLLECTING: Backlog(Stage.COLLECTING, 1, ISSUED_AT),
    }
    for row in (settlement, step):
        row.next_try_at = NOW + HOUR
        row.save(update_fields=["next_try_at"])
    assert waiting() == {}


def test_money_and_letters_wait_with_the_oldest_of_them(cast: Cast, invoice: Invoice) -> None:
    letters(invoice, tries=0)
    make_account(cast.provider)
    movement = take_one(cast.provider, Movement("12.50"))
    StripeEvent.objects.create(event_id="evt_1", type="x", object_id="y", payload={}, received_at=APRIL)
    found = waiting()
    assert found[Stage.LETTERS] == Backlog(Stage.LETTERS, 2, ISSUED_AT)
    assert found[Stage.STRIPE_EVENTS] == Backlog(Stage.STRIPE_EVENTS, 1, APRIL)
    assert found[Stage.BANK] == Backlog(Stage.BANK, 1, movement.created_at)
