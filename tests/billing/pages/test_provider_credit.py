"""The provider's credit and coupons by mouse alone: granted, offered, ended, listed, and saved as files."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from billing.agreeing import add_adjustment
from billing.charging import ensure_periods
from billing.coupons import redeem_coupon
from billing.credit_grants import grants_of
from billing.models import Coupon, CouponEnd, Term
from billing.rating.credit import CreditWording
from tenants.models import Role
from tests.billing.pages.reading import rows_of, text_of
from tests.billing.world import MODEL, World, make_world
from tests.factories import Cast, make_user
from tests.kept import kept

pytestmark = pytest.mark.django_db
PAGE = "/p/credits/"


@kept
def world(cast: Cast) -> World:
    return make_world(tokens={(MODEL, "output"): "4"}, parties=(cast.provider, cast.tenant))


@kept
def term(world: World) -> Term:
    ensure_periods(contract=world.contract, now=world.contract.from_at)
    return add_adjustment(
        contract=world.contract,
        wording=CreditWording(),
        from_at=world.contract.from_at,
        to_at=None,
        now=world.contract.from_at,
        title="Prepaid",
    )


@pytest.fixture
def petra(cast: Cast, client: Client) -> Client:
    client.force_login(cast.petra)
    return client


def granting(chosen: Term, **given: str) -> dict[str, str]:
    said = {
        "term": str(chosen.pk),
        "name": "welcome",
        "amount": "250.00",
        "from_at": "2026-03-01T00:00",
        "priority": "0",
    }
    return {"action": "grant", **{f"grant-{name}": value for name, value in {**said, **given}.items()}}


def offering(**given: str) -> dict[str, str]:
    said = {"code": "HALF", "title": "Half off", "percent": "50"}
    return {"action": "coupon", **{f"coupon-{name}": value for name, value in {**said, **given}.items()}}


def test_a_provider_without_either_is_told_what_they_are(petra: Client) -> None:
    words = text_of(petra.get(PAGE))
    assert "No credit yet" in words
    assert "No coupons yet" in words
    assert "Grant credit" not in words, "there is no credit term to grant under"


def test_credit_is_granted_once_and_stands_in_page_and_file(petra: Client, term: Term) -> None:
    until = (timezone.now() + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M")
    body = granting(term, expires_at=until, bought="on")
    assert [petra.post(PAGE, body).status_code for _time in range(2)] == [302, 302]
    [grant] = grants_of([term.pk])[term.pk].values()
    assert (grant.name, grant.amount, grant.bought, grant.priority) == ("welcome", Decimal(250), True, 0)
    page = text_of(petra.get(PAGE))
    assert "welcome bought" in page
    assert "$250.00" in page
    [row] = rows_of(petra.get("/p/credits.csv"))
    assert (row["name"], row["amount"], row["left"], row["state"]) == ("welcome", "250.00", "250.00", "open")
    assert (row["tenant"], row["bought"], row["from_utc"]) == ("Tenant", "true", "2026-03-01T00:00:00+00:00")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"amount": "0"}, "greater than or equal"),
        ({"amount": "x"}, "Enter a number"),
        ({"from_at": "yesterday"}, "is no time. Example:"),
        ({"expires_at": "2026-02-01T00:00"}, "It expires at 1 Feb 2026 00:00 UTC, which is not after"),
        ({"term": "00000000-0000-0000-0000-000000000009"}, "valid choice"),
    ],
)
def test_what_cannot_be_granted_is_refused_with_the_reason(
    petra: Client, term: Term, wrong: dict[str, str], said: str
) -> None:
    answer = petra.post(PAGE, granting(term, **wrong))
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert grants_of([term.pk])[term.pk] == {}


def test_another_grant_of_the_same_name_is_refused(petra: Client, term: Term) -> None:
    petra.post(PAGE, granting(term))
    answer = petra.post(PAGE, granting(term, amount="300"))
    assert answer.status_code == 422
    assert "has a grant 'welcome' of 250" in text_of(answer)


def test_a_coupon_is_offered_redeemed_and_ended(petra: Client, world: World) -> None:
    assert petra.post(PAGE, offering(redemptions_most="5", periods_most="3")).status_code == 302
    coupon = Coupon.objects.get()
    assert (coupon.code, coupon.redemptions_most) == ("HALF", 5)
    redeem_coupon(contract=world.contract, code="HALF", now=timezone.now())
    page = text_of(petra.get(PAGE))
    assert "HALF Half off" in page
    assert "50% 3 1 / 5" in page
    [row] = rows_of(petra.get("/p/coupons.csv"))
    assert (row["code"], row["percent"], row["redeemed"], row["ended_utc"]) == ("HALF", "50", "1", "")
    assert petra.post(PAGE, {"action": "end", "coupon": str(coupon.pk)}).status_code == 302
    assert CouponEnd.objects.filter(coupon=coupon).exists()
    page = text_of(petra.get(PAGE))
    assert "ended" in page
    assert "Offer no longer" not in page


def test_a_coupon_of_an_amount_that_is_over_says_so(petra: Client) -> None:
    petra.post(PAGE, offering(percent="", amount_per_period="25", redeem_by="2026-01-01T00:00"))
    page = text_of(petra.get(PAGE))
    assert "25 a period" in page
    assert " over " in page


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"percent": "", "amount_per_period": ""}, "Give a percentage or an amount"),
        ({"amount_per_period": "5"}, "Give a percentage or an amount"),
        ({"percent": "0"}, "lies outside 0 and 100"),
        ({"percent": "150"}, "less than or equal to 100"),
        ({"redemptions_most": "0"}, "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_offered_is_refused_with_the_reason(petra: Client, wrong: dict[str, str], said: str) -> None:
    answer = petra.post(PAGE, offering(**wrong))
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert not Coupon.objects.exists()


def test_a_code_is_offered_once_and_a_coupon_of_others_is_not_there(petra: Client, cast: Cast, client: Client) -> None:
    petra.post(PAGE, offering())
    again = petra.post(PAGE, offering())
    assert again.status_code == 422
    assert "is offered already" in text_of(again)
    coupon = Coupon.objects.get()
    client.force_login(cast.charlie)
    assert client.post(PAGE, {"action": "end", "coupon": str(coupon.pk)}).status_code == 404
    assert client.post(PAGE, {"action": "end", "coupon": "nonsense"}).status_code == 404
    assert "HALF" not in text_of(client.get(PAGE))


def test_a_reader_sees_and_cannot_give(cast: Cast, client: Client, term: Term) -> None:
    client.force_login(make_user("vera@example.com", cast.provider, Role.VIEWER))
    assert "Grant credit" not in text_of(client.get(PAGE))
    assert client.post(PAGE, granting(term)).status_code == 403
    client.force_login(make_user("dora@example.com", cast.provider, Role.DEVELOPER))
    assert client.get(PAGE).status_code == 403
