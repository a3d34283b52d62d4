"""The operator's page of differences: shown with their ways out, settled by those who may."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from billing.models import Difference, DifferenceKind, Reconciliation
from billing.reconciling import looking
from billing.reconciling.comparing import Moved, Side, compare_amounts
from billing.reconciling.pages import LOOKED_WORDS
from billing.reconciling.settling import ACCEPT, WAYS
from tenants.models import Role
from tests.billing.pages.reading import rows_of, text_of
from tests.factories import make_organization, make_user

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import Settings

    from tenants.models import User

PAGE = "/o/reconciliation/"
AT = datetime(2026, 4, 3, 2, tzinfo=UTC)


def operator_person(role: Role = Role.OWNER) -> User:
    operator = make_organization("operator", is_operator=True, is_tenant=False, is_provider=False)
    return make_user("owen@operator.example", operator, role)


def side(amount_minor: int) -> dict[str, object]:
    return asdict(Side(amount_minor=amount_minor, currency="USD"))


def difference(kind: str = "customer_balance", stripe_id: str = "cus_1") -> Difference:
    return Difference.objects.create(
        kind=kind,
        stripe_id=stripe_id,
        ours="0",
        theirs="-7.00 USD",
        our_side=side(0),
        their_side=side(-700),
        object_at=AT,
        first_seen_at=AT,
        last_seen_at=AT,
    )


@pytest.mark.django_db
def test_every_kind_is_shown_with_its_ways_out(client: Client) -> None:
    client.force_login(operator_person())
    bare = text_of(client.get(PAGE))
    assert "This installation has no account at Stripe." in bare
    assert "Last look" not in bare, "nothing can be looked at"
    for kind in DifferenceKind:
        difference(kind, f"x_{kind}")
    page = client.get(PAGE)
    assert page.content.decode().count('name="note"') == len(DifferenceKind)
    assert page.content.decode().count('value="accept"') == len(DifferenceKind)
    assert text_of(page).count("\u2212$7.00") == len(DifferenceKind)
    assert "minor" not in text_of(page)
    others = sum(1 for ways in WAYS.values() for way in ways if way != ACCEPT)
    assert page.content.decode().count('class="btn pri" name="way"') == others
    assert "This installation has no account at Stripe." in text_of(page)


@pytest.mark.django_db
def test_the_file_has_every_difference_open_and_settled(client: Client) -> None:
    client.force_login(operator_person())
    difference()
    Difference.objects.filter(pk=difference(stripe_id="cus_2").pk).update(settled_at=AT, settled_by="owen", way=ACCEPT)
    rows = rows_of(client.get("/o/reconciliation.csv"))
    assert {(row["our_amount_minor"], row["their_amount_minor"], row["currency"]) for row in rows} == {
        ("0", "-700", "USD")
    }
    told = {(row["stripe_id"], row["settled_at_utc"], row["way"]) for row in rows}
    assert told == {("cus_1", "", ""), ("cus_2", AT.isoformat(), ACCEPT)}


@pytest.mark.django_db(transaction=True)
def test_a_difference_is_accepted_with_a_reason_only(client: Client) -> None:
    client.force_login(operator_person())
    Reconciliation.objects.create(from_at=AT, to_at=AT, started_at=AT, started_by="night", finished_at=AT)
    found = difference()
    address = f"{PAGE}{found.pk}/"
    client.post(address, {"way": "accept", "note": " "})
    assert "characters that say why" in text_of(client.get(PAGE))
    client.post(address, {"way": "accept", "note": "agreed on the phone"})
    found.refresh_from_db()
    assert (found.way, found.note, found.settled_by) == ("accept", "agreed on the phone", "owen@operator.example")
    page = text_of(client.get(PAGE))
    assert "Nothing differs." in page
    assert "agreed on the phone" in page
    client.post(address, {"way": "accept", "note": "again"})
    assert "was settled before" in text_of(client.get(PAGE))


@pytest.mark.django_db
def test_before_the_first_look_the_page_says_when_it_is(client: Client, settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = "sk_test_nobody"
    client.force_login(operator_person())
    page = text_of(client.get(PAGE))
    assert "Nothing was compared yet. The first look is tonight." in page
    assert "Look now" in page


@pytest.mark.django_db
def test_what_was_looked_at_is_said_in_the_readers_words(client: Client) -> None:
    counted = set(re.findall(r'counts\["(\w+)"\]', Path(looking.__file__).read_text()))
    assert counted == LOOKED_WORDS.keys()
    looked_at = dict.fromkeys(counted, 41)
    Reconciliation.objects.create(from_at=AT, to_at=AT, started_at=AT, started_by="night", looked_at=looked_at)
    client.force_login(operator_person())
    page, chinese = (text_of(client.get(PAGE, headers={"Accept-Language": said})) for said in ("en", "zh-hans"))
    assert "Events of Stripe that had not come, fetched 41" in page
    assert "Stripe 余额变动 41" in chinese
    assert "_" not in page


@pytest.mark.django_db
def test_a_reader_of_the_operator_changes_nothing(client: Client) -> None:
    client.force_login(operator_person(Role.VIEWER))
    found = difference()
    assert 'name="way"' not in client.get(PAGE).content.decode()
    assert client.post(f"{PAGE}{found.pk}/", {"way": "accept", "note": "x"}).status_code == 403
    assert client.post(PAGE).status_code == 403


def test_movements_of_one_source_count_together() -> None:
    moved = [Moved("ch_1", 60, "EUR", AT), Moved("ch_1", 40, "EUR", AT), Moved("ch_2", 5, "EUR", AT)]
    booked = {"ch_1": (100, None), "ch_2": (6, None)}
    found = list(compare_amounts(booked, [*moved, Moved("ch_3", 1, "EUR", AT)], unbooked="u", differs="d"))
    assert [(one.kind, one.stripe_id) for one in found] == [("d", "ch_2"), ("u", "ch_3")]
