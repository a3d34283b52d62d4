"""What is due and how it fits what was metered, for both parties and nobody else, in constant queries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.charging import ensure_periods
from billing.queries.revenue import DueState, due_rows, held_in, statement_file, statements_of
from billing.revenue_statements import state_revenue
from metering.models import Witness
from tests.billing.sharing import agree, share
from tests.billing.world import APRIL, MARCH, MODEL, Shared, World, make_world
from tests.factories import make_organization
from tests.kept import kept

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
CERTIFIED: dict[str, Any] = {
    "base": "certified_revenue",
    "statements": {"due_days": 21},
    "exclusions": [{"rule": "taxes", "percent": "25"}],
}


def make_shared(world: World) -> Shared:
    made = share(world, Witness.GATEWAY, **CERTIFIED)
    made.use({"output": 125_000_000})
    ensure_periods(contract=world.contract, now=APRIL + DAY)
    return made


@kept
def world() -> World:
    return make_world(tokens={(MODEL, "output"): "1"})


def state(shared: Shared, amount: str) -> None:
    state_revenue(
        contract=shared.term.contract,
        term_ref=shared.term.ref,
        period_from_at=MARCH,
        document=f"item,amount,currency\nsample,{amount},USD\n".encode(),
        certified_by="Ada Example",
        by="alice@example.com",
        now=APRIL + DAY,
    )


shared = kept(make_shared)


def test_a_due_statement_waits_and_is_then_estimated(world: World) -> None:
    make_shared(world)
    for party in (world.tenant, world.provider):
        (row,) = due_rows(party, APRIL + DAY)
        assert (row.state, row.due.due_at, row.due.statement) == (DueState.WAITING, APRIL + 21 * DAY, None)
    (row,) = due_rows(world.tenant, APRIL + 21 * DAY)
    assert row.state is DueState.ESTIMATED
    assert due_rows(world.tenant, APRIL - DAY) == ()
    assert due_rows(make_organization("outsider"), APRIL + DAY) == ()


@pytest.mark.parametrize(("amount", "within"), [("97", True), ("96.99", False), ("103.1", False)])
def test_what_was_stated_is_checked_against_list_times_metered_less_exclusions(
    world: World, amount: str, within: bool, shared: Shared
) -> None:
    state(shared, amount)
    (row,) = due_rows(world.provider, APRIL + 2 * DAY)
    assert row.state is DueState.STATED
    assert row.check.metered == 100
    assert row.check.is_within is within


def test_a_contract_and_a_file_are_told_to_its_parties_only(world: World) -> None:
    state(make_shared(world), "97")
    found = statements_of(world.tenant, world.contract.id)
    assert found is not None
    (statement,) = found
    outsider = make_organization("outsider")
    assert statements_of(outsider, world.contract.id) is None
    assert statement_file(outsider, statement.id) is None
    assert statement_file(world.provider, statement.id) == statement
    assert due_rows(world.tenant, APRIL + DAY, contract_id=make_world().contract.id) == ()


def test_shares_of_list_price_are_not_asked(world: World) -> None:
    agree(make_shared(world).term, base="list_price", statements=None)
    assert due_rows(world.tenant, APRIL + DAY) == ()


def test_more_shares_and_contracts_need_no_more_queries(world: World) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            due_rows(world.tenant, APRIL + 2 * DAY)
        return len(caught)

    state(make_shared(world), "97")
    before = queries()
    for _ in range(2):
        more = make_world(tokens={(MODEL, "output"): "1"}, parties=(world.provider, world.tenant))
        state(make_shared(more), "95")
    assert len(due_rows(world.tenant, APRIL + 2 * DAY)) == 3
    assert queries() == before


def test_only_shares_that_hold_a_difference_are_read_for_what_is_held(world: World) -> None:
    """Two shares count apart alike; the one that bills a witness, whatever the other says, has nothing to answer."""
    asks = share(world, Witness.GATEWAY, outside_tolerance="hold_and_ask")
    bills = share(world, Witness.GATEWAY)
    for made in (asks, bills):
        made.use({"output": 100_000_000}, witness=Witness.GATEWAY)
        made.use({"output": 90_000_000}, witness=Witness.ENGINE)
    ensure_periods(contract=world.contract, now=APRIL + DAY)
    [held] = held_in({world.contract.pk}, APRIL + DAY)
    assert (held.term, held.held.tokens, held.period.from_at) == (asks.term, 10_000_000, MARCH)
    agree(asks.term, outside_tolerance="bill_witness")
    with CaptureQueriesContext(connection) as caught:
        assert held_in({world.contract.pk}, APRIL + DAY) == []
    assert len(caught) <= 2
