"""A contract's price rule is drafted, offered, accepted, hashed, amended and ended as every other term is."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from billing.agreements.drafting import propose, read_for
from billing.agreements.previews import preview
from billing.charging import charge_period, ensure_periods
from billing.closing import close_period
from billing.evidence import differences
from billing.holding import WrongTerms
from billing.models import Amendment, Charge, Term
from billing.price_rules import rules_of
from billing.term_versions import broken_links
from tests.billing.agreements.agreed import (
    DAY,
    PRICES,
    accepted,
    drafted_contract,
    offered,
    parties,
    provider,
)
from tests.billing.world import APRIL, MARCH, MODEL, World, make_world
from tests.factories import make_price_book, make_price_version
from tests.kept import kept

pytestmark = pytest.mark.django_db

OWN = {"model": MODEL, "quantity": "output", "price_per_mtok": "0.50"}


def ruled(from_at: Any = MARCH, ref: str = "", to_at: Any = None, **rule: Any) -> dict[str, Any]:
    return {
        "ref": ref,
        "from_at": from_at.isoformat(),
        "to_at": to_at and to_at.isoformat(),
        "wording": {"kind": "price_rule", **rule},
    }


def refused(world: World, *changes: dict[str, Any]) -> dict[str, Any]:
    with pytest.raises(WrongTerms) as caught:
        propose(contract_id=world.contract.id, changes=list(changes), by=provider(world), now=MARCH)
    assert not Amendment.objects.exists()
    assert caught.value.extra["reason"]
    assert "example" in caught.value.extra
    return dict(caught.value.extra)


world = kept(parties)


def test_what_both_accept_decides_the_price_and_stands_in_hash_and_evidence(world: World) -> None:
    assert world.book is not None
    world.share(percent="100").use({"output": 1_000_000}, at=MARCH + DAY)
    ensure_periods(contract=world.contract, now=MARCH)
    made = offered(world, ruled(overrides=[OWN]))
    assert rules_of([world.contract.id]) == {}
    made = accepted(world, made)
    assert made.version is not None
    document = json.loads(made.version.document)
    [rule] = [term for term in document["terms"] if term["kind"] == "price_rule"]
    assert rule["wordings"][0]["wording"]["overrides"][0]["price_per_mtok"] == "0.5"
    assert broken_links(world.contract) == []
    charge_period(period_id=world.period().id, up_to=APRIL, now=APRIL)
    assert Charge.objects.get().unit_price == Decimal("0.50")
    invoice = close_period(period_id=world.period().id, now=APRIL + 3 * DAY).invoice
    assert invoice is not None
    evidence = json.loads(invoice.evidence.document)
    assert differences(evidence) == []
    assert [term["wordings"][0]["wording"]["overrides"] for term in evidence["terms"] if term["kind"] == "price_rule"]


def test_another_rule_gives_another_hash(world: World) -> None:
    hashes = set()
    for days in (30, 31):
        drafted = drafted_contract(world, ruled(notice_days=days))
        hashes.add(json.dumps(drafted.changes))
    one = offered(world, ruled(notice_days=30))
    assert '"notice_days":30' in one.document
    assert len(hashes) == 2


def test_a_rule_is_amended_from_an_instant_and_ended(world: World) -> None:
    accepted(world, offered(world, ruled(notice_days=30)))
    ref = Term.objects.get(kind="price_rule").ref
    assert ref.startswith("R-")
    accepted(world, offered(world, ruled(MARCH + 5 * DAY, ref, notice_days=60)))
    end = {"ref": ref, "from_at": (MARCH + 9 * DAY).isoformat(), "wording": None}
    accepted(world, offered(world, end))
    stretches = rules_of([world.contract.id])[world.contract.id]
    assert [(one.wording.notice_days, one.from_at, one.to_at) for one in stretches] == [
        (30, MARCH, MARCH + 5 * DAY),
        (60, MARCH + 5 * DAY, MARCH + 9 * DAY),
    ]
    accepted(world, offered(world, ruled(MARCH + 12 * DAY, notice_days=7)))
    assert [one.wording.notice_days for one in rules_of([world.contract.id])[world.contract.id]] == [30, 60, 7]


def test_a_contract_has_one_rule_at_a_time(world: World) -> None:
    assert "change it" in refused(world, ruled(notice_days=1), ruled(MARCH + DAY, notice_days=2))["reason"]
    apart = [ruled(notice_days=1, to_at=MARCH + DAY), ruled(MARCH + DAY, notice_days=2)]
    accepted(world, offered(world, *apart))
    with pytest.raises(WrongTerms, match="end it first"):
        offered(world, ruled(MARCH + 3 * DAY, notice_days=5))


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"notice_days": -1}, "changes[0].wording.notice_days"),
        (
            {"pin": {"price_version_id": str(UUID(int=0))}},
            "changes[0].wording.pin.price_version_id",
        ),
        ({"lock": {"from_at": "2026-03-01T00:00:00"}}, "changes[0].wording.lock.from_at"),
        ({"overrides": [{**OWN, "price_per_mtok": "-1"}]}, "changes[0].wording.overrides[0].price_per_mtok"),
        ({"rise_cap": {"percent_per_year": "5"}}, "changes[0].wording.rise_cap.from_at"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_field(rule: dict[str, Any], field: str) -> None:
    assert refused(parties(), ruled(**rule))["field"] == field


def test_a_version_of_another_book_cannot_be_pinned(world: World) -> None:
    other = make_price_version(make_price_book(world.provider), tokens=PRICES)
    assert refused(world, ruled(pin={"price_version_id": str(other.id)}))["field"].endswith("price_version_id")


def test_without_a_book_only_own_prices_can_be_agreed(world: World) -> None:
    bare = {"price_book": None}
    with pytest.raises(WrongTerms, match="no price book"):
        drafted_contract(world, ruled(notice_days=3), **bare)
    assert drafted_contract(world, ruled(overrides=[OWN]), **bare).number == 1


def test_neither_a_rule_nor_its_end_changes_what_is_charged() -> None:
    world = make_world(tokens=PRICES)
    accepted(world, offered(world, ruled(notice_days=30)))
    ensure_periods(contract=world.contract, now=MARCH)
    charge_period(period_id=world.period().id, up_to=MARCH + 2 * DAY, now=MARCH + 2 * DAY)
    ref = Term.objects.get(kind="price_rule").ref
    for change in (
        ruled(MARCH + DAY, ref, notice_days=1),
        {"ref": ref, "from_at": (MARCH + DAY).isoformat(), "wording": None},
    ):
        with pytest.raises(WrongTerms, match="charged beyond it"):
            offered(world, change)
    assert offered(world, ruled(MARCH + 2 * DAY, ref, notice_days=1)).state == "offered"


def test_an_offer_says_what_its_prices_would_have_cost(world: World) -> None:
    world.share(percent="100").use({"output": 2_000_000}, at=MARCH + DAY)
    changes = read_for(world.contract, [ruled(MARCH + 20 * DAY, overrides=[OWN])])
    found = preview(world.contract, changes, MARCH + 10 * DAY)
    assert (found.before, found.after) == (Decimal("2.20"), Decimal("1.00"))
    [rule, share] = sorted(found.terms, key=lambda term: term.kind)
    assert rule.is_new
    assert rule.before == rule.after == 0
    assert (share.before, share.after, share.words) == (Decimal("2.20"), Decimal("1.00"), ())
