"""Tags that place the components with a body: ``{% load portal_tags %}``."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address

from django import template
from django.http import HttpRequest
from django.http.request import split_domain_port
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portal.icons import draw_icon
from portal.parts import LegendEntry, Pill
from portal.punctuation import between
from portal.shell import NavGroup

register = template.Library()


@register.simple_tag
def icon(name: str) -> SafeString:
    """``{% icon "down" %}``: a line icon; it says nothing to a screen reader, so put words beside it."""
    return draw_icon(name)


@register.simple_tag
def mark(name: str) -> str:
    """``{{ node }}{% mark "colon" %}{{ title }}``: what stands between parts in the reader's language."""
    return between(name)


@register.simple_tag
def passkey_door(request: HttpRequest) -> dict[str, str] | None:
    """``{% passkey_door request as door %}``: why browsers refuse passkeys here, None where they take them.

    They belong to a name. ``host`` is the address of numbers that the page was asked at; ``url`` is the page at a name
    of the same machine, "" where only whoever runs the installation knows one.
    """
    host, port = split_domain_port(request.get_host())
    try:
        numbers = ip_address(host.strip("[]"))
    except ValueError:
        return None
    here = f"{request.scheme}://localhost{f':{port}' if port else ''}{request.get_full_path()}"
    return {"host": host, "url": here if numbers.is_loopback else ""}


@register.simple_tag
def pill(of: Pill) -> SafeString:
    """``{% pill row.pill %}``: a state as ``portal/partials/pill.html`` draws it, in tables of a thousand rows.

    To include a template takes 40 microseconds a row, this takes three.
    """
    tone, small = of.tone and f" {of.tone}", " xs" if of.small else ""
    return format_html('<span class="pill{}{}">{}</span>', tone, small, of.text)


@register.simple_tag
@lru_cache(maxsize=512)
def navigation(groups: tuple[NavGroup, ...], current: str) -> SafeString:
    """``{% navigation shell.navigation shell.current %}``: the links of the side bar.

    They are the same on every page for everyone of a role, and half of what drawing a plain page took: drawn once.
    """
    return render_to_string("portal/partials/navigation.html", {"groups": groups, "current": current})


@register.simple_block_tag
def page_head(content: str, *, title: str, sub: str = "", pill: Pill | None = None) -> SafeString:
    """``{% page_head title=… sub=… pill=… %}buttons or a filter form{% endpage_head %}``: the page's only
    h1.
    """
    context = {"title": title, "sub": sub, "pill": pill, "body": content}
    return render_to_string("portal/partials/page_head.html", context)


@register.simple_block_tag
def card(
    content: str,
    *,
    name: str,
    title: str,
    note: str = "",
    legend: Sequence[LegendEntry] = (),
    flush: bool = False,
    actions: str = "",
) -> SafeString:
    """``{% card name="by-model" title=_("By model") flush=True %}…{% endcard %}``: a section on a white
    card.

    ``name`` is its id and must be unlike every other on the page; the heading's id is ``name`` and ``-h``.
    ``flush`` is for cards that hold a table or a timeline from edge to edge. ``note`` stands right of the
    title, ``legend`` below it, ``actions`` is markup for buttons, made with ``{% capture %}`` or an include
    rendered before.
    """
    context = {
        "name": name,
        "title": title,
        "note": note,
        "legend": legend,
        "flush": flush,
        "actions": actions,
        "body": content,
    }
    return render_to_string("portal/partials/card.html", context)


@register.simple_block_tag
def scroll(content: str, *, label: str) -> SafeString:
    """``{% scroll label=_("Invoices") %}<table class="t">…</table>{% endscroll %}``: scrolls sideways
    inside its card.

    Named and focusable, so that it can be scrolled from the keyboard.
    """
    return render_to_string("portal/partials/scroll.html", {"label": label, "body": content})


@register.simple_block_tag
def capture(content: str) -> str:
    """``{% capture as buttons %}…{% endcapture %}``: markup kept under a name, for ``actions`` of a card."""
    return content
