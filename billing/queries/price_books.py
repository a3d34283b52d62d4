"""Price books with their versions side by side, their drafts, and who was told; a fixed number of queries a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from billing.models import (
    RUNNING_STATES,
    Contract,
    ContractState,
    PriceBook,
    PriceDraft,
    PriceMail,
    PriceNotice,
    PriceVersion,
)
from billing.price_rules import rules_of
from billing.price_versions import all_versions, prices_by_version
from billing.rating.book import PriceVersion as RatedVersion
from billing.rating.price_lists import PriceChange, PriceKey, changes, prices_of
from billing.rating.price_rows import read_rows
from billing.rating.price_rules import contract_versions, row_id
from tenants.limits.reader import within_own
from tenants.limits.written_once import written_once
from tenants.models import Organization

PAST_SHOWN: Final = 1
LOOKED_AHEAD: Final = timedelta(days=3_650)


class Standing(StrEnum):
    """Where a version or draft stands."""

    PAST = "past"
    IN_FORCE = "in_force"
    ANNOUNCED = "announced"
    DRAFT = "draft"


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A published version with its prices, and how many of those told opened what they were told."""

    id: UUID
    book_id: UUID
    book: str
    currency: str
    number: int
    announced_at: datetime
    effective_at: datetime
    standing: Standing
    prices: Mapping[PriceKey, Decimal]
    told: int
    opened: int
    own_prices: int


@dataclass(frozen=True, slots=True)
class DraftRow:
    """A draft that is not published."""

    id: UUID
    book_id: UUID
    book: str
    currency: str
    effective_at: datetime
    revision: int
    changed_at: datetime
    changed_by: str
    prices: Mapping[PriceKey, Decimal]


@dataclass(frozen=True, slots=True)
class ToldRow:
    """Who was told of a version: `letters` of them are out of `letters_all`."""

    tenant: str
    contract: str
    takes_effect_at: datetime | None
    told_at: datetime
    seen_at: datetime | None
    seen_by: str
    letters: int
    letters_all: int


@dataclass(frozen=True, slots=True)
class ContractPrices:
    """A contract's prices in force, and the changes that are announced for it, by instant."""

    contract_id: UUID
    contract: str
    provider: str
    currency: str
    time_zone: str
    book: str
    prices: Mapping[PriceKey, Decimal]
    adjusted: bool
    upcoming: tuple[tuple[datetime, tuple[PriceChange, ...]], ...]


def books_of(provider: Organization) -> list[PriceBook]:
    """Return a provider's price books by name."""
    return list(PriceBook.objects.filter(provider=provider).order_by("name", "pk"))


def version_rows(versions: QuerySet[PriceVersion], now: datetime) -> list[VersionRow]:
    """Return versions in the order they take effect, with their prices."""
    rows = list(
        versions.select_related("book")
        .annotate(
            told=Count("notices", distinct=True),
            opened=Count("notices", filter=Q(notices__seen_at__isnull=False), distinct=True),
            own=Count("notices", filter=Q(notices__takes_effect_at__isnull=True), distinct=True),
        )
        .order_by("effective_at")
    )
    prices = prices_by_version([row.id for row in rows])
    in_force = _in_force({row.book_id for row in rows}, now)
    return [
        VersionRow(
            id=row.id,
            book_id=row.book_id,
            book=row.book.name,
            currency=row.book.currency,
            number=row.number,
            announced_at=row.announced_at,
            effective_at=row.effective_at,
            standing=_standing(row, in_force, now),
            prices=prices[row.id],
            told=row.told,
            opened=row.opened,
            own_prices=row.own,
        )
        for row in rows
    ]


def shown_versions(book: PriceBook, now: datetime) -> list[VersionRow]:
    """Return the version before the one in force, that one, and all that are announced."""
    started = PriceVersion.objects.filter(book=book, effective_at__lte=now).order_by("-effective_at")
    shown = [row.pk for row in started[: PAST_SHOWN + 1]]
    return version_rows(PriceVersion.objects.filter(Q(pk__in=shown) | Q(book=book, effective_at__gt=now)), now)


def version_row(reader: Organization, version_id: UUID, now: datetime) -> VersionRow | None:
    """Return one version of a book that the reader sells by or has a contract on."""
    found = version_rows(readable_versions(reader).filter(pk=version_id), now)
    return found[0] if found else None


def readable_versions(reader: Organization) -> QuerySet[PriceVersion]:
    """Return the versions of the books that the reader sells by or has a contract on."""
    return PriceVersion.objects.filter(book__in=readable_books(reader))


def readable_books(reader: Organization) -> QuerySet[PriceBook]:
    """Return the books that the reader sells by or has a contract on that both parties may read."""
    agreed = Contract.objects.filter(tenant=reader, price_book__isnull=False).exclude(state=ContractState.DRAFT)
    return PriceBook.objects.filter(Q(provider=reader) | Q(pk__in=agreed.values("price_book")))


def draft_rows(drafts: QuerySet[PriceDraft]) -> list[DraftRow]:
    """Return drafts that are not published, the latest changed first."""
    return [
        DraftRow(
            id=row.id,
            book_id=row.book_id,
            book=row.book.name,
            currency=row.book.currency,
            effective_at=row.effective_at,
            revision=row.revision,
            changed_at=row.changed_at,
            changed_by=row.changed_by,
            prices=read_rows(row.prices, where="prices"),
        )
        for row in drafts.filter(published__isnull=True).select_related("book").order_by("-changed_at")
    ]


def told_rows(version_id: UUID) -> list[ToldRow]:
    """Return who was told of a version, by tenant."""
    letters = {
        row["tenant"]: (row["out"], row["letters"])
        for row in PriceMail.objects.filter(version=version_id)
        .values("tenant")
        .annotate(out=Count("pk", filter=Q(sent_at__isnull=False)), letters=Count("pk"))
    }
    notices = PriceNotice.objects.filter(version=version_id).select_related("contract__tenant")
    return [
        ToldRow(
            tenant=row.contract.tenant.name,
            contract=row.contract.number,
            takes_effect_at=row.takes_effect_at,
            told_at=row.created_at,
            seen_at=row.seen_at,
            seen_by=row.seen_by,
            letters=letters.get(row.contract.tenant_id, (0, 0))[0],
            letters_all=letters.get(row.contract.tenant_id, (0, 0))[1],
        )
        for row in notices.order_by("contract__tenant__name", "contract__number")
    ]


def next_notice(tenant: Organization, now: datetime) -> PriceNotice | None:
    """Return the notice of the change that comes next for a tenant."""
    with within_own(tenant.pk, "what a tenant was told of its own contracts' prices"):
        return next(iter(_next(tenant.pk, now)), None)


@written_once
def _next(tenant: UUID, now: datetime) -> QuerySet[PriceNotice]:
    return upcoming_notices(tenant, now)[:1]


def upcoming_notices(tenant_id: UUID, now: datetime) -> QuerySet[PriceNotice]:
    """Return a tenant's notices of changes to come, the next one first."""
    return notices_of(tenant_id).filter(takes_effect_at__gt=now).order_by("takes_effect_at", "pk")


def notices_of(tenant_id: UUID) -> QuerySet[PriceNotice]:
    """Return all that a tenant was told."""
    return PriceNotice.objects.filter(contract__tenant=tenant_id).select_related(
        "version__book__provider", "contract__tenant"
    )


def contract_prices(tenant: Organization, now: datetime) -> list[ContractPrices]:
    """Return what each of a tenant's contracts pays now, and what is announced for it."""
    contracts = list(
        Contract.objects.filter(
            Q(to_at__isnull=True) | Q(to_at__gt=now),
            tenant=tenant,
            state__in=(*RUNNING_STATES, ContractState.OFFERED),
        )
        .select_related("provider", "price_book")
        .order_by("number")
    )
    books = all_versions({one.price_book_id for one in contracts if one.price_book_id is not None})
    rules = rules_of([one.id for one in contracts])
    found = []
    for one in contracts:
        versions = contract_versions(
            books.get(one.price_book_id, ()),
            rules.get(one.id, ()),
            zone=one.time_zone,
            from_at=now,
            to_at=now + LOOKED_AHEAD,
        )
        if versions:
            found.append(_contract_prices(one, versions, now))
    return found


def _contract_prices(contract: Contract, versions: Sequence[RatedVersion], now: datetime) -> ContractPrices:
    started = [version for version in versions if version.effective_at <= now]
    prices = prices_of(started[-1]) if started else {}
    upcoming, before = [], prices
    for version in versions[len(started) :]:
        after = prices_of(version)
        if found := changes(before, after):
            upcoming.append((version.effective_at, found))
        before = after
    return ContractPrices(
        contract_id=contract.id,
        contract=contract.number,
        provider=contract.provider.name,
        currency=contract.currency,
        time_zone=contract.time_zone,
        book=contract.price_book.name if contract.price_book else "",
        prices=prices,
        adjusted=bool(started) and row_id(started[-1].version_id) != started[-1].version_id,
        upcoming=tuple(upcoming),
    )


def _in_force(book_ids: set[UUID], now: datetime) -> set[UUID]:
    started = PriceVersion.objects.filter(book__in=book_ids, effective_at__lte=now)
    latest = started.order_by("book", "-effective_at").distinct("book")
    return set(latest.values_list("pk", flat=True))


def _standing(row: PriceVersion, in_force: set[UUID], now: datetime) -> Standing:
    if row.effective_at > now:
        return Standing.ANNOUNCED
    return Standing.IN_FORCE if row.pk in in_force else Standing.PAST
