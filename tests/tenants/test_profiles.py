"""Keeping how organizations stand on bills: versions, checks, first ones, guards."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError

from tenants.logos import WrongLogo
from tenants.models import AuditEntry, BillingProfile
from tenants.profiles import (
    LogoChange,
    ProfileFields,
    WrongProfile,
    checked_fields,
    ensure_profiles,
    fields_of,
    keep_profile,
    profile_of,
    profiles_in_force,
)
from tests.factories import EPOCH
from tests.tenants.test_logos import picture

if TYPE_CHECKING:
    from tests.factories import Cast

GIVEN = ProfileFields(
    legal_name=" Sample Compute GmbH ",
    address_lines=("Musterstraße 1", " ", "Haus B"),
    city="Berlin",
    postcode="10115",
    country="de",
    vat_id="DE 136 695 976",
    registration="Amtsgericht Charlottenburg HRB 1",
    email="bills@sample.example",
    iban="DE89 3704 0044 0532 0130 00",
    bic="cobadeffxxx",
    payment_terms="Net 30 days.",
)


def test_fields_are_trimmed_and_numbers_compact() -> None:
    kept = checked_fields(GIVEN)
    assert kept.legal_name == "Sample Compute GmbH"
    assert kept.address_lines == ("Musterstraße 1", "Haus B")
    assert (kept.country, kept.vat_id) == ("DE", "DE136695976")
    assert (kept.iban, kept.bic) == ("DE89370400440532013000", "COBADEFFXXX")
    assert checked_fields(kept) == kept


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"legal_name": "  "}, "legal_name"),
        ({"legal_name": "x" * 201}, "legal_name"),
        ({"notes": "a\0b"}, "notes"),
        ({"address_lines": ("1", "2", "3", "4")}, "address_lines"),
        ({"address_lines": ("x" * 101,)}, "address_lines"),
        ({"country": "XX"}, "country"),
        ({"country": "Germany"}, "country"),
        ({"vat_id": "DE136695970"}, "vat_id"),
        ({"country": "AT"}, "vat_id"),
        ({"iban": "DE89370400440532013001"}, "iban"),
        ({"bic": "COBA"}, "bic"),
        ({"email": "nobody"}, "email"),
        ({"language": "tlh"}, "language"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(WrongProfile) as wrong:
        checked_fields(replace(GIVEN, **change))
    assert wrong.value.extra["field"] == field


def test_an_organization_that_kept_none_stands_by_its_name(cast: Cast) -> None:
    profile = profile_of(cast.tenant)
    assert (profile.version, profile.legal_name, profile.country) == (0, cast.tenant.name, cast.tenant.country)
    assert profile.email == cast.tenant.billing_email
    assert not profiles_in_force([cast.tenant.pk])
    assert not BillingProfile.objects.exists()


def test_versions_follow_each_other_and_the_same_again_makes_none(cast: Cast) -> None:
    first, made = keep_profile(organization=cast.tenant, given=GIVEN, by="alice@example.com", now=EPOCH)
    assert (first.version, made) == (1, True)
    again, made = keep_profile(organization=cast.tenant, given=GIVEN, by="bob@example.com", now=EPOCH)
    assert (again.pk, made) == (first.pk, False)
    later = EPOCH + timedelta(days=1)
    second, _made = keep_profile(organization=cast.tenant, given=replace(GIVEN, city="Bonn"), by="a", now=later)
    assert (second.version, profile_of(cast.tenant).city) == (2, "Bonn")
    assert fields_of(first) == checked_fields(GIVEN)
    assert profile_of(cast.provider).version == 0
    entries = list(AuditEntry.objects.filter(action="profile.kept").order_by("at"))
    assert [entry.actor for entry in entries] == ["alice@example.com", "a"]
    assert entries[0].before is None
    assert entries[1].before is not None
    assert (entries[1].before["city"], entries[1].after["city"]) == ("Berlin", "Bonn")  # type: ignore[index]  # JSON of this very entry


def test_a_logo_stays_is_replaced_and_goes(cast: Cast) -> None:
    def keep(logo: LogoChange | None) -> BillingProfile:
        return keep_profile(organization=cast.provider, given=GIVEN, by="petra", now=EPOCH, logo=logo)[0]

    png = picture("PNG")
    with_logo = keep(LogoChange(png))
    assert with_logo.logo is not None
    assert bytes(with_logo.logo.content) == png
    assert keep(None).pk == with_logo.pk
    assert keep(LogoChange(png)).pk == with_logo.pk  # the same picture is no change
    other = keep(LogoChange(picture("JPEG")))
    assert other.logo is not None
    assert (other.version, other.logo.media_type) == (2, "image/jpeg")
    assert keep(LogoChange(None)).logo is None
    back = keep(LogoChange(png))
    assert back.logo == with_logo.logo
    with pytest.raises(WrongLogo):
        keep(LogoChange(b"<svg/>"))
    assert profile_of(cast.provider).version == 4


def test_first_ones_are_made_once_and_only_where_none_is(cast: Cast) -> None:
    keep_profile(organization=cast.tenant, given=GIVEN, by="alice", now=EPOCH)
    found = ensure_profiles([cast.tenant, cast.provider], EPOCH)
    assert found[cast.tenant.pk].legal_name == "Sample Compute GmbH"
    first = found[cast.provider.pk]
    assert (first.version, first.legal_name, first.created_by) == (1, cast.provider.name, "forecourt")
    assert ensure_profiles([cast.provider, cast.tenant], EPOCH) == found
    assert BillingProfile.objects.count() == 2


@pytest.mark.parametrize("table", ["tenants_billingprofile", "tenants_logo"])
@pytest.mark.parametrize("change", ["UPDATE {} SET created_at = now()", "DELETE FROM {}"])
def test_the_database_refuses_changes(cast: Cast, table: str, change: str) -> None:
    keep_profile(organization=cast.provider, given=GIVEN, by="petra", now=EPOCH, logo=LogoChange(picture("PNG")))
    with (
        connection.cursor() as cursor,
        pytest.raises(IntegrityError, match=f"append-only table {table}"),
        transaction.atomic(),
    ):
        cursor.execute(change.format(table))
