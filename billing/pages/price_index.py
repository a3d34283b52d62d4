"""Public prices: a provider's own beside them, what changed since the last import, and a search."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext
from django.views.decorators.http import require_safe

from billing.csv_files import csv_answer
from billing.models import IndexImport, IndexPrice, IndexSource, PriceBook
from billing.pages.price_words import change_words, mark_words, name_of, what_of
from billing.pages.prices import chosen_book
from billing.queries.price_books import books_of
from billing.queries.price_index import (
    Beside,
    IndexChanges,
    beside_market,
    index_changes,
    latest_imports,
    public_prices,
)
from billing.rating.price_lists import PriceKey
from billing.rating.wording import plain
from portal.figures import change, day, number, unit_price
from portal.locales import active_locale
from portal.parts import Empty
from tenants.models import Organization
from tenants.roles import READ_PRICES
from tenants.scoping import provider_page

FOUND_MAX = 100
CHANGES_MAX = 50
LEFT_OUT_MAX = 200
CSV_HEAD = (
    "source",
    "as_of",
    "seller",
    "name",
    "unit",
    "quantity",
    "context_over",
    "mark",
    "currency",
    "price",
    "stated_on",
    "link",
)


@require_safe
@provider_page(READ_PRICES)
def provider_price_index(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show own prices beside public ones, what became of those, and those that a search finds."""
    locale = active_locale()
    books = books_of(organization)
    book = chosen_book(books, request.GET.get("book", ""))
    search = request.GET.get("q", "").strip()[:100]
    imports = latest_imports()
    found = list(public_prices(search)[:FOUND_MAX]) if search else []
    context: dict[str, Any] = {
        "books": books,
        "book": book,
        "q": search,
        "sub": " · ".join(imported_words(row, locale) for row in imports.values()) or _("nothing imported yet"),
        "beside": [_beside(one, book.currency, locale) for one in beside_market(book, datetime.now(UTC))]
        if book
        else [],
        "found": [_public(one, locale) for one in found],
        "changes": [changes_words(row, index_changes(row), locale) for row in imports.values()],
        "left_out": [
            (_source(row.source), number(len(row.skipped)), left_out_words(row.skipped))
            for row in imports.values()
            if row.skipped
        ],
        "empty": Empty(
            _("No public prices yet"),
            _("The operator of this installation imports them. Your prices stand here beside the market's then."),
            icon="scale",
        ),
        "imported": bool(imports),
    }
    return render(request, "billing/price_index.html", context)


@require_safe
@provider_page(READ_PRICES)
def provider_price_index_csv(request: HttpRequest, organization: Organization) -> HttpResponseBase:  # noqa: ARG001  every page takes it
    """Write the public prices of the newest imports, or those that a search finds, as a file."""
    return csv_answer("price-index.csv", CSV_HEAD, _csv_rows(request.GET.get("q", "").strip()[:100]))


def _all_beside(book: PriceBook | None, locale: str) -> list[dict[str, Any]]:
    if book is None:
        return []
    return [_beside(one, book.currency, locale) for one in beside_market(book, datetime.now(UTC))]


def imported_words(row: IndexImport, locale: str) -> str:
    """Return what was imported, and of which day."""
    return _("%(source)s as of %(day)s") % {"source": _source(row.source), "day": day(row.as_of, "yMMMd", locale)}


def _source(source: str) -> str:
    return {IndexSource.LITELLM.value: "LiteLLM", IndexSource.GPU_HOURS.value: _("GPU-hour table")}[source]


def _beside(one: Beside, currency: str, locale: str) -> dict[str, Any]:
    relative = one.relative
    return {
        "name": name_of(one.key),
        "what": what_of(one.key),
        "own": unit_price(one.own, currency, locale=locale),
        "lowest": unit_price(one.lowest, currency, locale=locale),
        "seller": one.lowest_seller,
        "middle": unit_price(one.middle, currency, locale=locale),
        "highest": unit_price(one.highest, currency, locale=locale),
        "count": one.market,
        "relative": change(relative) if relative is not None else "",
        "tone": "" if relative is None else "warn" if relative > 0 else "good",
    }


def _public(one: IndexPrice, locale: str) -> dict[str, Any]:
    key = PriceKey(one.unit, one.name, one.quantity, one.context_over)
    return {
        "name": one.name,
        "what": " · ".join(filter(None, (what_of(key), _mark(one.mark)))),
        "seller": one.seller,
        "price": unit_price(one.price, one.currency, locale=locale),
        "stated": day(one.stated_on, "yMMMd", locale),
    }


def changes_words(row: IndexImport, found: IndexChanges | None, locale: str) -> dict[str, Any]:
    """Return what became of public prices since the import before: counts, and the largest changes."""
    lines = []
    for one in found.changes[:CHANGES_MAX] if found else ():
        words, tone = change_words(one.change.before, one.change.after)
        figures = [
            unit_price(each, one.price.currency, locale=locale) for each in (one.change.before, one.change.after)
        ]
        lines.append(
            {**_public(one.price, locale), "before": figures[0], "after": figures[1], "change": words, "tone": tone}
        )
    counts = found.counts if found else {}
    counted = {name: number(counts.get(name, 0)) for name in ("rose", "fell", "new", "gone")}
    changed = len(found.changes) if found else 0
    return {
        "title": _("%(source)s: what changed") % {"source": _source(row.source)},
        "name": row.source,
        "since": day(found.before, "yMMMd", locale) if found else "",
        "counts": _("%(rose)s rose, %(fell)s fell, %(new)s new, %(gone)s gone") % counted if found else "",
        "lines": lines,
        "shown": _("The largest %(shown)s of %(all)s changes.") % {"shown": len(lines), "all": number(changed)}
        if changed > len(lines)
        else "",
        "skipped": ngettext("%(count)s entry left out", "%(count)s entries left out", len(row.skipped))
        % {"count": number(len(row.skipped))},
    }


def left_out_words(entries: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Return what an import left out, at most `LEFT_OUT_MAX`, with the reasons that most have in the reader's words."""
    words = {
        "it has no price that is compared here": _("it has no price that is compared here"),
        "it is no object": _("it is no object"),
        "it is no name of a model": _("it is no name of a model"),
    }
    return [
        {"where": one["where"], "reason": words.get(one["reason"], one["reason"])} for one in entries[:LEFT_OUT_MAX]
    ]


def _mark(mark: str) -> str:
    words = {
        "flex": pgettext("public price", "flexible"),
        "on_demand": pgettext("public price", "on demand"),
        "reserved": pgettext("public price", "reserved"),
        "spot": pgettext("public price", "spot"),
    }
    return words.get(mark) or mark_words(mark)


def _csv_rows(search: str) -> Iterator[tuple[object, ...]]:
    for one in public_prices(search).select_related("imported").iterator():
        source = (one.imported.source, one.imported.as_of, one.seller, one.name, one.unit, one.quantity)
        yield (*source, one.context_over, one.mark, one.currency, plain(one.price), one.stated_on, one.link)
