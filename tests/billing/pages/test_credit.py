"""The page of prepaid credit: what is left, buying more on Stripe's page, and what was bought."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import billing
from billing.agreeing import add_adjustment
from billing.charging import ensure_periods
from billing.credits import grant_credit
from billing.models import Term, TopUp, TopUpState
from billing.pages.credit import STATES
from billing.rating.credit import CreditWording, Grant
from portal.catalogue import catalogue_messages, python_messages, template_messages
from tenants.models import Role
from tests.billing.pages.reading import text_of
from tests.billing.world import MARCH, World, make_world
from tests.factories import make_user
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import Settings

    from tests.factories import Cast
    from tests.fakes.stripe_double.fixture import StripeDouble

PAGE = "/t/credit/"


def use(settings: Settings, double: StripeDouble) -> None:
    settings.STRIPE_SECRET_KEY = double.SECRET_KEY
    settings.STRIPE_API_BASE = double.base_url


@kept
def world(cast: Cast) -> World:
    """A contract of the tenant with a term of credit."""
    made = make_world(parties=(cast.provider, cast.tenant), currency="EUR")
    add_adjustment(
        contract=made.contract, wording=CreditWording(), from_at=MARCH, to_at=None, now=MARCH, title="Prepaid"
    )
    return made


def term() -> Term:
    return Term.objects.get(kind="credit")


def asked(amount: str = "250") -> dict[str, str]:
    return {"term": str(term().pk), "amount": amount}


@pytest.mark.django_db(transaction=True)
def test_credit_is_bought_on_stripes_page_and_seen_at_once(
    cast: Cast, client: Client, world: World, double: StripeDouble, settings: Settings
) -> None:
    use(settings, double)
    client.force_login(cast.alice)
    assert "No credit is left." in text_of(client.get(PAGE))
    form = re.search(r'name="id" value="([^"]+)"', client.get(PAGE).content.decode())
    assert form is not None
    for _click in range(2):
        assert client.post(PAGE, {**asked("250.00"), "id": form[1]}).status_code == 302
    made = TopUp.objects.get()
    assert (made.amount, made.currency, made.started_by) == (Decimal(250), "EUR", cast.alice.email)
    page = client.get(PAGE)
    assert f'href="{made.url}"' in page.content.decode().replace("&amp;", "&")
    assert "Not paid yet" in text_of(page)
    double.complete_checkout(made.session_id)
    shown = text_of(client.get(PAGE))
    assert "Paid" in shown
    assert "€250.00" in shown
    assert "Go on to Stripe's page" not in shown
    made.refresh_from_db()
    assert made.state == TopUpState.PAID


@pytest.mark.django_db(transaction=True)
def test_a_silent_stripe_is_told_and_the_page_is_there(
    cast: Cast, client: Client, world: World, double: StripeDouble, settings: Settings
) -> None:
    use(settings, double)
    client.force_login(cast.alice)
    client.post(PAGE, asked())
    double.faults({"status": 503, "times": 30})
    assert "Not paid yet" in text_of(client.get(PAGE))
    double.clear_faults()
    double.faults({"status": 503, "times": 30})
    client.post(PAGE, asked("10"))
    assert "Stripe could not be reached" in text_of(client.get(PAGE))
    double.clear_faults()


@pytest.mark.django_db
def test_what_is_left_is_shown_with_its_expiry(cast: Cast, client: Client, world: World) -> None:
    now = datetime.now(UTC)
    ensure_periods(contract=world.contract, now=now)
    grant = Grant(
        name="spring",
        amount=Decimal(75),
        from_at=now - timedelta(days=1),
        expires_at=datetime(now.year + 2, 6, 1, tzinfo=UTC),
        bought=True,
    )
    grant_credit(term=term(), grant=grant, recorded_by="petra", now=now)
    client.force_login(cast.alice)
    shown = text_of(client.get(PAGE))
    assert "spring" in shown
    assert "€75.00" in shown
    assert f"1 Jun {now.year + 2}" in shown
    assert "No credit is left." not in shown


@pytest.mark.django_db
@pytest.mark.parametrize("amount", ["", "0", "-5", "0.01", "1.234", "1e9", "ten", "NaN"])
def test_an_amount_that_cannot_be_bought_is_refused_in_words(
    cast: Cast, client: Client, world: World, settings: Settings, amount: str
) -> None:
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = "sk_test_nobody", "http://127.0.0.1:9"
    client.force_login(cast.alice)
    client.post(PAGE, asked(amount))
    assert not TopUp.objects.exists()
    assert "That amount cannot be bought." in text_of(client.get(PAGE))


@pytest.mark.django_db
@pytest.mark.parametrize("chosen", ["", "x", "019a0000-0000-7000-8000-000000000000"])
def test_credit_of_nobody_is_not_bought(
    cast: Cast, client: Client, world: World, settings: Settings, chosen: str
) -> None:
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = "sk_test_nobody", "http://127.0.0.1:9"
    client.force_login(cast.alice)
    client.post(PAGE, {"term": chosen, "amount": "10"})
    assert not TopUp.objects.exists()
    assert "Choose the credit that it goes to." in text_of(client.get(PAGE))


@pytest.mark.django_db
def test_another_tenants_credit_is_neither_shown_nor_bought(
    cast: Cast, client: Client, world: World, settings: Settings
) -> None:
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = "sk_test_nobody", "http://127.0.0.1:9"
    client.force_login(cast.charlie)
    page = text_of(client.get(PAGE))
    assert world.contract.number not in page
    assert "A contract can agree on credit" in page
    assert "Buy credit" not in page, "there is none to buy"
    client.post(PAGE, asked())
    assert not TopUp.objects.exists()


@pytest.mark.django_db
def test_without_stripe_nothing_is_bought_and_the_page_says_so(cast: Cast, client: Client, world: World) -> None:
    client.force_login(cast.alice)
    page = client.get(PAGE)
    assert "This installation takes no cards." in text_of(page)
    assert 'name="amount"' not in page.content.decode()
    client.post(PAGE, asked())
    assert not TopUp.objects.exists()


@pytest.mark.django_db
def test_without_a_contract_that_holds_credit_there_is_no_form(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    page = client.get(PAGE)
    assert "You have no prepaid credit, and need none" in text_of(page)
    assert 'name="amount"' not in page.content.decode()


@pytest.mark.django_db
def test_a_reader_sees_what_was_bought_and_buys_nothing(
    cast: Cast, client: Client, world: World, settings: Settings
) -> None:
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = "sk_test_nobody", "http://127.0.0.1:9"
    client.force_login(make_user("viewer", cast.tenant, Role.VIEWER))
    page = client.get(PAGE)
    assert page.status_code == 200
    assert "Ask an administrator" in text_of(page)
    assert 'name="amount"' not in page.content.decode()
    assert client.post(PAGE, asked()).status_code == 403
    assert not TopUp.objects.exists()


def test_every_state_has_words() -> None:
    assert {str(key) for key in STATES} == set(TopUpState.values)


def test_every_word_of_the_page_is_said_in_chinese_too() -> None:
    app = Path(billing.__file__).parent
    said = python_messages((app / "pages" / "credit.py").read_text(encoding="utf-8"))
    said |= template_messages((app / "templates" / "billing" / "tenant_credit.html").read_text(encoding="utf-8"))
    assert len(said) > 15
    known = catalogue_messages(app / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po")
    assert {one for one in said if not known.get(one)} == set()
