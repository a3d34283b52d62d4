from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.documents.inputs import BankAccount, Language
from billing.documents.parties import parties_of
from billing.tax.parties import freeze_parties
from tenants.profiles import LogoChange, ProfileFields, ensure_profiles, keep_profile
from tests.billing.documents.test_press import picture
from tests.billing.issued import ISSUED_AT, make_issued

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
SELLER = ProfileFields(
    legal_name="Sample Compute GmbH",
    country="DE",
    email="billing@compute.example",
    address_lines=("Musterweg 1",),
    city="Musterstadt",
    postcode="10999",
    vat_id="DE 136695976",
    registration="HRB 0000",
    iban="DE02 1203 0000 0000 2020 51",
    bic="BYLADEM1001",
    bank_name="Sample Bank",
    payment_terms="Net 14 days.",
    notes="Thank you.\n\nSee you.",
)


def test_without_profiles_the_organizations_stand_on_it(cast: Cast) -> None:
    parties = parties_of(make_issued(parties=(cast.provider, cast.tenant)))
    assert (parties.seller.name, parties.buyer.name) == (cast.provider.name, cast.tenant.name)
    assert parties.buyer.country == cast.tenant.country
    assert parties.account == BankAccount()


def test_profiles_stand_on_it_as_they_were_when_it_was_issued(cast: Cast) -> None:
    buyer = ProfileFields(legal_name="样本词元公司", country="CN", email="b@t.example", language="zh-hans")
    for organization, given in ((cast.provider, SELLER), (cast.tenant, buyer)):
        logo = LogoChange(picture()) if organization is cast.provider else None
        keep_profile(organization=organization, given=given, by="petra@example.com", now=ISSUED_AT, logo=logo)
    invoice = make_issued(parties=(cast.provider, cast.tenant))
    freeze_parties(invoice, ensure_profiles([cast.provider, cast.tenant], ISSUED_AT))
    later = ProfileFields(legal_name="Renamed", country="DE", email="x@compute.example")
    keep_profile(organization=cast.provider, given=later, by="petra@example.com", now=ISSUED_AT)

    parties = parties_of(invoice)
    assert parties.seller.name == "Sample Compute GmbH"
    assert parties.seller.vat_id == "DE136695976"
    assert parties.seller.address == ("Musterweg 1",)
    assert parties.seller.logo == picture()
    assert parties.account == BankAccount(
        holder="Sample Compute GmbH", iban="DE02120300000000202051", bic="BYLADEM1001", bank="Sample Bank"
    )
    assert (parties.terms, parties.notes) == ("Net 14 days.", ("Thank you.", "See you."))
    assert (parties.buyer.name, parties.language) == ("样本词元公司", Language.ZH)
