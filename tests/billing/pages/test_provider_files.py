"""Every list of the provider as a file: the rows of its page, for those who may see it, linked from the page."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from billing.dunning.stepping import begin_cases
from billing.models import DunningCase
from billing.pages.provider_files import LISTS, ListFile
from tenants.models import Role
from tests.billing.corrections.corrected import credit, pay
from tests.billing.corrections.kept import keep, refund
from tests.billing.issued import Line, make_issued
from tests.billing.pages.reading import rows_of, text_of
from tests.billing.statements.stated import make_month, stated_march
from tests.factories import Cast, make_user
from tests.filled import fill

pytestmark = pytest.mark.django_db
PAGES = {"refunds": "/p/balances/"}
ROLES = {"leases": Role.BILLING, "contracts": Role.DEVELOPER}


def page_of(one: ListFile) -> str:
    return PAGES.get(one.name, f"/p/{one.name}/")


def file_of(client: Client, name: str) -> list[dict[str, str]]:
    answer = client.get(f"/p/{name}.csv")
    assert answer.status_code == 200
    return rows_of(answer)


@pytest.fixture
def petra(cast: Cast, client: Client) -> Client:
    client.force_login(cast.petra)
    return client


@pytest.mark.parametrize("one", LISTS, ids=lambda one: str(one.name))
def test_every_list_without_rows_is_a_head_alone_and_its_page_leads_to_it(petra: Client, one: ListFile) -> None:
    answer = petra.get(f"/p/{one.name}.csv")
    assert b"".join(answer.streaming_content).decode().strip() == ",".join(one.head)  # type: ignore[attr-defined]
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{one.name}-provider.csv"'
    if one.name != "refunds":
        assert f'href="/p/{one.name}.csv"' in petra.get(page_of(one)).content.decode()


@pytest.mark.parametrize("one", LISTS, ids=lambda one: str(one.name))
def test_a_file_needs_the_role_of_its_page(cast: Cast, client: Client, one: ListFile) -> None:
    client.force_login(make_user("rhea@example.com", cast.provider, ROLES.get(one.name, Role.DEVELOPER)))
    assert client.get(f"/p/{one.name}.csv").status_code == 403
    client.force_login(cast.alice)
    assert client.get(f"/p/{one.name}.csv").status_code == 404


def test_contracts_leases_drafts_and_statements_say_what_their_pages_say(cast: Cast, petra: Client) -> None:
    filled = fill(cast)
    contract = filled.lease.contract
    [row] = [each for each in file_of(petra, "contracts") if each["contract"] == contract.number]
    assert (row["tenant"], row["state"], row["currency"]) == ("Tenant", contract.state, contract.currency)
    assert "lease" in row["terms"].split()
    leases = {each["lease"]: each for each in file_of(petra, "leases")}
    assert leases[filled.lease.ref]["slices"] == "2"
    assert Decimal(leases[filled.lease.ref]["charged"]) > 0
    listed = text_of(petra.get("/p/leases/?view=list"))
    assert all(ref in listed for ref in leases)
    [stated] = file_of(petra, "statements")
    assert (stated["number"], stated["sha256"]) == (filled.stated.number, filled.stated.sha256)
    assert {each["contract"] for each in file_of(petra, "drafts")} == {contract.number}
    revenue = file_of(petra, "revenue")
    assert all(each["contract"] == contract.number for each in revenue)
    assert petra.get("/p/drafts.csv?state=awaiting_approval").status_code == 200


def test_corrections_say_who_got_what_back_and_why(cast: Cast, petra: Client) -> None:
    invoice = make_issued([Line("100.00")], parties=(cast.provider, cast.tenant))
    pay(invoice, "100")
    note = credit(invoice)
    [row] = file_of(petra, "credit-notes")
    assert (row["number"], row["invoice"], row["tenant"]) == (note.number, invoice.number, "Tenant")
    assert Decimal(row["total"]) == note.total
    account = keep("50.00", (cast.provider, cast.tenant))
    refund(account, "20")
    [back] = file_of(petra, "refunds")
    assert (back["tenant"], Decimal(back["amount"]), back["state"]) == ("Tenant", Decimal(20), "pending")
    [stands] = file_of(petra, "balances")
    assert f"${Decimal(stands['balance']):,.2f}" in text_of(petra.get("/p/balances/"))
    assert 'href="/p/refunds.csv"' in petra.get("/p/balances/").content.decode()


def test_dunning_says_what_is_left_and_what_comes_next(cast: Cast, petra: Client) -> None:
    late = timezone.now() - timedelta(days=40)
    invoice = make_issued([Line("100.00")], parties=(cast.provider, cast.tenant), issued_at=late)
    DunningCase.objects.create(invoice=invoice, next_at=timezone.now())
    pay(invoice, "30")
    begin_cases(now=timezone.now(), limit=10)
    [row] = file_of(petra, "dunning")
    assert (row["invoice"], Decimal(row["left"]), row["last_step"]) == (invoice.number, Decimal(70), "")
    assert row["next_utc"]


def test_a_provider_gets_its_own_rows_alone(cast: Cast, client: Client) -> None:
    stated_march(make_month(parties=(cast.provider, cast.tenant)))
    client.force_login(cast.charlie)
    for one in LISTS:
        assert file_of(client, one.name) == [], one.name
