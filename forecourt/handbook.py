"""The documentation inside the portal: the same pages as in the repository, open to everyone."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from struct import unpack
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.http import FileResponse, Http404
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from forecourt.handbook_text import Page, Places, read_page
from portal.shell import Crumb
from tenants.scoping import acting_membership

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse
    from django.utils.functional import _StrPromise

PNG: Final = b"\x89PNG\r\n\x1a\n"
CACHE_PICTURES: Final = "public, max-age=3600"
GROUPS: Final[tuple[tuple[_StrPromise, tuple[str, ...]], ...]] = (
    (gettext_lazy("Start"), ("start-provider", "start-tenant", "start-api", "journeys", "tour")),
    (
        gettext_lazy("Ideas"),
        ("concepts", "metering", "witnesses", "contracts", "leases", "prices", "economics", "rating", "ledger"),
    ),
    (gettext_lazy("Worked cases"), ("rating-leases", "rating-prices", "rating-shares")),
    (gettext_lazy("Money"), ("statements", "documents", "taxes", "budgets")),
    (gettext_lazy("Programs"), ("api", "webhooks", "compat")),
    (gettext_lazy("On the servers"), ("agent", "engines", "accelerators")),
    (
        gettext_lazy("Running it"),
        (
            *("operating", "people", "retention", "threat-model", "licences", "architecture"),
            *("benchmarks", "benchmarks-pages", "benchmarks-rounds", "changelog"),
        ),
    ),
)
"""Every page of the documentation, in the order in which it is offered."""
NAMES: Final = tuple(name for _title, names in GROUPS for name in names)


@dataclass(frozen=True)
class Entry:
    """A page in a list of pages."""

    name: str
    title: str
    summary: str
    url: str


def folder() -> Path:
    """Return where the pages lie: beside the code in a clone, within the package in a wheel."""
    packed = Path(__file__).parent / "docs"
    return packed if packed.is_dir() else Path(settings.BASE_DIR) / "docs"


@cache
def page_of(name: str) -> Page:
    """Read a page once; `name` is one of `NAMES`."""
    return read_page((folder() / f"{name}.md").read_text(encoding="utf-8"), _places())


def _places() -> Places:
    return Places(
        pages=NAMES,
        page=lambda name: reverse("handbook-page", args=[name]),
        picture=lambda name: reverse("handbook-picture", args=[name]),
        size=_size,
    )


def _size(name: str) -> tuple[int, int] | None:
    """The width and height of a picture in PNG, by its header; None of another kind, and of one that is not there."""
    path = folder() / "pictures" / name
    if not path.is_file():
        return None
    with path.open("rb") as file:
        head = file.read(24)
    return unpack(">II", head[16:24]) if head.startswith(PNG) else None


def entries() -> list[tuple[str, list[Entry]]]:
    """Return all pages by group, as the contents list them."""
    return [(str(title), [_entry(name) for name in names]) for title, names in GROUPS]


def _entry(name: str) -> Entry:
    page = page_of(name)
    return Entry(name, page.title, page.summary, reverse("handbook-page", args=[name]))


@require_safe
def contents(request: HttpRequest) -> HttpResponse:
    """All pages, with what each is about."""
    return render(request, "forecourt/handbook.html", _frame(request, _("Documentation")) | {"groups": entries()})


@require_safe
def show_page(request: HttpRequest, name: str) -> HttpResponse:
    """One page; 404 for a name that is none."""
    if name not in NAMES:
        raise Http404
    page = page_of(name)
    at = NAMES.index(name)
    around = {
        "before": _entry(NAMES[at - 1]) if at else None,
        "after": _entry(NAMES[at + 1]) if at + 1 < len(NAMES) else None,
    }
    shown = {"page": page, "name": name, "groups": entries(), "html": mark_safe(page.html), **around}  # noqa: S308  the renderer escapes all HTML of the Markdown
    return render(request, "forecourt/handbook_page.html", _frame(request, page.title) | shown)


@require_safe
def picture(_request: HttpRequest, name: str) -> FileResponse:
    """A picture of a page; 404 for a name that is none."""
    found = {one.name: one for one in (folder() / "pictures").iterdir()}
    if name not in found:
        raise Http404
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return FileResponse(found[name].open("rb"), content_type=kind, headers={"Cache-Control": CACHE_PICTURES})


def _frame(request: HttpRequest, title: str) -> dict[str, object]:
    """Within the frame for who is signed in, on a bare page for everyone else."""
    inside = acting_membership(request) is not None
    crumbs = [Crumb(_("Documentation"), reverse("handbook"))]
    return {
        "title": title,
        "in_frame": inside,
        "layout": "portal/base.html" if inside else "portal/bare.html",
        "crumbs": crumbs if title == _("Documentation") else [*crumbs, Crumb(title)],
    }
