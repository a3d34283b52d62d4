"""What the database itself refuses of terms, wordings, bindings and carries, whoever writes them."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from billing.charging import ensure_periods
from billing.models import (
    ContractVersion,
    PeriodCarry,
    Term,
    TermAllocation,
    TermDeployment,
    TermFact,
    TermWording,
)
from billing.rating.inputs import Carried
from billing.rating.kinds import write_fact
from billing.rating.share_wording import TokenShareWording
from billing.term_versions import TermChange, add_version
from tests.billing.world import APRIL, MARCH, World, make_world
from tests.kept import kept

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
MIDDLE = MARCH + 14 * DAY


@contextmanager
def refused(name: str) -> Iterator[None]:
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        yield


world = kept(make_world)


def test_a_term_ends_no_earlier_than_it_begins() -> None:
    term = make_world().share().term
    with refused("term_span"):
        Term.objects.filter(pk=term.pk).update(to_at=term.from_at - DAY)
    assert Term.objects.filter(pk=term.pk).update(to_at=term.from_at) == 1


def test_a_reference_belongs_to_one_term() -> None:
    one, two = make_world().share().term, make_world().share().term
    with refused("ref"):
        Term.objects.filter(pk=two.pk).update(ref=one.ref)


def test_a_deployment_is_under_one_term_at_any_instant_and_may_change_hands_at_one(world: World) -> None:
    first, second = world.share(), world.share()
    deployment = first.deployment
    TermDeployment.objects.filter(term=first.term).update(to_at=MIDDLE)
    with refused("deployment_under_one_term"):
        TermDeployment.objects.create(term=second.term, deployment=deployment, from_at=MIDDLE - DAY, to_at=None)
    TermDeployment.objects.create(term=second.term, deployment=deployment, from_at=MIDDLE, to_at=APRIL)
    with refused("deployment_under_one_term"):
        TermDeployment.objects.create(term=first.term, deployment=deployment, from_at=APRIL - DAY, to_at=None)
    TermDeployment.objects.create(term=first.term, deployment=deployment, from_at=APRIL, to_at=None)
    assert TermDeployment.objects.filter(deployment=deployment).count() == 3


def test_a_binding_ends_no_earlier_than_it_begins() -> None:
    bound = TermDeployment.objects.filter(term=make_world().share().term)
    with refused("term_deployment_span"):
        bound.update(to_at=MARCH - DAY)
    assert bound.get().to_at is None


def test_a_slice_that_is_held_belongs_to_one_term(world: World) -> None:
    first, second = world.lease(), world.lease()
    held = TermAllocation.objects.get(term=first)
    with refused("allocation_id"):
        TermAllocation.objects.create(term=second, allocation=held.allocation)


def test_a_version_of_a_contract_has_its_number_once_and_counts_from_one() -> None:
    share = make_world().share()
    known = ContractVersion.objects.filter(contract=share.term.contract).latest("number")
    same = {"contract": known.contract, "effective_at": MARCH, "document": "{}", "sha256": "0", "created_at": MARCH}
    with refused("contract_version_once"):
        ContractVersion.objects.create(number=known.number, **same)
    with refused("contract_version"):
        ContractVersion.objects.create(number=0, **same)
    assert ContractVersion.objects.create(number=known.number + 1, **same).previous_sha256 == ""


def test_a_wording_of_a_version_is_said_once_of_an_instant() -> None:
    said = TermWording.objects.get(term=make_world().share().term)
    with refused("term_wording_once"):
        TermWording.objects.create(
            term=said.term,
            version=said.version,
            contract_version=said.contract_version,
            from_at=said.from_at,
            document=None,
        )


def test_a_period_hands_on_one_value_by_a_name_for_each_term(world: World) -> None:
    ensure_periods(contract=world.contract, now=MARCH)
    about = {"period": world.period(), "value": Decimal(1)}
    PeriodCarry.objects.create(term_ref="M-1", name="shortfall_amount", **about)
    with refused("period_carry_once"):
        PeriodCarry.objects.create(term_ref="M-1", name="shortfall_amount", **about)
    PeriodCarry.objects.create(term_ref="M-2", name="shortfall_amount", **about)
    PeriodCarry.objects.create(term_ref="M-1", name="recoupable_amount", **about)


def test_what_was_agreed_stated_and_handed_on_is_never_changed_or_removed(world: World) -> None:
    term = world.share().term
    ensure_periods(contract=world.contract, now=MARCH)
    TermFact.objects.create(
        term=term,
        at=MARCH,
        document=write_fact(Carried(name="n", value=Decimal(1))),
        recorded_by="sample",
        recorded_at=MARCH,
    )
    PeriodCarry.objects.create(period=world.period(), term_ref=term.ref, name="n", value=Decimal(1))
    changes = (
        (ContractVersion, {"sha256": "0"}),
        (TermWording, {"from_at": MIDDLE}),
        (TermFact, {"recorded_by": "another"}),
        (PeriodCarry, {"value": Decimal(2)}),
    )
    for model, change in changes:
        rows = model._default_manager.all()
        assert rows.exists()
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            rows.update(**change)
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            rows._raw_delete(rows.db)


def test_a_term_says_at_an_instant_what_is_in_force_and_outside_its_time_the_nearest(world: World) -> None:
    term = world.share(percent="30").term
    halved = TokenShareWording(share_percent=Decimal(15), witness="gateway")
    changes = [TermChange(term, [(MIDDLE, halved), (APRIL, None)], {})]
    add_version(contract=world.contract, changes=changes, effective_at=MIDDLE, now=MARCH)
    term = Term.objects.get(pk=term.pk)
    asked = (MARCH - DAY, MARCH, MIDDLE - DAY, MIDDLE, APRIL, APRIL + DAY)
    assert [int(getattr(term.wording_at(at), "share_percent", 0)) for at in asked] == [30, 30, 30, 15, 15, 15]
    assert [(each.from_at, each.to_at) for each in term.stretches()] == [(MARCH, MIDDLE), (MIDDLE, APRIL)]
    assert term.stretches(APRIL, APRIL + DAY) == ()


def test_a_term_that_was_taken_back_before_it_began_says_nothing(world: World) -> None:
    term = world.share().term
    changes = [TermChange(term, [(MARCH, None)], {})]
    add_version(contract=world.contract, changes=changes, effective_at=MARCH, now=MARCH)
    term = Term.objects.get(pk=term.pk)
    assert term.stretches() == ()
    with pytest.raises(LookupError, match=f"{term.ref} was taken back"):
        term.wording_at(MARCH)
