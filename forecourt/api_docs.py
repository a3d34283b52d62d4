"""The API's documentation as pages, made from the OpenAPI document that programs read: one page for each section."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.http import Http404
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from forecourt.api_operations import Operation, Section, sections
from portal.parts import Empty
from portal.shell import Crumb
from tenants.api_keys import SCOPES
from tenants.scoping import acting_membership

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from django.utils.safestring import SafeString

SEARCH_MAX: Final = 100


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Show how calls are made and every operation by its section, or those in which the words of a search stand."""
    search = request.GET.get("q", "").strip()[:SEARCH_MAX]
    everything = sections(_server())
    found = _found(everything, search) if search else everything
    shown = {
        "search": search,
        "found": found,
        "count": sum(len(section.operations) for section in found),
        "scopes": SCOPES,
        "nothing": Empty(_("No operation holds these words"), _("Try fewer words, an address or the name of a field.")),
        "crumbs": (Crumb(_("API")),),
    }
    return render(request, "forecourt/api_docs.html", _frame(request) | shown)


@require_safe
def section_docs(request: HttpRequest, section: str) -> HttpResponse:
    """Show a section with each of its operations; 404 for a name that is none."""
    everything = sections(_server())
    names = [each.tag.name for each in everything]
    if section not in names:
        raise Http404
    at = names.index(section)
    shown = {
        "section": everything[at],
        "operations": _written(_server(), section, get_language()),
        "before": everything[at - 1] if at else None,
        "after": everything[at + 1] if at + 1 < len(everything) else None,
        "crumbs": (Crumb(_("API"), reverse("api-docs")), Crumb(str(everything[at].tag.title))),
    }
    return render(request, "forecourt/api_section.html", _frame(request) | shown)


def _frame(request: HttpRequest) -> dict[str, object]:
    """Inside the portal's frame for who is signed in, without it for everyone else."""
    in_frame = acting_membership(request) is not None
    return {
        "layout": "portal/base.html" if in_frame else "portal/bare.html",
        "in_frame": in_frame,
        "sections": sections(_server()),
        "server": _server(),
    }


def _server() -> str:
    return settings.PUBLIC_URL.rstrip("/")


@cache
def _written(server: str, section: str, language: str | None) -> SafeString:  # noqa: ARG001  the words follow it
    """What a page says of its operations, which is the same for every reader of a language."""
    [one] = [each for each in sections(server) if each.tag.name == section]
    return render_to_string("forecourt/partials/api_operations.html", {"operations": one.operations})


def _found(everything: tuple[Section, ...], search: str) -> tuple[Section, ...]:
    """The operations that hold every word of a search; of those whose title or address does so, no others."""
    words = search.lower().split()
    for looked_at in (_named, _words):
        kept = (
            Section(section.tag, tuple(one for one in section.operations if all(w in looked_at(one) for w in words)))
            for section in everything
        )
        if found := tuple(section for section in kept if section.operations):
            return found
    return ()


def _named(one: Operation) -> str:
    return f"{one.anchor} {one.method.text} {one.path} {one.title}".lower()


def _words(one: Operation) -> str:
    return one.words
