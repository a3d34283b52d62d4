"""A provider's price books: versions side by side, one version with who was told, and new books."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from billing.csv_files import csv_answer
from billing.models import PriceBook, PriceDraft, PriceVersion
from billing.pages.price_cost_words import PriceCostLine, price_cost_lines
from billing.pages.price_forms import BookForm
from billing.pages.price_words import price_lines, standing_pill
from billing.price_drafts import BookExists, open_book
from billing.price_versions import all_versions
from billing.queries.price_books import (
    DraftRow,
    Standing,
    VersionRow,
    books_of,
    draft_rows,
    shown_versions,
    told_rows,
    version_rows,
)
from billing.queries.price_costs import price_costs
from billing.queries.price_effects import ContractEffect, effects_on_book, total_effect
from billing.rating.price_lists import prices_of
from billing.rating.price_rows import FIELD_OF_UNIT
from billing.rating.wording import plain
from portal.figures import day, moment, money, money_change
from portal.locales import active_locale
from portal.parts import Empty, Kpi
from portal.shell import Crumb
from tenants.models import Organization, User
from tenants.roles import READ_INVOICES, READ_PRICES, SET_PRICES, allows
from tenants.scoping import acting_membership, provider_page
from tenants.telling import refusal

CSV_HEAD = (
    "book",
    "currency",
    "version",
    "standing",
    "announced_at_utc",
    "effective_at_utc",
    "model",
    "quantity",
    "context_over",
    "unit",
    "price",
)


@require_safe
@provider_page(READ_PRICES)
def provider_prices(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show a price book: the version in force, the one before, those announced, and the drafts."""
    now = datetime.now(UTC)
    locale = active_locale()
    books = books_of(organization)
    book = chosen_book(books, request.GET.get("book", ""))
    context: dict[str, Any] = {"books": books, "book": book, "sets": sets_prices(request)}
    if book is None:
        context["empty"] = Empty(
            _("No price book yet"),
            _("A price book is a list of prices in one currency that contracts refer to."),
            icon="tag",
        )
        return render(request, "billing/provider_prices.html", context)
    versions = shown_versions(book, now)
    drafts = draft_rows(PriceDraft.objects.filter(book=book))
    compared = _compared(versions)
    effects = _effects(book, versions, now)
    columns = [_column(row, now, locale) for row in versions]
    lines = price_lines([row.prices for row in versions], book.currency, locale, compared=compared, effects=effects)
    context |= {
        "sub": _subtitle(versions, locale),
        "columns": columns,
        "lines": [(line, list(zip(columns, line.prices, strict=True))) for line in lines],
        "compared": compared is not None,
        "effects": bool(effects),
        "costs": _costs(request, book, versions, effects, now, locale),
        "next_version": versions[-1].number if effects else None,
        "effect_words": _effect_words(effects, versions, book.currency, locale),
        "drafts": [
            (row, moment(row.changed_at, UTC, locale=locale), day(row.effective_at.date(), "yMMMd", locale))
            for row in drafts
        ],
        "announced": [row for row in versions if row.standing is Standing.ANNOUNCED],
        "export_url": f"{reverse('provider-prices-csv')}?book={book.id}",
        "empty": Empty(_("No prices yet"), _("Write a draft; publishing it puts it in force."), icon="tag"),
    }
    return render(request, "billing/provider_prices.html", context)


@require_safe
@provider_page(READ_PRICES)
def provider_prices_csv(request: HttpRequest, organization: Organization) -> HttpResponseBase:
    """Write every published version of a book as a file: a row per price."""
    book = chosen_book(books_of(organization), request.GET.get("book", ""))
    if book is None:
        raise Http404
    rows = version_rows(PriceVersion.objects.filter(book=book), datetime.now(UTC))
    return csv_answer(f"prices-{book.id}.csv", CSV_HEAD, _csv_rows(rows))


@require_safe
@provider_page(READ_PRICES)
def provider_price_version(request: HttpRequest, organization: Organization, *, version_id: UUID) -> HttpResponse:
    """Show a published version: what it changed, what that means, and who was told."""
    now = datetime.now(UTC)
    locale = active_locale()
    found = version_rows(PriceVersion.objects.filter(pk=version_id, book__provider=organization), now)
    if not found:
        raise Http404
    row = found[0]
    versions = all_versions([row.book_id])[row.book_id]
    place = [each.version_id for each in versions].index(str(row.id))
    before = prices_of(versions[place - 1]) if place else {}
    effects: tuple[ContractEffect, ...] = ()
    if row.standing is Standing.ANNOUNCED:
        book = PriceBook.objects.get(pk=row.book_id)
        effects = effects_on_book(book, versions[place], now=now, versions=versions)
    told = told_rows(row.id)
    by_contract = {each.contract: each for each in effects}
    context = {
        "row": row,
        "pill": standing_pill(row.standing),
        "sub": _announced_words(row, locale),
        "lines": price_lines([before, row.prices], row.currency, locale, compared=(0, 1), effects=effects),
        "has_before": place > 0,
        "heads": (_("Before"), _("Price")),
        "effects": bool(effects),
        "kpis": _kpis(row, effects, locale),
        "told": [(each, by_contract.get(each.contract)) for each in told],
        "crumbs": (Crumb(_("Prices"), f"{reverse('provider-prices')}?book={row.book_id}"), Crumb(f"v{row.number}")),
    }
    return render(request, "billing/price_version.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(SET_PRICES)
def provider_price_book_new(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Open a price book."""
    form = BookForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        assert isinstance(request.user, User)
        try:
            book = open_book(
                provider=organization,
                name=form.cleaned_data["name"],
                currency=form.cleaned_data["currency"],
                by=request.user.email,
                now=datetime.now(UTC),
            )
        except BookExists as refused:
            form.add_error("name", refusal(refused))
        else:
            messages.success(request, _("The price book is open. Write its first list of prices."))
            return redirect(f"{reverse('provider-prices')}?book={book.id}")
    context = {"form": form, "crumbs": (Crumb(_("Prices"), reverse("provider-prices")), Crumb(_("New price book")))}
    return render(request, "billing/price_book_new.html", context, status=422 if form.is_bound else 200)


def sets_prices(request: HttpRequest) -> bool:
    """Whether the person may write and publish prices."""
    membership = acting_membership(request)
    return membership is not None and allows(membership.role, SET_PRICES)


def own_book(organization: Organization, book_id: str) -> PriceBook:
    """Return a provider's own book. Raises Http404."""
    found = chosen_book(books_of(organization), book_id)
    if found is None or str(found.id) != book_id:
        raise Http404
    return found


def chosen_book(books: list[PriceBook], asked: str) -> PriceBook | None:
    """Return the book that was asked for by id, the first one without. Raises Http404."""
    if asked and all(str(book.id) != asked for book in books):
        raise Http404
    return next((book for book in books if str(book.id) == asked), books[0] if books else None)


def _compared(versions: list[VersionRow]) -> tuple[int, int] | None:
    """The version in force against the last one announced, else against the one before."""
    places = [place for place, row in enumerate(versions) if row.standing is Standing.IN_FORCE]
    if not places or len(versions) == 1:
        return None
    last = len(versions) - 1
    return (places[0], last) if last > places[0] else (places[0] - 1, places[0])


def _effects(book: PriceBook, versions: list[VersionRow], now: datetime) -> tuple[ContractEffect, ...]:
    """What the next announced version means."""
    announced = [row for row in versions if row.standing is Standing.ANNOUNCED]
    if not announced:
        return ()
    known = all_versions([book.id])[book.id]
    [new] = [each for each in known if each.version_id == str(announced[-1].id)]
    return effects_on_book(book, new, now=now, versions=known)


def _costs(  # noqa: PLR0917  what the page has at hand
    request: HttpRequest,
    book: PriceBook,
    versions: list[VersionRow],
    effects: tuple[ContractEffect, ...],
    now: datetime,
    locale: str,
) -> list[PriceCostLine]:
    """What the book's models earn and cost, for those whose role may read margins."""
    membership = acting_membership(request)
    if membership is None or not allows(membership.role, READ_INVOICES):
        return []
    models = {key.model for row in versions for key in row.prices}
    return price_cost_lines(price_costs(book, models, effects, now), book.currency, locale, now)


def _column(row: VersionRow, now: datetime, locale: str) -> dict[str, Any]:
    skeleton = "MMMd" if row.effective_at.year == now.year else "yMMMd"
    return {
        "title": f"v{row.number}",
        "from": day(row.effective_at.date(), skeleton, locale),
        "url": reverse("provider-price-version", args=[row.id]),
        "pill": standing_pill(row.standing),
    }


def _subtitle(versions: list[VersionRow], locale: str) -> str:
    parts = []
    for row in versions:
        words = {"version": row.number, "day": day(row.effective_at.date(), "yMMMd", locale)}
        if row.standing is Standing.IN_FORCE:
            parts.append(_("v%(version)s in force since %(day)s") % words)
        elif row.standing is Standing.ANNOUNCED:
            days = (row.effective_at - row.announced_at).days
            notice = ngettext("%(count)s day's notice", "%(count)s days' notice", days) % {"count": days}
            parts.append(_("v%(version)s announced, starts %(day)s (%(notice)s)") % {**words, "notice": notice})
    return " · ".join(parts) or _("Nothing is in force.")


def _effect_words(effects: tuple[ContractEffect, ...], versions: list[VersionRow], currency: str, locale: str) -> str:
    if not effects:
        return ""
    before, after = total_effect(effects)
    words = {
        "version": versions[-1].number,
        "before": money(before, currency, locale=locale),
        "after": money(after, currency, locale=locale),
        "difference": money_change(after - before, currency, locale=locale),
    }
    return _("The last 30 days of all contracts: %(before)s, at v%(version)s %(after)s (%(difference)s).") % words


def _announced_words(row: VersionRow, locale: str) -> str:
    words = {
        "book": row.book,
        "announced": moment(row.announced_at, UTC, locale=locale),
        "effective": moment(row.effective_at, UTC, locale=locale),
    }
    return _("%(book)s · announced %(announced)s · in force from %(effective)s") % words


def _kpis(row: VersionRow, effects: tuple[ContractEffect, ...], locale: str) -> list[Kpi]:
    kpis = [
        Kpi(
            _("Contracts told"), str(row.told), foot=_("%(count)s keep prices of their own") % {"count": row.own_prices}
        ),
        Kpi(_("Opened"), str(row.opened), foot=_("of %(count)s") % {"count": row.told}),
    ]
    if effects:
        before, after = total_effect(effects)
        foot = _("%(before)s became %(after)s") % {
            "before": money(before, row.currency, locale=locale),
            "after": money(after, row.currency, locale=locale),
        }
        kpis.append(Kpi(_("Last 30 days"), money_change(after - before, row.currency, locale=locale), foot=foot))
    return kpis


def _csv_rows(rows: list[VersionRow]) -> Iterator[tuple[object, ...]]:
    for row in rows:
        head = (
            row.book,
            row.currency,
            row.number,
            row.standing,
            row.announced_at.isoformat(),
            row.effective_at.isoformat(),
        )
        for key, price in sorted(row.prices.items()):
            yield (*head, key.model, key.quantity, key.context_over, FIELD_OF_UNIT[key.unit], plain(price))


def announced_as(organization: Organization, draft_id: UUID) -> UUID | None:
    """Return the version that a provider's own draft became, whose page people go back to; None while it is a draft."""
    own = PriceDraft.objects.filter(pk=draft_id, book__provider=organization)
    return own.values_list("published_id", flat=True).first()


def draft_of(organization: Organization, draft_id: UUID) -> DraftRow:
    """Return a provider's own draft. Raises Http404."""
    found = draft_rows(PriceDraft.objects.filter(pk=draft_id, book__provider=organization))
    if not found:
        raise Http404
    return found[0]
