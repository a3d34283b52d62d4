"""The pages of the books: from the trial balance to an account, a posting, and what it was booked for."""

from __future__ import annotations

import re
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

import billing
from billing.bookkeeping.pages import PAGE_ACCOUNTS, PAGE_ENTRIES
from billing.bookkeeping.words import ACCOUNT_WORDS, account_words
from billing.ledger import Entry, post
from billing.models import AccountKind, LedgerAccount, LedgerPosting
from portal.catalogue import catalogue_messages, python_messages, template_messages
from tenants.models import Role
from tests.billing.bookkeeping.kept import PAID_AT, Kept, make_kept
from tests.billing.pages.reading import rows_of, text_of
from tests.factories import make_organization, make_user
from tests.kept import kept as keeping

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db

APRIL_DAYS = {"from": "2026-04-01", "to": "2026-04-30"}


@keeping
def kept(cast: Cast) -> Kept:
    return make_kept(cast.operator, (cast.provider, cast.tenant))


def test_a_provider_walks_from_the_trial_balance_to_the_invoice(cast: Cast, client: Client, kept: Kept) -> None:
    client.force_login(cast.petra)
    page = text_of(client.get("/p/books/"))
    for words in ("Debits equal credits", "Trial balance, USD", "Receivable", "$44.00", "Owed to the provider"):
        assert words in page
    account = LedgerAccount.objects.get(organization=cast.tenant, kind=AccountKind.TENANT_RECEIVABLE)
    address = reverse("provider-book-account", args=[account.pk])
    assert address in client.get("/p/books/").content.decode()
    page = text_of(client.get(address, APRIL_DAYS))
    for words in ("$744.00", "$700.00", "$44.00", f"Invoice {kept.invoice.number}", "2 entries shown"):
        assert words in page
    posting = LedgerPosting.objects.get(cause="invoice")
    page = text_of(client.get(reverse("provider-book-posting", args=[posting.pk])))
    for words in (posting.key, kept.world.contract.number, "Operator's fee", "$37.20"):
        assert words in page
    assert "Nothing was booked here" in text_of(client.get(address, {"month": "2027-01"}))
    client.cookies["django_language"] = "zh-hans"
    for place in ("/p/books/", address, reverse("provider-book-posting", args=[posting.pk])):
        assert "贷方" in text_of(client.get(place, APRIL_DAYS)), place


def test_the_page_and_its_file_are_of_the_day_that_is_asked_for(cast: Cast, client: Client, kept: Kept) -> None:
    client.force_login(cast.petra)
    page = client.get("/p/books/", {"day": "2026-04-09"})
    assert "$744.00" in text_of(page)
    assert "$44.00" not in text_of(page)
    (owed,) = [
        row
        for row in rows_of(client.get("/p/books.csv", {"day": "2026-04-09"}))
        if row["account"] == "tenant_receivable"
    ]
    assert owed["balance"] == "744.0000"
    assert "Nothing is booked" in text_of(client.get("/p/books/", {"day": "2020-01-01"}))
    assert client.get("/p/books/", {"day": "9999-12-31"}).status_code == 404
    assert client.get("/p/books/", {"day": "soon"}).status_code == 404


def test_a_book_of_many_accounts_has_pages_each_with_the_sums_of_all(cast: Cast, client: Client, kept: Kept) -> None:
    tenants = [make_organization(f"many-{place:03}") for place in range(PAGE_ACCOUNTS)]
    sides = [Entry(one.id, AccountKind.PREPAID_CREDIT, "USD", Decimal(-1)) for one in tenants]
    sides.append(Entry(cast.provider.id, AccountKind.GRANTED_CREDIT, "USD", Decimal(PAGE_ACCOUNTS)))
    post(key="many", cause="test", cause_id=cast.tenant.id, memo="many", at=PAID_AT, entries=sides)
    client.force_login(cast.petra)
    pages = [client.get(f"/p/books/?page={page}") for page in (1, 2)]
    rows = rows_of(client.get("/p/books.csv"))
    linked = [address for page in pages for address in re.findall(r'<th scope="row"><a href="([^"]+)"', _table(page))]
    assert len(linked) == len(set(linked)) == len(rows) > PAGE_ACCOUNTS
    assert f"1 to {PAGE_ACCOUNTS} of {len(rows)}" in text_of(pages[0])
    assert len({re.findall(r"<tfoot>.*?</tfoot>", _table(page))[0] for page in pages}) == 1
    assert client.get("/p/books/?page=3").status_code == 404


def _table(page: Any) -> str:
    text: str = page.content.decode()
    return text


def test_the_files_of_a_month(cast: Cast, client: Client, kept: Kept) -> None:
    client.force_login(cast.petra)
    rows = rows_of(client.get("/p/books/journal.csv", {"month": "2026-04"}))
    assert {row["cause"] for row in rows} == {"invoice", "payment"}
    file = client.get("/p/books/journal.beancount", {"month": "2026-04"})
    text = b"".join(getattr(file, "streaming_content")).decode()  # noqa: B009  only streams have it
    assert '2026-04-01 * "Opening balances"' in text
    assert client.get("/p/books/journal.csv", {"month": "April"}).status_code == 404


def test_an_account_of_many_entries_has_pages(cast: Cast, client: Client, kept: Kept) -> None:
    client.force_login(cast.petra)
    for number in range(PAGE_ENTRIES + 1):
        sides = (
            Entry(cast.provider.id, AccountKind.GRANTED_CREDIT, "USD", Decimal(1)),
            Entry(cast.tenant.id, AccountKind.PREPAID_CREDIT, "USD", Decimal(-1)),
        )
        post(key=f"n:{number}", cause="test", cause_id=cast.tenant.id, memo="more", at=PAID_AT, entries=sides)
    account = LedgerAccount.objects.get(organization=cast.provider, kind=AccountKind.GRANTED_CREDIT)
    address = reverse("provider-book-account", args=[account.pk])
    page = client.get(address, APRIL_DAYS)
    assert "100 entries shown" in text_of(page)
    following = re.search(r'rel="next" href="([^"]+)"', page.content.decode())
    assert following
    last = client.get(unescape(following[1]))
    assert "$101.00" in text_of(last)
    assert 'rel="prev"' in last.content.decode()
    assert 'rel="next"' not in last.content.decode()
    file = rows_of(client.get(reverse("provider-book-account-csv", args=[account.pk]), APRIL_DAYS))
    assert len(file) == PAGE_ENTRIES + 1
    assert (file[-1]["balance"], sum(Decimal(row["debit"] or 0) for row in file)) == ("101.0000", 101)
    assert client.get(address, {**APRIL_DAYS, "after": "what"}).status_code == 404
    assert client.get(address, {"from": "2026-04-31", "to": "2026-05-01"}).status_code == 404


def test_the_operator_sees_every_book_and_a_provider_only_its_own(cast: Cast, client: Client, kept: Kept) -> None:
    other = make_kept(cast.operator)
    olga = make_user("olga@example.com", cast.operator, Role.OWNER)
    client.force_login(olga)
    page = text_of(client.get("/o/books/"))
    assert "Books of the installation" in page
    assert other.world.tenant.name in page
    theirs = LedgerAccount.objects.get(organization=other.world.provider, kind=AccountKind.PROVIDER_PAYABLE)
    assert client.get(reverse("operator-book-account", args=[theirs.pk])).status_code == 200
    posting = LedgerPosting.objects.filter(provider=other.world.provider, cause="invoice")[0]
    assert client.get(reverse("operator-book-posting", args=[posting.pk])).status_code == 200
    assert client.get("/p/books/").status_code == 404
    client.force_login(cast.petra)
    assert other.world.tenant.name not in text_of(client.get("/p/books/"))
    assert client.get(reverse("provider-book-account", args=[theirs.pk])).status_code == 404
    assert client.get(reverse("provider-book-posting", args=[posting.pk])).status_code == 404


def test_every_word_of_the_books_is_said_in_chinese_too() -> None:
    app = Path(billing.__file__).parent
    said = set()
    for source in (app / "bookkeeping").glob("*.py"):
        said |= python_messages(source.read_text(encoding="utf-8"))
    for name in ("books.html", "book_account.html", "book_posting.html"):
        said |= template_messages((app / "templates" / "billing" / name).read_text(encoding="utf-8"))
    assert len(said) > 45
    known = catalogue_messages(app / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po")
    assert {one for one in said if not known.get(one)} == set()


def test_every_kind_of_account_has_a_name() -> None:
    assert all(account_words(kind) for kind in AccountKind)
    assert set(ACCOUNT_WORDS) <= set(AccountKind)
