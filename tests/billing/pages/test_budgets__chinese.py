"""Pages of budgets, collective invoices, energy and sources in Chinese: whole, plain, and without English."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.billing.budgets.spent import look, make_spent, set_budget
from tests.billing.collective.gathered import gathered, waits
from tests.billing.pages.reading import text_of
from tests.billing.pages.test_energy import made
from tests.billing.statements.stated import make_month, stated_march

if TYPE_CHECKING:
    from django.test import Client

    from tenants.models import User
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def read(client: Client, person: User, address: str) -> str:
    client.force_login(person)
    client.cookies["django_language"] = "zh-hans"
    page = client.get(address)
    assert page.status_code == 200, address
    assert 'lang="zh-hans"' in page.content.decode()
    words = text_of(page)
    assert "您" not in words
    return words


def test_budgets_say_what_they_limit_tell_and_stop(cast: Cast, client: Client) -> None:
    make_spent(cast)
    budget = set_budget(cast, "三月", amount=Decimal(90), stops=True)
    look(cast)
    listed = read(client, cast.alice, "/t/budgets/")
    shown = read(client, cast.alice, f"/t/budgets/{budget.pk}/")
    for words in (listed, shown):
        assert "三月" in words
        assert "预算" in words
        for english in ("No budgets are set", "All use", "per month", "Tells at", "new requests are refused"):
            assert english not in words


def test_an_empty_list_says_what_to_do(cast: Cast, client: Client) -> None:
    assert "预算" in read(client, cast.alice, "/t/budgets/")
    assert "No limits are set" not in read(client, cast.petra, "/p/alerts/")


def test_collective_invoices_say_what_is_left(cast: Cast, client: Client) -> None:
    waits((cast.provider, cast.tenant), "100.00"), waits((cast.provider, cast.tenant), "23.45", minutes=5)
    number = gathered().number
    for person, side in ((cast.alice, "t"), (cast.petra, "p")):
        words = read(client, person, f"/{side}/collective-invoices/{number}/")
        assert number in words
        assert "123.45" in words
        assert "汇总账单" in words
        assert "Asked for together" not in words


def test_energy_says_its_unit_and_its_cost(cast: Cast, client: Client) -> None:
    made(cast)
    words = read(client, cast.petra, "/p/energy/?month=2026-03")
    assert "能耗" in words
    assert "kWh" in words
    for english in ("Cost of power", "No energy was metered", "Energy per day"):
        assert english not in words


@pytest.mark.parametrize("by", ["tenant", "model", "node", "gpu"])
def test_sources_of_a_statement_add_up_in_chinese_too(cast: Cast, client: Client, by: str) -> None:
    stated_march(make_month(parties=(cast.provider, cast.tenant)))
    words = read(client, cast.petra, f"/p/statements/STM-0001/sources/?by={by}")
    assert "收入来源" in words
    assert "1,751.40" in words
    assert "A lease is divided" not in words
