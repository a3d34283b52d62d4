"""What a proposal would have cost: the latest period that is over, by both, to the cent."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.agreements.already_used import AlreadyUsed
from billing.agreements.answers import amendment_json, contract_json, version_json
from billing.agreements.drafting import propose
from billing.agreements.previews import Preview, preview, wording_before
from billing.agreements.standing import preview_of
from billing.charging import charge_period, ensure_periods
from billing.terms import gpu_hour_price, terms_by_id, terms_of
from tests.billing.agreements.agreed import (
    DAY,
    NOON,
    PRICES,
    accepted,
    lease_wording,
    new_lease,
    offered,
    provider,
    share_wording,
)
from tests.billing.world import APRIL, H100, MARCH, World, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db

ZERO = Decimal(0)


@kept
def world() -> World:
    made = make_world(tokens=PRICES, gpus={H100: "2"})
    ensure_periods(contract=made.contract, now=MARCH)
    return made


def previewed(world: World, *changes: dict[str, Any], now: Any = APRIL + DAY) -> Preview:
    made = propose(contract_id=world.contract.id, changes=list(changes), by=provider(world), now=MARCH)
    found = preview_of(made, now)
    assert found is not None
    return found


def test_a_dearer_lease_is_rated_over_the_time_that_it_was_held(world: World) -> None:
    lease = world.lease(1, from_at=NOON, to_at=NOON + DAY)
    found = previewed(world, {"ref": lease.ref, "from_at": NOON.isoformat(), "wording": lease_wording()})
    assert (found.from_at, found.to_at, found.currency) == (MARCH, APRIL, "USD")
    assert (found.before, found.after) == (24 * Decimal("2.35"), Decimal(72))
    [row] = found.terms
    assert (row.ref, row.is_new, row.ends, row.after - row.before) == (lease.ref, False, False, Decimal("15.60"))
    assert [(each.before, each.after) for each in row.words] == [("2.35", "3")]


def test_a_deposit_is_named_in_what_a_proposal_costs(world: World) -> None:
    change = new_lease(world.make_slices(2))
    change["wording"] |= {"deposit_amount": "500"}
    found = previewed(world, change)
    assert (found.after, found.deposit) == (Decimal(2 * 744 * 3 + 500), Decimal(500))
    [row] = found.terms
    assert (row.after, row.deposit) == (found.after, Decimal(500))


def test_a_balance_that_would_pay_for_what_was_used_says_so(world: World) -> None:
    now = NOON + DAY
    world.lease(1, from_at=NOON, to_at=None)
    charge_period(period_id=world.period().id, up_to=now, now=now)
    grant = {"name": "first", "amount": "100", "from_at": now.isoformat()}
    change = {"from_at": now.isoformat(), "wording": {"kind": "credit", "grants": [grant]}}
    [row] = previewed(world, change, now=now).terms
    assert row.already_used == AlreadyUsed(MARCH, APRIL, 24 * Decimal("2.35"))


def test_a_new_lease_counts_as_held_for_the_whole_period(world: World) -> None:
    found = previewed(world, new_lease(world.make_slices(2)))
    assert (found.before, found.after) == (ZERO, Decimal(2 * 744 * 3))
    [row] = found.terms
    assert (row.is_new, row.before) == (True, ZERO)
    assert row.wordings[0] is None


def test_a_term_that_ends_costs_nothing_and_others_that_stay_are_left_out(world: World) -> None:
    ending = world.lease(1, from_at=NOON, to_at=NOON + DAY)
    world.lease(1, from_at=NOON, to_at=NOON + DAY)
    found = previewed(world, {"ref": ending.ref, "from_at": (NOON + DAY / 2).isoformat(), "wording": None})
    assert [(row.ref, row.ends, row.after) for row in found.terms] == [(ending.ref, True, ZERO)]
    assert found.before == 2 * found.after == 48 * Decimal("2.35")


def test_a_share_is_rated_by_what_its_deployments_made(world: World) -> None:
    shared = world.share(percent="30")
    shared.use({"output": 10_000_000}, at=NOON)
    found = previewed(world, {"ref": shared.term.ref, "from_at": NOON.isoformat(), "wording": share_wording("10")})
    assert (found.before, found.after) == (Decimal("3.30"), Decimal("1.10"))
    assert not found.unpriced


def test_usage_without_a_price_is_told(world: World) -> None:
    shared = world.share()
    shared.use({"output": 10_000_000}, at=NOON, model="unknown-model")
    found = previewed(world, {"ref": shared.term.ref, "from_at": NOON.isoformat(), "wording": share_wording("10")})
    assert found.unpriced


def test_without_a_period_that_is_over_the_last_thirty_days_count(world: World) -> None:
    now = NOON + timedelta(minutes=59, seconds=59)
    found = preview(world.contract, (), now)
    assert (found.from_at, found.to_at) == (NOON - 30 * DAY, NOON)
    assert found.terms == ()
    assert (found.before, found.after) == (ZERO, ZERO)


def test_nothing_stored_changes_by_looking(world: World) -> None:
    lease = world.lease(1, from_at=NOON)
    before = (world.contract.version, list(lease.wordings.values_list("id", flat=True)))
    previewed(world, {"ref": lease.ref, "from_at": NOON.isoformat(), "wording": lease_wording("9")})
    [again] = terms_of([world.contract.pk])
    assert (again.contract.version, [each.pk for each in again.wordings.all()]) == before


def test_what_a_term_said_before_an_instant(world: World) -> None:
    lease = world.lease(1, from_at=NOON, to_at=NOON + 3 * DAY)
    change = {"ref": lease.ref, "from_at": (NOON + DAY).isoformat(), "wording": lease_wording()}
    accepted(world, offered(world, change))
    term = terms_by_id([lease.id])[lease.id]
    prices = [gpu_hour_price(term, NOON + each * DAY) for each in (0, 1, 2)]
    assert prices == [Decimal("2.35"), Decimal(3), Decimal(3)]
    assert wording_before(term, NOON - DAY) is None
    assert wording_before(None, NOON) is None
    assert wording_before(term, NOON) == term.wording_at(NOON) != wording_before(term, NOON + DAY)


def test_terms_come_in_order_and_of_their_contract_alone(world: World, django_assert_num_queries: Any) -> None:
    lease, shared = world.lease(1), world.share()
    other = make_world().lease(1)
    with django_assert_num_queries(2):
        found = terms_of([world.contract.pk])
        assert [term.ref for term in found] == sorted([lease.ref, shared.term.ref])
        assert all(term.stretches() for term in found)
    assert set(terms_by_id([lease.id, other.id])) == {lease.id, other.id}
    assert terms_of([]) == []
    assert gpu_hour_price(found[0] if found[0].kind == "token_share" else found[1], MARCH) is None


def test_the_answers_write_instants_in_utc_and_money_to_the_cent(world: World) -> None:
    lease = world.lease(1, from_at=NOON, to_at=NOON + DAY)
    made = offered(world, {"ref": lease.ref, "from_at": NOON.isoformat(), "wording": lease_wording()})
    told = amendment_json(made, ("accept",), preview_of(made, APRIL + DAY))
    assert (told["effective_at"], told["decided_at"], told["version"]) == ("2026-03-05T12:00:00Z", None, None)
    assert (told["actions"], told["accepted_by"], told["sha256"]) == (["accept"], [], made.sha256)
    assert {name: told["difference"][name] for name in ("before", "after", "unpriced", "currency")} == {
        "before": "56.40",
        "after": "72.00",
        "unpriced": False,
        "currency": "USD",
    }
    assert told["difference"]["terms"][0]["words"] == [{"field": "price_per_gpu_hour", "before": "2.35", "after": "3"}]
    assert amendment_json(made, (), None)["difference"] is None


def test_versions_are_answered_with_the_words_of_both_or_none(world: World) -> None:
    lease = world.lease(1, from_at=NOON, to_at=NOON + DAY)
    change = {"ref": lease.ref, "from_at": NOON.isoformat(), "wording": lease_wording()}
    done = accepted(world, offered(world, change))
    first, second = (version_json(each) for each in world.contract.versions.order_by("number"))
    assert (first["amendment"], first["accepted_by"], second["amendment"]) == (None, [], done.number)
    assert second["previous_sha256"] == first["sha256"]
    assert {word["name"] for word in second["accepted_by"]} == {"Petra Sample", "Alice Sample"}
    assert {word["sha256"] for word in second["accepted_by"]} == {second["sha256"]}
    world.contract.refresh_from_db()
    told = contract_json(world.contract)
    assert (told["version"], told["to_at"], told["open_amendment_id"]) == (2, None, None)
    [term] = told["terms"]
    assert (term["from_at"], term["to_at"]) == ("2026-03-05T12:00:00Z", "2026-03-06T12:00:00Z")
    assert [each["version"] for each in term["wordings"]] == [2]
