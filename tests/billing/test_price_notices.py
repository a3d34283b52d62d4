"""Who is told of a price change, once each, and what becomes of the letters."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.db import DatabaseError, connection, transaction

from billing.models import ContractState, PriceMail, PriceNotice
from billing.price_agreements import agree_price_rule
from billing.price_notices import (
    claim_mails,
    see_notice,
    untold_versions,
    write_notices,
)
from billing.pricing import publish_price_version
from billing.rating.price_rows import PriceRow
from billing.rating.price_rules import PriceRule
from billing.unsent import note_failed, note_sent
from tenants.models import Role
from tests.billing.world import APRIL, MARCH, MODEL, World, make_world
from tests.factories import make_contract, make_organization, make_user
from tests.kept import kept

if TYPE_CHECKING:
    from billing.models import PriceVersion
    from tests.factories import Cast

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
BEFORE, AFTER = {(MODEL, "output"): "1.00"}, {(MODEL, "output"): Decimal("1.34")}


def world(cast: Cast) -> World:
    return make_world(tokens=BEFORE, parties=(cast.provider, cast.tenant))


def announce(made: World) -> PriceVersion:
    assert made.book is not None
    return publish_price_version(book=made.book, effective_at=APRIL, token_prices=AFTER, gpu_prices={}, now=MARCH + DAY)


made = kept(world)


def test_who_runs_on_until_an_agreed_end_is_told_of_what_takes_effect_before_it(cast: Cast, made: World) -> None:
    ends_after, ends_before = (
        make_contract(cast.provider, make_organization(name), made.book) for name in ("later", "sooner")
    )
    for contract, to_at in ((ends_after, APRIL + DAY), (ends_before, APRIL)):
        contract.state, contract.to_at = ContractState.TERMINATED, to_at
        contract.save()
    announce(made)
    told = set(PriceNotice.objects.values_list("contract__number", flat=True))
    assert told == {made.contract.number, ends_after.number}
    assert untold_versions(now=MARCH + DAY) == []


def test_every_tenant_with_a_running_contract_on_the_book_is_told(cast: Cast, made: World) -> None:
    other = make_contract(cast.provider, make_organization("second"), made.book)
    over, draft = (make_contract(cast.provider, make_organization(name), made.book) for name in ("third", "fourth"))
    over.to_at = APRIL
    over.save()
    draft.state = ContractState.DRAFT
    draft.save()
    make_world(tokens=BEFORE)
    version = announce(made)
    told = PriceNotice.objects.order_by("contract__number").values_list("contract__number", "takes_effect_at")
    assert dict(told) == {made.contract.number: APRIL, other.number: APRIL}
    addresses = set(PriceMail.objects.filter(tenant=cast.tenant).values_list("address", flat=True))
    assert addresses == {"billing@tenant.example.com", "alice@example.com"}
    assert write_notices(version=version, now=MARCH + DAY) == []
    assert PriceMail.objects.count() == 3


def test_a_books_first_version_changes_nothing_for_anyone(cast: Cast) -> None:
    made = make_world(parties=(cast.provider, cast.tenant))
    announce(made)
    assert not PriceNotice.objects.exists()


def test_a_contract_with_its_own_prices_is_listed_and_gets_no_letter(made: World) -> None:
    own = PriceRow(model=MODEL, quantity="output", price_per_mtok=Decimal("0.90"))
    agree_price_rule(contract=made.contract, rule=PriceRule(overrides=(own,)), from_at=MARCH, now=MARCH)
    announce(made)
    assert PriceNotice.objects.get().takes_effect_at is None
    assert not PriceMail.objects.exists()


def test_notice_days_of_a_contract_put_its_effect_off(made: World) -> None:
    agree_price_rule(contract=made.contract, rule=PriceRule(notice_days=60), from_at=MARCH, now=MARCH)
    announce(made)
    assert PriceNotice.objects.get().takes_effect_at == MARCH + 61 * DAY


def test_a_contract_made_after_the_announcement_is_told_by_the_sweep(cast: Cast, made: World) -> None:
    version = announce(made)
    assert untold_versions(now=MARCH + 2 * DAY) == []
    late = make_contract(cast.provider, make_organization("late"), made.book)
    assert untold_versions(now=MARCH + 2 * DAY) == [version]
    assert untold_versions(now=APRIL) == []
    [notice] = write_notices(version=version, now=MARCH + 2 * DAY)
    assert notice.contract == late
    assert untold_versions(now=MARCH + 2 * DAY) == []


def test_a_notice_is_seen_once_by_its_own_tenant(cast: Cast) -> None:
    announce(world(cast))
    notice = PriceNotice.objects.get()
    seen = {"notice_id": notice.id, "now": MARCH + 2 * DAY}
    assert not see_notice(tenant=cast.outsider, by=cast.charlie.email, **seen)  # type: ignore[arg-type]  # two kinds
    assert see_notice(tenant=cast.tenant, by=cast.alice.email, **seen)  # type: ignore[arg-type]  # two kinds
    assert not see_notice(tenant=cast.tenant, by=cast.bob.email, **seen)  # type: ignore[arg-type]  # two kinds
    notice.refresh_from_db()
    assert (notice.seen_by, notice.seen_at) == (cast.alice.email, MARCH + 2 * DAY)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM billing_pricenotice",
        "UPDATE billing_pricenotice SET takes_effect_at = NULL",
        "UPDATE billing_pricenotice SET seen_at = now(), seen_by = 'a', created_at = now()",
    ],
)
def test_the_database_keeps_what_was_told(cast: Cast, statement: str) -> None:
    announce(world(cast))
    with pytest.raises(DatabaseError, match="stands"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_letter_is_claimed_by_one_and_tried_again_after_a_failure(cast: Cast) -> None:
    announce(world(cast))
    now = MARCH + DAY
    first = claim_mails(now=now, limit=10)
    assert {mail.address for mail in first} == {"billing@tenant.example.com", "alice@example.com"}
    assert claim_mails(now=now, limit=10) == []
    note_sent(first[0], now=now)
    note_failed(first[1], error="refused", now=now)
    assert [mail.id for mail in claim_mails(now=now + DAY, limit=10)] == [first[1].id]
    assert set(PriceMail.objects.values_list("sent_at", "attempts")) == {(now, 1), (None, 2)}


def test_only_those_who_decide_get_letters(cast: Cast) -> None:
    for role in Role:
        make_user(f"{role}@example.com", cast.tenant, role)
    announce(world(cast))
    found = set(PriceMail.objects.values_list("address", flat=True))
    assert found == {
        "billing@tenant.example.com",
        "alice@example.com",
        "owner@example.com",
        "admin@example.com",
        "billing@example.com",
    }
