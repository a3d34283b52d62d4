"""Drafts of prices: started from what is in force, edited by one at a time, thrown away or published."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from billing.models import PriceBook, PriceDraft, PriceVersion
from billing.price_drafts import (
    BookExists,
    DraftChanged,
    DraftUnknown,
    Edit,
    discard_draft,
    open_book,
    publish_draft,
    save_draft,
    start_draft,
)
from billing.price_versions import prices_by_version
from billing.pricing import VersionExists, WrongPrices, publish_prices
from billing.rating.price_lists import FACTOR, PriceKey
from billing.rating.price_rows import read_rows, rows_of
from billing.rating.rated import PriceUnit
from tenants.models import AuditEntry
from tests.billing.world import APRIL, MARCH
from tests.factories import make_organization, make_price_book
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
OUTPUT = PriceKey(PriceUnit.PER_MTOK, "sample", "output")
OTHER = PriceKey(PriceUnit.PER_MTOK, "other", "output")
LONG = PriceKey(PriceUnit.PER_MTOK, "sample", "output", 200_000)
CARD = PriceKey(PriceUnit.PER_GPU_HOUR, "H100")
BATCH = PriceKey(FACTOR, "", "batch")
FIRST = {OUTPUT: Decimal("1.10"), OTHER: Decimal(2), BATCH: Decimal("0.5")}


def priced_book(cast: Cast) -> PriceBook:
    """A book with two versions, of MARCH and of APRIL."""
    book = make_price_book(cast.provider)
    publish_prices(book=book, effective_at=MARCH, prices=FIRST, now=MARCH)
    publish_prices(book=book, effective_at=APRIL, prices={OUTPUT: Decimal(9)}, now=MARCH)
    return book


def start(cast: Cast, book: PriceBook | None = None) -> tuple[PriceDraft, Edit]:
    """A draft by petra, and the edit of its first revision."""
    draft = start_draft(book=book or priced_book(cast), effective_at=APRIL - DAY, by="petra", now=MARCH)
    return draft, Edit(cast.provider, draft.id, 1, "pavel", MARCH + DAY)


def listed(draft: PriceDraft) -> dict[PriceKey, Decimal]:
    return read_rows(PriceDraft.objects.get(pk=draft.id).prices, where="prices")


draft_and_edit = kept(start)


@pytest.mark.parametrize(
    ("days", "expected"),
    [(-1, {}), (0, FIRST), (1, FIRST), (31, {OUTPUT: Decimal(9)}), (90, {OUTPUT: Decimal(9)})],
)
def test_a_draft_begins_with_the_prices_in_force_at_its_own_instant(
    cast: Cast, days: int, expected: dict[PriceKey, Decimal]
) -> None:
    draft = start_draft(book=priced_book(cast), effective_at=MARCH + days * DAY, by="petra", now=MARCH)
    assert listed(draft) == expected
    assert (draft.revision, draft.changed_by, draft.published) == (1, "petra", None)


def test_a_draft_of_an_empty_book_is_empty(cast: Cast) -> None:
    make_price_book(cast.provider)
    priced_book(cast)
    draft, _ = start(cast, make_price_book(cast.provider))
    assert listed(draft) == {}


def test_a_draft_is_raised_as_a_simulation_raises(cast: Cast) -> None:
    draft = start_draft(book=priced_book(cast), effective_at=MARCH, by="petra", now=MARCH, percent=10)
    assert listed(draft) == {OUTPUT: Decimal("1.21"), OTHER: Decimal("2.2"), BATCH: Decimal("0.5")}


def test_prices_of_some_models_only_are_raised(cast: Cast) -> None:
    draft = start_draft(book=priced_book(cast), effective_at=MARCH, by="petra", now=MARCH, percent=50, models={"other"})
    assert listed(draft) == {**FIRST, OTHER: Decimal(3)}


def test_a_draft_changes_nothing_that_is_in_force(draft_and_edit: tuple[PriceDraft, Edit]) -> None:
    draft, edit = draft_and_edit
    save_draft(edit=edit, prices={CARD: Decimal(3)}, effective_at=APRIL + DAY)
    assert PriceVersion.objects.filter(book=draft.book).count() == 2
    assert not AuditEntry.objects.filter(action="prices.published").exists()


def test_saving_replaces_the_list_and_counts_the_revision(draft_and_edit: tuple[PriceDraft, Edit]) -> None:
    draft, edit = draft_and_edit
    save_draft(edit=edit, prices={CARD: Decimal("3.10")}, effective_at=APRIL + DAY)
    draft.refresh_from_db()
    assert listed(draft) == {CARD: Decimal("3.1")}
    assert (draft.revision, draft.effective_at) == (2, APRIL + DAY)
    assert (draft.changed_at, draft.changed_by, draft.created_at) == (MARCH + DAY, "pavel", MARCH)


@pytest.mark.parametrize(
    "prices", [{LONG: Decimal(1)}, {OUTPUT: Decimal(-1)}, {OUTPUT: Decimal("NaN")}, {PriceKey("per_gpu_hour", ""): 1}]
)
def test_a_list_that_cannot_be_rated_by_is_refused_and_nothing_is_stored(
    prices: dict[PriceKey, Decimal], draft_and_edit: tuple[PriceDraft, Edit]
) -> None:
    draft, edit = draft_and_edit
    with pytest.raises(WrongPrices) as caught:
        save_draft(edit=edit, prices={key: Decimal(price) for key, price in prices.items()}, effective_at=APRIL)
    assert caught.value.extra["field"] == "prices"
    assert caught.value.extra["example"]
    assert listed(draft) == FIRST
    assert PriceDraft.objects.get().revision == 1


def test_of_two_who_edit_one_revision_the_second_is_told_who_came_first(
    draft_and_edit: tuple[PriceDraft, Edit],
) -> None:
    draft, edit = draft_and_edit
    save_draft(edit=edit, prices={CARD: Decimal(3)}, effective_at=APRIL)
    late = replace(edit, by="paula")
    with pytest.raises(DraftChanged, match="revision 2 by pavel, not at 1"):
        save_draft(edit=late, prices={CARD: Decimal(4)}, effective_at=APRIL)
    with pytest.raises(DraftChanged):
        discard_draft(edit=late)
    with pytest.raises(DraftChanged):
        publish_draft(edit=late)
    assert listed(draft) == {CARD: Decimal(3)}
    discard_draft(edit=replace(edit, revision=2))
    assert not PriceDraft.objects.exists()


def test_a_draft_of_another_provider_or_of_nobody_is_unknown(draft_and_edit: tuple[PriceDraft, Edit]) -> None:
    draft, edit = draft_and_edit
    stranger = replace(edit, provider=make_organization("stranger"))
    for wrong in (stranger, replace(edit, draft_id=UUID(int=1))):
        with pytest.raises(DraftUnknown):
            save_draft(edit=wrong, prices={}, effective_at=APRIL)
        with pytest.raises(DraftUnknown):
            discard_draft(edit=wrong)
        with pytest.raises(DraftUnknown):
            publish_draft(edit=wrong)
    assert listed(draft) == FIRST


def test_a_draft_is_published_once_as_it_was_saved(draft_and_edit: tuple[PriceDraft, Edit]) -> None:
    draft, edit = draft_and_edit
    wanted = {OUTPUT: Decimal("1.5"), LONG: Decimal(3), CARD: Decimal("2.10"), BATCH: Decimal("0.4")}
    save_draft(edit=edit, prices=wanted, effective_at=APRIL + 5 * DAY)
    now = replace(edit, revision=2)
    version = publish_draft(edit=now)
    assert (version.number, version.effective_at, version.announced_at) == (3, APRIL + 5 * DAY, now.now)
    assert prices_by_version([version.id])[version.id] == wanted
    draft.refresh_from_db()
    assert (draft.published, draft.changed_by) == (version, "pavel")
    for act in (publish_draft, discard_draft):
        with pytest.raises(DraftChanged):
            act(edit=now)
    with pytest.raises(DraftChanged):
        save_draft(edit=now, prices={}, effective_at=APRIL)
    assert PriceVersion.objects.filter(book=draft.book).count() == 3


def test_publishing_is_written_down(cast: Cast, draft_and_edit: tuple[PriceDraft, Edit]) -> None:
    draft, edit = draft_and_edit
    publish_draft(edit=edit)
    entry = AuditEntry.objects.get(action="prices.published")
    assert (entry.organization, entry.actor, entry.at) == (cast.provider, "pavel", edit.now)
    assert entry.subject == f"{draft.book.name} v3"
    assert entry.after == {"effective_at": (APRIL - DAY).isoformat(), "prices": len(rows_of(FIRST))}


def test_a_refused_publication_leaves_the_draft_to_be_mended(draft_and_edit: tuple[PriceDraft, Edit]) -> None:
    draft, edit = draft_and_edit
    save_draft(edit=edit, prices=FIRST, effective_at=APRIL)
    with pytest.raises(VersionExists):
        publish_draft(edit=replace(edit, revision=2))
    draft.refresh_from_db()
    assert draft.published is None
    save_draft(edit=replace(edit, revision=2), prices=FIRST, effective_at=APRIL + DAY)
    assert publish_draft(edit=replace(edit, revision=3)).number == 3


def test_a_book_is_opened_once_by_its_name(cast: Cast) -> None:
    book = open_book(provider=cast.provider, name="Europe", currency="EUR", by="petra", now=MARCH)
    assert (book.currency, book.created_at, book.versions.count()) == ("EUR", MARCH, 0)
    entry = AuditEntry.objects.get(action="price_book.opened")
    assert (entry.actor, entry.subject, entry.after) == ("petra", "Europe", {"currency": "EUR"})
    with pytest.raises(BookExists) as caught:
        open_book(provider=cast.provider, name="Europe", currency="USD", by="petra", now=MARCH)
    assert caught.value.extra == {"field": "name", "example": "Europe 2"}
    elsewhere = open_book(provider=make_organization("else"), name="Europe", currency="USD", by="eve", now=MARCH)
    assert elsewhere.id != book.id


def test_a_book_in_no_currency_is_not_opened(cast: Cast) -> None:
    with pytest.raises(WrongPrices) as caught:
        open_book(provider=cast.provider, name="Mars", currency="XQZ", by="petra", now=MARCH)
    assert (caught.value.extra["field"], caught.value.extra["example"]) == ("currency", "USD")
    assert not PriceBook.objects.exists()
    assert not AuditEntry.objects.filter(action="price_book.opened").exists()
