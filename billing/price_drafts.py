"""Writing a price list before it is published: drafts are edited, compared, and thrown away or published."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing.economics.repricing import scaled
from billing.models import PriceBook, PriceDraft, PriceVersion
from billing.money import UnknownCurrency, minor_digits
from billing.price_versions import load_versions
from billing.pricing import WrongPrices, publish_prices
from billing.rating.price_lists import PriceList, prices_of
from billing.rating.price_rows import check_list, read_rows, rows_of
from billing.rating.wording import WrongWording
from tenants.models import AuditEntry, Organization
from tenants.problems import Problem
from tenants.sentences import sentence


class DraftUnknown(Problem):
    """There is no such draft of the provider."""

    status = 404
    code = "draft_unknown"
    title = "There is no such draft"


class DraftChanged(Problem):
    """Somebody changed the draft since it was read, or published it."""

    status = 409
    code = "draft_changed"
    title = "The draft was changed since it was read"


class BookExists(Problem):
    """The provider has another price book of this name."""

    status = 409
    code = "price_book_exists"
    title = "There is a price book of this name"


@dataclass(frozen=True, slots=True)
class Edit:
    """Which state of which draft an act is about, and whose act it is."""

    provider: Organization
    draft_id: UUID
    revision: int
    by: str
    now: datetime


@transaction.atomic
def start_draft(
    *,
    book: PriceBook,
    effective_at: datetime,
    by: str,
    now: datetime,
    percent: int = 0,
    models: Collection[str] | None = None,
) -> PriceDraft:
    """Store a draft with the prices that are in force at its instant by now.

    With a percentage they are raised by it, or those of some models only, as a simulation raises them.
    """
    versions = load_versions(book_ids=[book.id], from_at=effective_at, to_at=effective_at).get(book.id, ())
    return PriceDraft.objects.create(
        book=book,
        effective_at=effective_at,
        prices=rows_of(prices_of(scaled(versions[-1], percent, models)) if versions else {}),
        created_at=now,
        changed_at=now,
        changed_by=by,
    )


@transaction.atomic
def save_draft(*, edit: Edit, prices: PriceList, effective_at: datetime) -> PriceDraft:
    """Put other prices or another instant in a draft. Raises `WrongPrices`, `DraftUnknown`, `DraftChanged`."""
    try:
        check_list(prices, where="prices")
    except WrongWording as wrong:
        raise WrongPrices(str(wrong), field=wrong.field, reason=wrong.reason, example=wrong.example) from wrong
    draft = _locked(edit)
    draft.prices, draft.effective_at = rows_of(prices), effective_at
    draft.revision += 1
    draft.changed_at, draft.changed_by = edit.now, edit.by
    draft.save(update_fields=["prices", "effective_at", "revision", "changed_at", "changed_by"])
    return draft


@transaction.atomic
def discard_draft(*, edit: Edit) -> None:
    """Throw a draft away."""
    _locked(edit).delete()


@transaction.atomic
def publish_draft(*, edit: Edit) -> PriceVersion:
    """Make a version of a draft and tell the tenants; from then on both stand.

    Raises `DraftUnknown`, `DraftChanged`, and whatever `publish_prices` does.
    """
    draft = _locked(edit)
    version = publish_prices(
        book=draft.book,
        effective_at=draft.effective_at,
        prices=read_rows(draft.prices, where="prices"),
        now=edit.now,
    )
    draft.published, draft.changed_at, draft.changed_by = version, edit.now, edit.by
    draft.save(update_fields=["published", "changed_at", "changed_by"])
    AuditEntry.objects.create(
        organization=edit.provider,
        actor=edit.by,
        action="prices.published",
        subject=f"{draft.book.name} v{version.number}",
        after={"effective_at": version.effective_at.isoformat(), "prices": len(draft.prices)},
        at=edit.now,
    )
    return version


@transaction.atomic
def open_book(*, provider: Organization, name: str, currency: str, by: str, now: datetime) -> PriceBook:
    """Store an empty price book. Raises `BookExists`, `WrongPrices`."""
    try:
        minor_digits(currency)
    except UnknownCurrency as unknown:
        raise WrongPrices(str(unknown), field="currency", reason=unknown.args[0], example="USD") from unknown
    if PriceBook.objects.filter(provider=provider, name=name).exists():
        raise BookExists(
            sentence("%(name)s has a price book %(name_2)s.", name=provider.name, name_2=repr(name)),
            field="name",
            example=f"{name} 2",
        )
    book = PriceBook.objects.create(provider=provider, name=name, currency=currency, created_at=now)
    AuditEntry.objects.create(
        organization=provider, actor=by, action="price_book.opened", subject=name, after={"currency": currency}, at=now
    )
    return book


def _locked(edit: Edit) -> PriceDraft:
    drafts = PriceDraft.objects.select_for_update(of=("self",)).select_related("book")
    draft = drafts.filter(pk=edit.draft_id, book__provider=edit.provider).first()
    if draft is None:
        raise DraftUnknown(sentence("This draft was thrown away, or is not yours."))
    if draft.published_id is not None or draft.revision != edit.revision:
        raise DraftChanged(
            sentence(
                "The draft is at revision %(revision)s by %(changed_by)s, not at %(edit_revision)s; read it again.",
                revision=draft.revision,
                changed_by=draft.changed_by,
                edit_revision=edit.revision,
            ),
            field="revision",
            example=str(draft.revision),
        )
    return draft
