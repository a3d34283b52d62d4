"""Telling tenants of a price version: one notice a contract, one letter an address; each is written once."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from billing.models import RUNNING_STATES, Contract, ContractState, PriceMail, PriceNotice, PriceVersion
from billing.price_rules import effect_by_contract
from billing.price_versions import all_versions
from billing.telling import tell_prices
from billing.unsent import claim_unsent
from tenants.models import Membership, Organization, Role

LOOKED_AHEAD: Final = timedelta(days=3_650)
"""A change that a contract keeps away for longer is none for it."""
READERS: Final = (Role.OWNER, Role.ADMIN, Role.BILLING)
"""Whose address gets a letter, beside the organization's own."""


@transaction.atomic
def write_notices(*, version: PriceVersion, now: datetime) -> list[PriceNotice]:
    """Tell every tenant with a contract on the book who is not told yet; return the new notices.

    Contracts count that run when the version takes effect or later. A book's first version changes nothing.
    """
    if not PriceVersion.objects.filter(book=version.book_id, effective_at__lt=version.effective_at).exists():
        return []
    told = PriceNotice.objects.filter(version=version, contract=OuterRef("pk"))
    contracts = list(
        Contract.objects.filter(
            ~Exists(told),
            Q(to_at__isnull=True) | Q(to_at__gt=version.effective_at),
            price_book=version.book_id,
            state__in=(*RUNNING_STATES, ContractState.OFFERED),
        )
        .select_related("tenant")
        .order_by("pk")
    )
    if not contracts:
        return []
    effects = effect_by_contract(
        contracts,
        all_versions([version.book_id])[version.book_id],
        str(version.id),
        until=version.effective_at + LOOKED_AHEAD,
    )
    PriceNotice.objects.bulk_create(
        [
            PriceNotice(version=version, contract=one, takes_effect_at=effects[one.id], created_at=now)
            for one in contracts
        ],
        ignore_conflicts=True,
    )
    _write_mails(version, [one.tenant for one in contracts if effects[one.id] is not None], now)
    written = list(PriceNotice.objects.filter(version=version, contract__in=contracts))
    tenants = {one.id: one.tenant_id for one in contracts}
    for notice in written:
        if notice.takes_effect_at is not None:
            tell_prices(notice, tenant_id=tenants[notice.contract_id], at=now)
    return written


def untold_versions(*, now: datetime) -> list[PriceVersion]:
    """Return the versions that are announced and not in force, and whose notice a contract of the book lacks."""
    told = PriceNotice.objects.filter(version=OuterRef(OuterRef("pk")), contract=OuterRef("pk"))
    lacking = Contract.objects.filter(
        ~Exists(told), price_book=OuterRef("book"), state__in=(*RUNNING_STATES, ContractState.OFFERED)
    ).filter(Q(to_at__isnull=True) | Q(to_at__gt=OuterRef("effective_at")))
    earlier = PriceVersion.objects.filter(book=OuterRef("book"), effective_at__lt=OuterRef("effective_at"))
    return list(PriceVersion.objects.filter(Exists(lacking), Exists(earlier), effective_at__gt=now).order_by("pk"))


def see_notice(*, notice_id: UUID, tenant: Organization, by: str, now: datetime) -> bool:
    """Note who of the tenant opened a notice first; says whether this was the first time."""
    waiting = PriceNotice.objects.filter(pk=notice_id, contract__tenant=tenant, seen_at__isnull=True)
    return bool(waiting.update(seen_at=now, seen_by=by))


def _write_mails(version: PriceVersion, tenants: Sequence[Organization], now: datetime) -> None:
    by_id = {tenant.id: tenant for tenant in tenants}
    addresses = {(tenant.id, tenant.billing_email.lower()) for tenant in tenants if tenant.billing_email}
    readers = Membership.objects.filter(organization__in=by_id, role__in=READERS, user__is_active=True)
    addresses |= {(key, email.lower()) for key, email in readers.values_list("organization_id", "user__email")}
    PriceMail.objects.bulk_create(
        [
            PriceMail(version=version, tenant=by_id[key], address=address, created_at=now, due_at=now)
            for key, address in sorted(addresses, key=str)
        ],
        ignore_conflicts=True,
    )


def claim_mails(*, now: datetime, limit: int) -> list[PriceMail]:
    """Return letters that are due and now this sweep's."""
    rows = PriceMail.objects.select_related("version__book__provider", "tenant")
    return claim_unsent(rows, now=now, limit=limit)
