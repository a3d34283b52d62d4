"""The paper of an account by the API and from the page: days, language, and nothing for others."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from tenants.api_keys import issue_key
from tests.billing.statements.stated import close_march, make_month, pay
from tests.kept import kept

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
DAYS = {"provider": "provider", "currency": "USD", "from": "2026-04-01", "to": "2026-04-30"}


@kept
def account(cast: Cast) -> Cast:
    pay(close_march(make_month(parties=(cast.provider, cast.tenant))), "751.40")
    return cast


def caller(who: Organization, **headers: str) -> Client:
    issued = issue_key(organization=who, name="Sample", scopes=["invoices:read"], actor="tests", now=datetime.now(UTC))
    return Client(headers={"Authorization": f"Bearer {issued.secret}", **headers})


def asked(who: Organization, **changes: str) -> Any:
    return caller(who).get("/api/v1/account/pdf", {**DAYS, **changes})


def test_the_tenant_reads_its_account_as_paper_in_either_language(account: Cast) -> None:
    first, again = asked(account.tenant), asked(account.tenant)
    assert (first.status_code, first.headers["Content-Type"]) == (200, "application/pdf")
    assert first.content.startswith(b"%PDF-1.7")
    assert (first.content, first.headers["ETag"]) == (again.content, again.headers["ETag"])
    assert "account-provider-USD-2026-04-01-2026-04-30.pdf" in first.headers["Content-Disposition"]
    client = caller(account.tenant, **{"If-None-Match": first.headers["ETag"]})
    assert client.get("/api/v1/account/pdf", DAYS).status_code == 304


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"to": "2026-03-01"}, 400),
        ({"from": "never"}, 400),
        ({"from": "1990-01-01"}, 400),
        ({"language": "fr"}, 400),
        ({"provider": "nobody"}, 404),
        ({"currency": "EUR"}, 404),
    ],
)
def test_what_is_no_account_is_refused(account: Cast, changes: dict[str, str], status: int) -> None:
    assert asked(account.tenant, **changes).status_code == status


def test_nobody_else_finds_it(account: Cast) -> None:
    assert asked(account.outsider).status_code == 404
    assert asked(account.provider).status_code == 404


def test_the_page_links_to_the_paper_of_its_days_and_says_movements_in_chinese(account: Cast, client: Client) -> None:
    client.force_login(account.alice)
    page = client.get("/t/statement/?month=2026-04").content.decode()
    assert "/t/statement.pdf?provider=provider&amp;currency=USD&amp;from=2026-04-01&amp;to=2026-04-30" in page
    paper = client.get("/t/statement.pdf", {"month": "2026-04"})
    assert paper.content == asked(account.tenant).content
    chinese = client.get("/t/statement/?month=2026-04", headers={"Accept-Language": "zh-hans"}).content.decode()
    assert "开具账单 INV-0001" in chinese
