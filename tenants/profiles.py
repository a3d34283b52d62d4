"""Keeping and reading how organizations stand on bills."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import CharField

from tenants.logos import logo_type
from tenants.models import AuditEntry, Organization
from tenants.problems import Problem
from tenants.profile_models import ADDRESS_LINES_MAX, BillingProfile, BillLanguage, Logo
from tenants.sentences import Listed, sentence
from tenants.tax_ids import COUNTRIES, compact, is_bic, is_iban, is_vat_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from uuid import UUID

TEXTS = (
    "legal_name",
    "city",
    "postcode",
    "region",
    "tax_number",
    "registration",
    "bank_name",
    "bank_account",
    "payment_terms",
    "notes",
)


class WrongProfile(Problem):
    """A field is not what it must be; `field` names it."""

    status = 422
    code = "wrong_profile"
    title = "The billing profile cannot be kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileFields:
    """What an organization says of itself; numbers may have blanks and small letters."""

    legal_name: str
    country: str
    email: str
    address_lines: tuple[str, ...] = ()
    city: str = ""
    postcode: str = ""
    region: str = ""
    vat_id: str = ""
    tax_number: str = ""
    registration: str = ""
    bank_name: str = ""
    iban: str = ""
    bic: str = ""
    bank_account: str = ""
    payment_terms: str = ""
    notes: str = ""
    language: str = BillLanguage.ENGLISH.value


@dataclass(frozen=True, slots=True)
class LogoChange:
    """A new logo, or none from now on."""

    content: bytes | None


def profile_of(organization: Organization) -> BillingProfile:
    """Return the version in force, or an unsaved version 0 of what is known of an organization that kept none."""
    found = profiles_in_force([organization.pk]).get(organization.pk)
    return found or _first(organization, organization.created_at, version=0)


def profiles_in_force(organization_ids: Iterable[UUID]) -> Mapping[UUID, BillingProfile]:
    """Return the version in force of each organization that kept one."""
    latest = (
        BillingProfile.objects.filter(organization_id__in=list(organization_ids))
        .order_by("organization_id", "-version")
        .distinct("organization_id")
    )
    return {profile.organization_id: profile for profile in latest}


def ensure_profiles(organizations: Iterable[Organization], now: datetime) -> Mapping[UUID, BillingProfile]:
    """Return the version in force of each; who kept none gets a first one of its name, country and e-mail address."""
    wanted = {organization.pk: organization for organization in organizations}
    found = profiles_in_force(wanted)
    missing = [_first(wanted[pk], now, version=1) for pk in sorted(wanted.keys() - found.keys())]
    if not missing:
        return found
    BillingProfile.objects.bulk_create(missing, ignore_conflicts=True)
    return profiles_in_force(wanted)


@transaction.atomic
def keep_profile(
    *, organization: Organization, given: ProfileFields, by: str, now: datetime, logo: LogoChange | None = None
) -> tuple[BillingProfile, bool]:
    """Keep a new version of how an organization stands on bills; return what is in force and whether this call made it.

    Without `logo` the one there is stays. The same again makes no version. Raises `WrongProfile` naming the first
    field that is wrong, and `WrongLogo`.
    """
    fields = checked_fields(given)
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    before = profile_of(organization)
    kept_logo = before.logo if logo is None else _kept_logo(organization, logo, now)
    if before.version and fields_of(before) == fields and before.logo == kept_logo:
        return before, False
    made = BillingProfile.objects.create(
        organization=organization,
        version=before.version + 1,
        logo=kept_logo,
        created_at=now,
        created_by=by,
        **_columns(fields),
    )
    AuditEntry.objects.create(
        organization=organization,
        actor=by,
        action="profile.kept",
        subject=f"billing profile v{made.version}",
        before=_told(before) if before.version else None,
        after=_told(made),
        at=now,
    )
    return made, True


def fields_of(profile: BillingProfile) -> ProfileFields:
    """Return what a version says."""
    names = [name for name in ProfileFields.__slots__ if name != "address_lines"]
    return ProfileFields(address_lines=tuple(profile.address_lines), **{name: getattr(profile, name) for name in names})


def checked_fields(given: ProfileFields) -> ProfileFields:
    """Return fields as they are kept: trimmed, numbers compact. Raises `WrongProfile`."""
    lines = tuple(line.strip() for line in given.address_lines if line.strip())
    fields = replace(
        given,
        **{name: getattr(given, name).strip() for name in TEXTS},
        address_lines=lines,
        country=given.country.strip().upper(),
        email=given.email.strip(),
        vat_id=compact(given.vat_id),
        iban=compact(given.iban),
        bic=compact(given.bic),
    )
    _check_texts(fields)
    _check_numbers(fields)
    return fields


def _check_texts(fields: ProfileFields) -> None:
    if not fields.legal_name:
        raise WrongProfile(sentence("legal_name: expected the name of the company."), field="legal_name")
    if len(fields.address_lines) > ADDRESS_LINES_MAX:
        raise WrongProfile(
            sentence("address_lines: expected at most %(most)s lines.", most=ADDRESS_LINES_MAX), field="address_lines"
        )
    for name, value in asdict(fields).items():
        longest = _longest(name)
        for text in value if isinstance(value, tuple | list) else (value,):
            if len(text) > longest or "\0" in text:
                raise WrongProfile(
                    sentence("%(name)s: expected at most %(longest)s characters.", name=name, longest=longest),
                    field=name,
                )
    if fields.language not in BillLanguage.values:
        raise WrongProfile(
            sentence(
                "language: found %(language)s, expected one of %(values)s.",
                language=repr(fields.language),
                values=Listed(BillLanguage.values),
            ),
            field="language",
        )
    try:
        validate_email(fields.email)
    except ValidationError as wrong:
        raise WrongProfile(
            sentence("email: %(email)s is no e-mail address.", email=repr(fields.email)), field="email"
        ) from wrong


def _longest(name: str) -> int:
    column = BillingProfile._meta.get_field(name)
    if isinstance(column, ArrayField):
        column = column.base_field
    assert isinstance(column, CharField), name
    assert column.max_length is not None, name
    return column.max_length


def _check_numbers(fields: ProfileFields) -> None:
    if fields.country not in COUNTRIES:
        raise WrongProfile(
            sentence(
                "country: found %(country)s, expected an ISO 3166-1 alpha-2 code such as DE.",
                country=repr(fields.country),
            ),
            field="country",
        )
    if fields.vat_id and not is_vat_id(fields.vat_id, fields.country):
        raise WrongProfile(
            sentence(
                "vat_id: %(vat_id)s has not the form or the check digits of a VAT id of %(country)s.",
                vat_id=fields.vat_id,
                country=fields.country,
            ),
            field="vat_id",
        )
    if fields.iban and not is_iban(fields.iban):
        raise WrongProfile(sentence("iban: its length, form or check digits are wrong."), field="iban")
    if fields.bic and not is_bic(fields.bic):
        raise WrongProfile(sentence("bic: expected 8 or 11 letters and digits such as COBADEFFXXX."), field="bic")


def _kept_logo(organization: Organization, change: LogoChange, now: datetime) -> Logo | None:
    if change.content is None:
        return None
    logo, _made = Logo.objects.get_or_create(
        organization=organization,
        sha256=hashlib.sha256(change.content).hexdigest(),
        defaults={"media_type": logo_type(change.content), "content": change.content, "created_at": now},
    )
    return logo


def _first(organization: Organization, at: datetime, *, version: int) -> BillingProfile:
    return BillingProfile(
        organization=organization,
        version=version,
        legal_name=organization.name,
        country=organization.country,
        email=organization.billing_email,
        created_at=at,
        created_by="forecourt",
    )


def _columns(fields: ProfileFields) -> dict[str, Any]:
    return {**asdict(fields), "address_lines": list(fields.address_lines)}


def _told(profile: BillingProfile) -> dict[str, Any]:
    return {**_columns(fields_of(profile)), "logo_sha256": profile.logo.sha256 if profile.logo else None}
