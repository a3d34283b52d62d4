"""Every page and list asks the database a bounded number of questions, however many rows there are."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.charging import ensure_periods
from billing.closing import close_period
from clusters.models import Cluster
from metering.models import UsageGap
from tests.billing.world import APRIL, MARCH, make_world
from tests.factories import make_user
from tests.filled import DAY, Filled, api_key, fill
from tests.read_pages import query_of, read_addresses, readers

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

QUERIES_MAX = 60
# Made by typesetting and checked files, which are kept: no page of the portal.
DOCUMENTS = ("-pdf", "-document", "-xml", "-zip", "api-schema")


@pytest.fixture
def filled(cast: Cast) -> Filled:
    return fill(cast)


def grow(cast: Cast, rounds: int) -> None:
    """More of everything that pages list: contracts, leases, nodes, models, hours, invoices, gaps, people, keys."""
    for number in range(rounds):
        models = [f"agate-{number}-{size}" for size in range(2)]
        prices = {(model, token_class): "0.30" for model in models for token_class in ("input", "output")}
        world = make_world(tokens=prices, parties=(cast.provider, cast.tenant))
        for model in models:
            shared = world.share(model=model, rolled_to_at=APRIL)
            for day in range(3):
                shared.use({"input": 3_000, "output": 500}, at=MARCH + day * DAY, model=model)
        world.lease(2, rolled_to_at=APRIL)
        ensure_periods(contract=world.contract, now=MARCH)
        assert close_period(period_id=world.period().id, now=APRIL + DAY).invoice is not None
        gap = {"subject": "node", "reason": "node_silent", "from_at": MARCH, "to_at": MARCH + timedelta(hours=1)}
        UsageGap.objects.create(node=world.nodes[0], **gap)
        for organization in (cast.tenant, cast.provider):
            make_user(f"person-{Cluster.objects.count()}@{organization.slug}.example.com", organization)
            api_key(organization)


def count_queries(clients: dict[str, Client], filled: Filled) -> dict[str, list[str]]:
    """What each address asks of the database."""
    found = {}
    for caller, address in read_addresses():
        if address.name.endswith(DOCUMENTS):
            continue
        with CaptureQueriesContext(connection) as captured:
            answer = clients[caller].get(address.path(filled), query_of(address, filled))
            if answer.streaming:
                b"".join(answer)
        assert answer.status_code == 200, f"{address}: {answer.status_code}"
        found[str(address)] = [query["sql"] for query in captured.captured_queries]
    return found


@pytest.mark.unmeasured
def test_no_page_asks_more_of_the_database_with_more_rows(cast: Cast, filled: Filled) -> None:
    clients = readers(cast)
    grow(cast, 1)
    few = count_queries(clients, filled)
    grow(cast, 2)
    many = count_queries(clients, filled)
    grown = {
        name: f"{len(few[name])} queries, {len(many[name])} with more rows"
        for name in few
        if len(many[name]) > len(few[name])
    }
    assert not grown
    above = {name: len(asked) for name, asked in many.items() if len(asked) > QUERIES_MAX}
    assert not above
