"""Files for the bank: each payout in one, made once, the same bytes after, by page and by API, and guarded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from billing.models import Payout, PayoutFile, PayoutFilePart, PayoutMethod, PayoutState
from billing.statements.bank_files import Lacking, make_file, waiting_payouts
from billing.statements.paying_out import NoPayout, WrongPayout
from tenants.api_keys import issue_key
from tenants.models import AuditEntry, Organization, Role
from tenants.profiles import ProfileFields, keep_profile
from tests.billing.pages.reading import text_of
from tests.factories import make_user

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 4, 20, 12, tzinfo=UTC)
IBAN = "DE89370400440532013000"
FIELDS = ProfileFields(legal_name="Sample", country="DE", email="bills@sample.example", iban=IBAN)


def has_iban(organization: Organization, iban: str = IBAN, bic: str = "") -> None:
    keep_profile(organization=organization, given=replace(FIELDS, iban=iban, bic=bic), by="sample", now=NOW)


def waits(provider: Organization, amount: str, number: int, **more: str) -> Payout:
    """A payout by bank on its way, without the books behind it."""
    given = {"currency": "EUR", "method": PayoutMethod.BANK, **more}
    return Payout.objects.create(
        provider=provider,
        number=f"PO-{number:04}",
        amount=Decimal(amount),
        created_at=NOW,
        created_by="sample",
        updated_at=NOW,
        **given,
    )


@pytest.fixture
def paying(cast: Cast) -> Cast:
    """Two payouts in euro to a provider with an IBAN, and one to a provider without."""
    has_iban(cast.operator)
    has_iban(cast.provider, "AT611904300234573201", "BKAUATWW")
    waits(cast.provider, "1663.83", 1)
    waits(cast.provider, "5.00", 2)
    waits(cast.outsider, "7.00", 1)
    waits(cast.provider, "9.00", 3, currency="USD")
    waits(cast.provider, "11.00", 4, method=PayoutMethod.STRIPE)
    return cast


def made(cast: Cast, currency: str = "EUR") -> PayoutFile:
    return make_file(operator=cast.operator, currency=currency, by="omar", now=NOW)


def test_what_waits_is_put_into_one_file_and_in_no_other(paying: Cast) -> None:
    waiting = waiting_payouts(paying.operator)
    assert [(one.currency, one.count, one.amount, one.left_out) for one in waiting] == [
        ("EUR", 2, Decimal("1668.83"), ((paying.outsider.name, Lacking.IBAN),)),
        ("USD", 1, Decimal(9), ()),
    ]
    file = made(paying)
    assert (file.number, file.transfers, file.control_sum) == ("PF-0001", 2, Decimal("1668.83"))
    assert bytes(file.body).count(b"<CdtTrfTxInf>") == 2
    assert {part.payout.number for part in file.parts.all()} == {"PO-0001", "PO-0002"}
    assert set(Payout.objects.values_list("state", flat=True)) == {PayoutState.IN_TRANSIT}
    assert AuditEntry.objects.get(action="payout.file_made").organization == paying.operator
    with pytest.raises(NoPayout):
        made(paying)
    has_iban(paying.outsider)
    assert (made(paying).transfers, made(paying, "USD").number) == (1, "PF-0003")


def test_without_an_iban_to_pay_from_nothing_is_made(cast: Cast) -> None:
    waits(cast.provider, "5.00", 1)
    with pytest.raises(WrongPayout, match="iban"):
        made(cast)
    assert not PayoutFile.objects.exists()


def test_the_database_keeps_files_and_a_payout_in_one(paying: Cast) -> None:
    file = made(paying)
    part = file.parts.first()
    assert part is not None
    for change in (
        lambda: PayoutFile.objects.update(body=b"x"),
        lambda: PayoutFilePart.objects.filter(pk=part.pk).delete(),
        lambda: PayoutFilePart.objects.create(payout=part.payout, file=file),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()


def test_the_operator_makes_and_saves_it_by_mouse_the_same_each_time(paying: Cast, client: Client) -> None:
    client.force_login(make_user("omar@example.com", paying.operator, Role.BILLING))
    assert "Files for the bank" in text_of(client.get("/o/payouts/"))
    page = text_of(client.post("/o/payouts/files/", {"currency": "EUR"}, follow=True))
    assert "PF-0001 is made" in page
    address = f"/o/payouts/files/{PayoutFile.objects.get().pk}.xml"
    first, again = client.get(address), client.get(address)
    assert first.content == again.content == bytes(PayoutFile.objects.get().body)
    assert first.headers["Content-Disposition"] == 'attachment; filename="PF-0001.xml"'
    assert "No payout in EUR" in text_of(client.post("/o/payouts/files/", {"currency": "EUR"}, follow=True))
    client.force_login(paying.petra)
    assert client.get(address).status_code == 404


def test_the_operator_makes_and_reads_it_by_the_api_and_nobody_else_does(paying: Cast) -> None:
    def caller(who: Organization) -> Client:
        scopes = ["invoices:read", "bank:write"]
        key = issue_key(organization=who, name="Sample", scopes=scopes, actor="tests", now=datetime.now(UTC))
        return Client(headers={"Authorization": f"Bearer {key.secret}"})

    operator = caller(paying.operator)
    answer = operator.post("/api/v1/payout-files", {"currency": "EUR"}, content_type="application/json")
    assert (answer.status_code, answer.json()["control_sum"]) == (201, "1668.83")
    body = operator.get(f"/api/v1/payout-files/{answer.json()['id']}/xml")
    assert body.content == bytes(PayoutFile.objects.get().body)
    assert operator.get("/api/v1/payout-files").json()["payout_files"] == [answer.json()]
    again = operator.post("/api/v1/payout-files", {"currency": "EUR"}, content_type="application/json")
    assert (again.status_code, again.json()["code"]) == (409, "no_payout")
    provider = caller(paying.provider)
    assert provider.get("/api/v1/payout-files").status_code == 404
    assert provider.get(f"/api/v1/payout-files/{answer.json()['id']}/xml").status_code == 404


def test_what_a_bank_does_not_take_goes_by_hand_and_is_named(paying: Cast, client: Client) -> None:
    waits(paying.provider, "1000000000.00", 5)
    has_iban(paying.outsider)
    waits(paying.outsider, "9.00", 2, currency="USD")
    left_out = {one.currency: one.left_out for one in waiting_payouts(paying.operator)}
    assert left_out == {
        "EUR": ((paying.provider.name, Lacking.LIMIT),),
        "USD": ((paying.outsider.name, Lacking.BIC),),
    }
    client.force_login(make_user("omar@example.com", paying.operator, Role.BILLING))
    page = text_of(client.get("/o/payouts/"))
    assert f"{paying.provider.name} (more than one transfer can be of)" in page
    assert f"{paying.outsider.name} (outside SEPA, no BIC)" in page
    made = make_file(operator=paying.operator, currency="EUR", by="olga", now=NOW)
    assert (made.transfers, made.control_sum) == (3, Decimal("1675.83"))
    dollars = make_file(operator=paying.operator, currency="USD", by="olga", now=NOW)
    assert [part.payout.provider for part in dollars.parts.all()] == [paying.provider]
