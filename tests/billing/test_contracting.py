from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing.contracting import (
    DeploymentTaken,
    Hold,
    SliceTaken,
    WrongTerms,
    add_lease,
    add_lease_allocations,
    add_token_share,
    open_contract,
)
from billing.models import Contract, ContractState, PeriodKind, Term
from billing.rating.lease_wording import LeaseWording
from billing.rating.share_words import CollectedBy
from clusters.models import Allocation, Slice
from metering.models import Witness
from tenants.models import Organization
from tests import factories
from tests.billing.world import APRIL, H100, MARCH, MODEL, World, make_world

pytestmark = pytest.mark.django_db

TENTH = datetime(2026, 3, 10, tzinfo=UTC)
TWENTIETH = datetime(2026, 3, 20, 12, tzinfo=UTC)


def opened(provider: Organization, tenant: Organization, **changes: object) -> Contract:
    terms: dict[str, object] = {"currency": "USD", "time_zone": "UTC", "from_at": MARCH, "now": MARCH, **changes}
    return open_contract(provider=provider, tenant=tenant, **terms)  # type: ignore[arg-type]  # changed by name


def leased(world: World, slices: list[Slice], from_at: datetime, to_at: datetime | None) -> Term:
    return add_lease(
        contract=world.contract, slices=slices, from_at=from_at, to_at=to_at, price_per_gpu_hour=None, now=MARCH
    )


def test_contracts_are_numbered_one_after_the_other(cast: factories.Cast) -> None:
    first = opened(cast.provider, cast.tenant, number="C-0041")
    second = opened(cast.provider, cast.tenant)
    opened(cast.provider, cast.tenant, number="by hand")
    third = opened(cast.provider, cast.tenant)
    assert (first.number, second.number, third.number) == ("C-0041", "C-0042", "C-0043")
    assert second.state == ContractState.ACTIVE


def test_a_contract_starts_at_a_full_second(cast: factories.Cast) -> None:
    contract = opened(cast.provider, cast.tenant, from_at=MARCH + timedelta(microseconds=999_999))
    assert contract.from_at == MARCH


@pytest.mark.parametrize(
    "changes",
    [
        {"currency": "XYZ"},
        {"time_zone": "Mars/Olympus"},
        {"to_at": MARCH},
        {"period_kind": PeriodKind.FIXED_LENGTH},
        {"period_length_s": 60},
    ],
)
def test_a_contract_that_contradicts_itself_is_refused(cast: factories.Cast, changes: dict[str, object]) -> None:
    with pytest.raises(WrongTerms):
        opened(cast.provider, cast.tenant, **changes)


def test_a_contract_needs_a_provider_a_tenant_and_the_provider_s_own_book(cast: factories.Cast) -> None:
    with pytest.raises(WrongTerms, match="must be a provider"):
        opened(cast.tenant, cast.provider)
    book = factories.make_price_book(cast.outsider)
    with pytest.raises(WrongTerms, match="price book"):
        opened(cast.provider, cast.tenant, price_book=book)


def test_a_lease_holds_every_slice_for_the_tenant() -> None:
    world = make_world()
    lease = world.lease(2, from_at=TENTH, to_at=TWENTIETH)
    assert lease.wording_at(TENTH) == LeaseWording(accelerator_model=H100, price_per_gpu_hour=Decimal("2.35"))
    assert lease.title == f"2 × {H100}"
    held = Allocation.objects.filter(term_allocation__term=lease)
    assert set(held.values_list("tenant", "from_at", "to_at")) == {(world.tenant.id, TENTH, TWENTIETH)}
    assert held.count() == 2


def test_a_held_slice_is_refused_with_where_and_until_when_and_nothing_is_stored() -> None:
    world = make_world()
    held, free = world.make_slices(2)
    leased(world, [held], TENTH, TWENTIETH)
    with pytest.raises(SliceTaken) as taken:
        leased(world, [free, held], TENTH - timedelta(days=1), TENTH + timedelta(seconds=1))
    assert taken.value.extra == {
        "slice": str(held.id),
        "held_from": TENTH.isoformat(),
        "held_to": TWENTIETH.isoformat(),
    }
    assert taken.value.status == 409
    assert Term.objects.count() == 1
    assert not Allocation.objects.filter(slice=free).exists()


def test_a_lease_may_begin_at_the_instant_another_ends() -> None:
    world = make_world()
    slices = world.make_slices(1)
    leased(world, slices, TENTH, TWENTIETH)
    leased(world, slices, TWENTIETH, None)
    leased(world, slices, MARCH, TENTH)
    assert Allocation.objects.count() == 3


def test_one_slice_asked_for_twice_is_refused() -> None:
    world = make_world()
    [held] = world.make_slices(1)
    with pytest.raises(SliceTaken, match="twice"):
        leased(world, [held, held], TENTH, None)


def test_only_slices_in_service_of_one_model_at_the_provider_can_be_leased() -> None:
    world, other = make_world(), make_world()
    with pytest.raises(WrongTerms, match="1 of 1"):
        leased(world, other.make_slices(1), TENTH, None)
    with pytest.raises(WrongTerms, match="1 of 2"):
        leased(world, world.make_slices(1) + world.make_slices(1, model="NVIDIA A100"), TENTH, None)
    [retired] = world.make_slices(1)
    Slice.objects.filter(pk=retired.pk).update(retired_at=MARCH)
    with pytest.raises(WrongTerms):
        leased(world, [retired], TENTH, None)
    with pytest.raises(WrongTerms, match="at least one"):
        leased(world, [], TENTH, None)


def test_a_lease_lies_within_its_contract() -> None:
    world = make_world(to_at=TWENTIETH)
    slices = world.make_slices(1)
    for from_at, to_at in (
        (MARCH - timedelta(days=1), TENTH),
        (TENTH, None),
        (TENTH, APRIL),
        (TWENTIETH, TENTH),
    ):
        with pytest.raises(WrongTerms):
            leased(world, slices, from_at, to_at)
    with pytest.raises(WrongTerms, match="price"):
        add_lease(
            contract=world.contract,
            slices=slices,
            from_at=TENTH,
            to_at=TWENTIETH,
            price_per_gpu_hour=Decimal(-1),
            now=MARCH,
        )


def test_thousands_of_spans_are_allocated_at_once() -> None:
    world = make_world()
    lease = world.lease(1, from_at=MARCH)
    slices = world.make_slices(8)
    hour = timedelta(hours=1)
    holds = [Hold(held, MARCH + number * hour, MARCH + (number + 1) * hour) for held in slices for number in range(300)]
    assert len(add_lease_allocations(lease=lease, holds=holds, now=MARCH)) == 2_400
    assert lease.allocations.count() == 2_401
    with pytest.raises(SliceTaken):
        add_lease_allocations(lease=lease, holds=[Hold(slices[0], MARCH)], now=MARCH)
    with pytest.raises(WrongTerms, match="outside the lease"):
        add_lease_allocations(lease=lease, holds=[Hold(slices[0], MARCH - hour)], now=MARCH)


def test_a_share_binds_deployments_of_the_same_parties_once() -> None:
    world = make_world(tokens={(MODEL, "input"): "1"})
    shared = world.share()
    foreign = factories.make_deployment(world.provider, factories.make_organization("somebody"))

    def add(*deployments: object, percent: str = "30", **changes: object) -> Term:
        terms: dict[str, object] = {
            "contract": world.contract,
            "deployments": list(deployments),
            "share_percent": Decimal(percent),
            "witness": Witness.ENGINE,
            "from_at": MARCH,
            "to_at": None,
            "now": MARCH,
            **changes,
        }
        return add_token_share(**terms)  # type: ignore[arg-type]  # changed by name

    with pytest.raises(DeploymentTaken, match=shared.term.ref):
        add(shared.deployment)
    with pytest.raises(WrongTerms, match="not between"):
        add(foreign)
    with pytest.raises(WrongTerms, match="at least one"):
        add()
    own = factories.make_deployment(world.provider, world.tenant)
    with pytest.raises(WrongTerms, match="twice"):
        add(own, own)
    with pytest.raises(WrongTerms, match="at most 100"):
        add(own, percent="100.1")
    with pytest.raises(WrongTerms, match="witness"):
        add(own, witness=Witness.ENERGY)
    with pytest.raises(WrongTerms, match="operator"):
        add(own, collected_by=CollectedBy.OPERATOR)
    assert add(own).title == own.name


def test_a_share_without_a_price_book_has_no_list_price(cast: factories.Cast) -> None:
    contract = opened(cast.provider, cast.tenant)
    deployment = factories.make_deployment(cast.provider, cast.tenant)
    with pytest.raises(WrongTerms, match="no price book"):
        add_token_share(
            contract=contract,
            deployments=[deployment],
            share_percent=Decimal(30),
            witness=Witness.ENGINE,
            from_at=MARCH,
            to_at=None,
            now=MARCH,
        )
