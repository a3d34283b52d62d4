"""Writing a draft of prices, seeing what it would mean, and announcing it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from billing.models import PriceBook
from billing.pages.price_forms import DraftForm
from billing.pages.price_words import change_words, name_of, price_lines, price_words, what_of
from billing.pages.prices import announced_as, draft_of, own_book
from billing.pages.refused_fields import refused_above
from billing.price_drafts import DraftUnknown, Edit, discard_draft, publish_draft, save_draft, start_draft
from billing.price_versions import load_versions
from billing.pricing import VersionExists, require_free
from billing.queries.price_books import DraftRow
from billing.queries.price_effects import ContractEffect, effects_on_book, total_effect
from billing.queries.served_models import unseen_names
from billing.rating.price_lists import PriceKey, PriceList, prices_of, version_of
from portal.figures import moment, money, money_change
from portal.locales import active_locale
from portal.parts import Kpi
from portal.punctuation import joined
from portal.shell import Crumb
from tenants.models import Organization, User
from tenants.problems import Problem
from tenants.roles import SET_PRICES
from tenants.scoping import provider_page

AHEAD: Final = timedelta(days=14)
"""When a new draft takes effect unless somebody says otherwise."""


@require_POST
@provider_page(SET_PRICES)
def provider_price_draft_new(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Begin a draft of a book with the prices in force."""
    book = own_book(organization, request.POST.get("book", ""))
    now = datetime.now(UTC)
    effective_at = (now + AHEAD).replace(hour=0, minute=0, second=0, microsecond=0)
    draft = start_draft(book=book, effective_at=effective_at, by=_person(request), now=now)
    return redirect("provider-price-draft", draft.id)


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(SET_PRICES)
def provider_price_draft(request: HttpRequest, organization: Organization, *, draft_id: UUID) -> HttpResponse:
    """Edit a draft, or throw it away; one that was announced leads to the version that it became."""
    now = datetime.now(UTC)
    if request.method != "POST" and (announced := announced_as(organization, draft_id)):
        return redirect("provider-price-version", announced)
    draft = draft_of(organization, draft_id)
    form = DraftForm(
        request.POST if request.method == "POST" else None,
        prices=draft.prices,
        effective_at=draft.effective_at,
        revision=draft.revision,
    )
    if request.method == "POST" and request.POST.get("action") == "discard":
        return _discarded(request, _edit(request, organization, draft, now))
    if form.is_bound and form.is_valid() and _saved(request, organization, draft, form, now):
        announce = request.POST.get("action") == "announce"
        return redirect("provider-price-announce" if announce else "provider-price-draft", draft.id)
    return render(request, "billing/price_draft.html", _editor(draft, form), status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(SET_PRICES)
def provider_price_announce(request: HttpRequest, organization: Organization, *, draft_id: UUID) -> HttpResponse:
    """Show what a draft would mean and who will be told; a POST publishes it, once, and tells them."""
    now = datetime.now(UTC)
    if announced := announced_as(organization, draft_id):
        return redirect("provider-price-version", announced)
    draft = draft_of(organization, draft_id)
    problem = _taken(draft)
    status = 200
    if request.method == "POST":
        edit = _edit(request, organization, draft, now)
        try:
            version = publish_draft(edit=edit)
        except DraftUnknown as gone:
            raise Http404 from gone
        except Problem as refused:
            problem, status = refused, refused.status
        else:
            messages.success(request, _told_words(version.notices.count()))
            return redirect("provider-price-version", version.id)
    context = _preview(draft, now)
    context["refusal"] = refused_above(problem) if problem else ""
    return render(request, "billing/price_announce.html", context, status=status)


def _taken(draft: DraftRow) -> Problem | None:
    """What would be said of announcing a draft whose instant another version has: what it shows holds from then on."""
    try:
        require_free(PriceBook.objects.get(pk=draft.book_id), draft.effective_at)
    except VersionExists as taken:
        return taken
    return None


def _editor(draft: DraftRow, form: DraftForm) -> dict[str, Any]:
    locale = active_locale()
    before = _in_force(draft)
    return {
        "draft": draft,
        "form": form,
        "rows": [
            {
                "name": name_of(key),
                "what": what_of(key),
                "before": price_words(key, before.get(key), draft.currency, locale),
                "change": change_words(before.get(key), draft.prices[key]),
                "field": field,
            }
            for key, field in form.rows
        ],
        "gone": [
            (name_of(key), what_of(key), price_words(key, price, draft.currency, locale))
            for key, price in sorted(before.items())
            if key not in draft.prices
        ],
        "unseen": _unseen(draft, before),
        "sub": _sub(draft, locale),
        "crumbs": (Crumb(_("Prices"), f"{reverse('provider-prices')}?book={draft.book_id}"), Crumb(_("Draft"))),
    }


def _preview(draft: DraftRow, now: datetime) -> dict[str, Any]:
    locale = active_locale()
    book = PriceBook.objects.get(pk=draft.book_id)
    before = _in_force(draft)
    effects: tuple[ContractEffect, ...] = ()
    if before:
        new = version_of("draft", draft.effective_at, draft.prices, announced_at=now)
        effects = effects_on_book(book, new, now=now)
    told = [each for each in effects if each.takes_effect_at is not None]
    return {
        "draft": draft,
        "effects": effects,
        "lines": price_lines([before, draft.prices], draft.currency, locale, compared=(0, 1), effects=effects),
        "kpis": _kpis(draft, effects, told, locale),
        "late": draft.effective_at <= now,
        "unseen": _unseen(draft, before),
        "heads": (_("Before"), _("Price")),
        "sub": _sub(draft, locale),
        "crumbs": (
            Crumb(_("Prices"), f"{reverse('provider-prices')}?book={draft.book_id}"),
            Crumb(_("Draft"), reverse("provider-price-draft", args=[draft.id])),
            Crumb(_("Announce")),
        ),
    }


def _unseen(draft: DraftRow, before: PriceList) -> str:
    """Say of which names the draft has its first prices that nothing has: they may be misspelt."""
    book = PriceBook.objects.select_related("provider").get(pk=draft.book_id)
    priced = {key.model for key in before}
    unseen = unseen_names(book.provider, [key for key in draft.prices if key.model not in priced])
    like = _("%(name)s (is %(like)s meant?)")
    return joined(like % {"name": name, "like": near} if near else name for name, near in unseen.items())


def _kpis(draft: DraftRow, effects: tuple[ContractEffect, ...], told: list[ContractEffect], locale: str) -> list[Kpi]:
    own = _("%(count)s keep prices of their own") % {"count": len(effects) - len(told)}
    before, after = total_effect(effects)
    kpis = [Kpi(_("Contracts it changes"), str(len(told)), foot=own)]
    if effects:
        difference = money_change(after - before, draft.currency, locale=locale)
        foot = _("%(before)s became %(after)s") % {
            "before": money(before, draft.currency, locale=locale),
            "after": money(after, draft.currency, locale=locale),
        }
        kpis.append(Kpi(_("Last 30 days"), difference, foot=foot))
    return kpis


def _in_force(draft: DraftRow) -> dict[PriceKey, Decimal]:
    """The prices that the draft would follow."""
    found = load_versions(book_ids=[draft.book_id], from_at=draft.effective_at, to_at=draft.effective_at)
    versions = found.get(draft.book_id, ())
    return prices_of(versions[-1]) if versions else {}


def _saved(request: HttpRequest, organization: Organization, draft: DraftRow, form: DraftForm, now: datetime) -> bool:
    edit = _edit(request, organization, draft, now)
    try:
        save_draft(edit=edit, prices=form.cleaned_data["prices"], effective_at=form.cleaned_data["effective_at"])
    except DraftUnknown as gone:
        raise Http404 from gone
    except Problem as refused:
        form.add_error(None, refused_above(refused))
        return False
    messages.success(request, _("Saved. Nothing is announced yet."))
    return True


def _discarded(request: HttpRequest, edit: Edit) -> HttpResponse:
    try:
        discard_draft(edit=edit)
    except DraftUnknown as gone:
        raise Http404 from gone
    except Problem as refused:
        messages.error(request, refused_above(refused))
        return redirect("provider-price-draft", edit.draft_id)
    messages.success(request, _("The draft is thrown away."))
    return redirect("provider-prices")


def _edit(request: HttpRequest, organization: Organization, draft: DraftRow, now: datetime) -> Edit:
    revision = request.POST.get("revision", "")
    known = int(revision) if revision.isascii() and revision.isdigit() and len(revision) < 9 else 0
    return Edit(organization, draft.id, known, _person(request), now)


def _person(request: HttpRequest) -> str:
    assert isinstance(request.user, User)
    return request.user.email


def _sub(draft: DraftRow, locale: str) -> str:
    words = {
        "book": draft.book,
        "at": moment(draft.effective_at, UTC, locale=locale),
        "who": draft.changed_by,
        "changed": moment(draft.changed_at, UTC, locale=locale),
    }
    return _("%(book)s · to be in force from %(at)s · changed %(changed)s by %(who)s") % words


def _told_words(count: int) -> str:
    if not settings.MAIL_READY:
        return ngettext(
            "Published. %(count)s contract is told on its own pages; no mail server is set.",
            "Published. %(count)s contracts are told on their own pages; no mail server is set.",
            count,
        ) % {"count": count}
    return ngettext(
        "Published. %(count)s contract is told on its own pages and by e-mail.",
        "Published. %(count)s contracts are told on their own pages and by e-mail.",
        count,
    ) % {"count": count}
