"""A price draft from what was simulated: the prices in force of a book, changed as the simulator changed them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.http import Http404
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from billing.models import PriceBook
from billing.pages.periods import UnreadablePeriod, read_period
from billing.pages.prices import own_book
from billing.pages.simulation import PERCENT_MAX, PERCENT_MIN, THIN, thin_models
from billing.price_drafts import start_draft
from tenants.models import User
from tenants.roles import SET_PRICES
from tenants.scoping import provider_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import HttpRequest, HttpResponse

    from tenants.models import Organization

AHEAD: Final = timedelta(days=14)
"""When the draft takes effect unless somebody says otherwise."""


@require_POST
@provider_page(SET_PRICES)
def provider_simulate_draft(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Begin a draft of a book with its prices, or those of some models, raised by the simulated percentage.

    Nothing is announced: the draft is edited, looked at and announced, or thrown away, like any other.
    """
    now = datetime.now(UTC)
    book = own_book(organization, request.POST.get("book", ""))
    draft = start_draft(
        book=book,
        effective_at=(now + AHEAD).replace(hour=0, minute=0, second=0, microsecond=0),
        by=_person(request),
        now=now,
        percent=_percent(request.POST.get("pct", "")),
        models=_models(request, organization, book, now),
    )
    return redirect("provider-price-draft", draft.id)


def _percent(text: str) -> int:
    try:
        percent = int(text)
    except ValueError as error:
        raise Http404 from error
    if not PERCENT_MIN <= percent <= PERCENT_MAX:
        raise Http404
    return percent


def _models(request: HttpRequest, organization: Organization, book: PriceBook, now: datetime) -> Sequence[str] | None:
    """The models whose prices are changed; None for all. Those of a thin margin are those of the simulated month."""
    scope = request.POST.get("scope", "")
    if scope != THIN:
        return [scope] if scope else None
    try:
        period = read_period(request.POST.dict(), "UTC", now)
    except UnreadablePeriod as error:
        raise Http404 from error
    return thin_models(organization, period, book.currency)


def _person(request: HttpRequest) -> str:
    assert isinstance(request.user, User)
    return request.user.email
