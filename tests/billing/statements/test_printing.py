"""The paper of an account from the books: in the tenant's language, the same while nothing is booked, bounded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing.documents.inputs import Language
from billing.documents.press import chinese_face
from billing.statements.account import Account, Line, Party
from billing.statements.printing import ROWS_MAX, AccountNotPrintable, print_account
from tests.factories import make_organization

pytestmark = pytest.mark.django_db
FROM, TO = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
LINE = Line(FROM, "invoice", "Invoice INV-0001 issued", "", Decimal(5), Decimal(5))


def account(*lines: Line) -> Account:
    provider = make_organization("provider-1", is_provider=True)
    party = Party(provider.pk, provider.name, provider.slug, "EUR", Decimal(5))
    return Account(party, FROM, TO, Decimal(0), lines)


def test_the_same_account_is_the_same_paper_and_another_is_not() -> None:
    tenant, found = make_organization("tenant-1"), account(LINE)
    first, again = print_account(tenant, found), print_account(tenant, found)
    assert (first.name, first.sha256) == ("account-provider-1-EUR-2026-04-01-2026-04-30.pdf", again.sha256)
    assert first.body == again.body
    assert print_account(tenant, replace(found, opening=Decimal(1))).sha256 != first.sha256
    if chinese_face():
        assert print_account(tenant, found, Language.ZH).sha256 != first.sha256


def test_what_is_too_long_or_has_a_letter_that_no_font_has_is_said_and_not_printed() -> None:
    tenant = make_organization("tenant-1")
    long = account(*[LINE] * (ROWS_MAX + 1))
    with pytest.raises(AccountNotPrintable, match="fewer days"):
        print_account(tenant, long)
    with pytest.raises(AccountNotPrintable, match="No installed font"):
        print_account(tenant, replace(long, lines=(replace(LINE, reference="\N{EGYPTIAN HIEROGLYPH A001}"),)))
