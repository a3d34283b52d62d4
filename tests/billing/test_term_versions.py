from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from billing.canonical import digest
from billing.contracting import open_contract
from billing.models import Contract, ContractVersion, Term, TermWording
from billing.rating.lease_wording import LeaseWording
from billing.rating.wording import FOREVER, Wording
from billing.term_versions import TermChange, add_version, broken_links, said_over
from billing.terminating import terminate_contract
from tests.billing.world import APRIL, H100, MARCH, MODEL, World, make_world
from tests.factories import Cast
from tests.kept import kept

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
DAY = timedelta(days=1)
DEARER = LeaseWording(accelerator_model=H100, price_per_gpu_hour=Decimal(3))


def versions(contract: Contract) -> list[ContractVersion]:
    return list(contract.versions.order_by("number"))


def change(world: World, term: Term, *said: tuple[datetime, Wording | None]) -> ContractVersion:
    changes = [TermChange(term, list(said), {})]
    return add_version(contract=world.contract, changes=changes, effective_at=said[0][0], now=MARCH)


world = kept(make_world)


def test_a_new_contract_has_a_first_version_without_terms(cast: Cast) -> None:
    contract = open_contract(
        provider=cast.provider, tenant=cast.tenant, currency="USD", time_zone="UTC", from_at=MARCH, now=MARCH
    )
    [first] = versions(contract)
    document = json.loads(first.document)
    assert (first.number, first.previous_sha256, document["terms"], document["changes"]) == (1, "", [], [])
    assert document["header"]["tenant"] == cast.tenant.slug
    assert first.sha256 == digest(first.document)


def test_every_version_seals_all_that_is_in_force_and_the_one_before() -> None:
    world = make_world(tokens={(MODEL, "input"): "1"})
    lease, shared = world.lease(2, from_at=NOON), world.share()
    first, second = versions(world.contract)
    assert (first.number, second.number, world.contract.versions.count()) == (1, 2, 2)
    assert second.previous_sha256 == first.sha256
    terms = json.loads(second.document)["terms"]
    assert [(term["ref"], term["wordings"][0]["version"]) for term in terms] == [(lease.ref, 1), (shared.term.ref, 2)]
    assert terms[0]["wordings"][0]["wording"]["price_per_gpu_hour"] == "2.35"
    [changed] = json.loads(second.document)["changes"]
    assert changed["bound"] == {"deployments": [str(shared.deployment.id)]}
    assert broken_links(world.contract) == []


def test_a_term_added_later_leaves_the_version_of_the_others(world: World) -> None:
    first = world.lease(1, from_at=NOON)
    world.lease(1, from_at=NOON)
    assert [stretch.contract_version for stretch in first.stretches()] == [1]


def test_a_later_wording_holds_from_its_instant_and_a_term_ends_where_it_says(world: World) -> None:
    lease = world.lease(1, from_at=NOON)
    change(world, lease, (NOON + DAY, DEARER), (NOON + 3 * DAY, None))
    lease.refresh_from_db()
    assert (lease.from_at, lease.to_at) == (NOON, NOON + 3 * DAY)
    assert [(each.contract_version, each.from_at, each.to_at) for each in lease.stretches()] == [
        (1, NOON, NOON + DAY),
        (2, NOON + DAY, NOON + 3 * DAY),
    ]
    assert lease.wording_at(NOON - DAY) == lease.wording_at(NOON) != DEARER
    assert lease.wording_at(NOON + DAY) == lease.wording_at(APRIL) == DEARER
    change(world, lease, *said_over(DEARER, NOON + 3 * DAY, None))
    lease.refresh_from_db()
    assert lease.to_at is None
    assert lease.stretches()[-1].to_at == FOREVER


def test_a_term_that_never_began_says_nothing(world: World) -> None:
    lease = world.lease(1, from_at=NOON)
    terminate_contract(contract=world.contract, at=NOON - DAY, now=MARCH)
    lease.refresh_from_db()
    assert (lease.from_at, lease.to_at, lease.stretches()) == (NOON, NOON, ())
    with pytest.raises(LookupError, match=lease.ref):
        lease.wording_at(NOON)
    assert json.loads(versions(world.contract)[-1].document)["terms"] == []


def test_what_was_over_before_a_version_is_not_repeated_in_it(world: World) -> None:
    past = world.lease(1, from_at=MARCH, to_at=NOON)
    world.lease(1, from_at=NOON)
    assert past.ref not in {term["ref"] for term in json.loads(versions(world.contract)[-1].document)["terms"]}


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE billing_contractversion SET document = '{}' WHERE number = 1", "version 1: the text has another hash"),
        ("UPDATE billing_contractversion SET previous_sha256 = '' WHERE number = 2", "version 2: follows another"),
        ("UPDATE billing_contractversion SET number = 5 WHERE number = 2", "version 2 is missing"),
    ],
)
def test_a_broken_chain_is_found(statement: str, found: str, world: World) -> None:
    world.lease(1)
    world.lease(1)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE billing_contractversion DISABLE TRIGGER billing_contractversion_append_only")
        cursor.execute(statement)
    assert any(each.startswith(found) for each in broken_links(world.contract))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_term SET kind = 'storage'",
        "UPDATE billing_term SET ref = 'L-9'",
        "DELETE FROM billing_term",
        "UPDATE billing_termwording SET document = NULL",
        "DELETE FROM billing_termwording",
    ],
)
def test_the_database_refuses_to_change_what_was_agreed(statement: str) -> None:
    make_world().lease(1)
    with pytest.raises(DatabaseError, match="refused"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert (Term.objects.count(), TermWording.objects.count()) == (1, 1)
