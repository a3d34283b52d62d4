"""The page of where a statement came from, and the file that equals it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.test import Client

from billing.models import ProviderStatement
from billing.statements.sources import SourceBy
from tenants.models import Role
from tests.billing.pages.reading import rows_of, text_of
from tests.billing.statements.stated import make_month, stated_march
from tests.factories import Cast, make_user
from tests.kept import kept

pytestmark = pytest.mark.django_db
PAGE = "/p/statements/STM-0001/sources/"


@kept
def statement(cast: Cast) -> ProviderStatement:
    return stated_march(make_month(parties=(cast.provider, cast.tenant)))


@pytest.mark.usefixtures("statement")
@pytest.mark.parametrize("by", SourceBy)
def test_page_and_file_say_the_same_and_add_up(cast: Cast, client: Client, by: SourceBy) -> None:
    client.force_login(cast.petra)
    words = text_of(client.get(f"{PAGE}?by={by}"))
    rows = rows_of(client.get(f"/p/statements/STM-0001/sources.csv?by={by}"))
    assert rows[-2]["name"] == "rounding"
    assert rows[-1]["name"] == "total"
    assert sum(Decimal(row["amount"]) for row in rows[:-1]) == Decimal(rows[-1]["amount"]) == Decimal("1751.40")
    assert "$1,751.40" in words
    for row in rows[:-2]:
        assert row["name"] in words
        assert f"${Decimal(row['amount']):,.4f}" in words


@pytest.mark.usefixtures("statement")
def test_the_statement_leads_to_it_and_it_back(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    assert f'href="{PAGE}"' in client.get("/p/statements/STM-0001/").content.decode()
    page = client.get(PAGE)
    assert 'href="/p/statements/STM-0001/"' in page.content.decode()
    assert "Tenant" in text_of(page)
    assert "A lease is divided" not in text_of(page)
    assert "A lease is divided" in text_of(client.get(f"{PAGE}?by=gpu"))


@pytest.mark.usefixtures("statement")
def test_who_may_not_see_it_does_not(cast: Cast, client: Client) -> None:
    for person in (cast.charlie, cast.alice):
        client.force_login(person)
        assert client.get(PAGE).status_code == 404
        assert client.get("/p/statements/STM-0001/sources.csv").status_code == 404
    client.force_login(make_user("dora@example.com", cast.provider, Role.DEVELOPER))
    assert client.get(PAGE).status_code == 403
    client.force_login(cast.petra)
    assert client.get(f"{PAGE}?by=weather").status_code == 404
    assert client.get("/p/statements/STM-0009/sources/").status_code == 404
