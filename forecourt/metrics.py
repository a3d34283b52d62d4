"""`/metrics` for Prometheus: figures of the whole installation, for its operator alone.

Answered on loopback, or to who sends the token. Behind a proxy every caller seems to be on loopback: what a proxy
passed on needs the token. To everyone else there is nothing at this address.
"""

from __future__ import annotations

import ipaddress
import secrets
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.http import Http404, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from metering.metered_figures import Figure, figures
from tenants.limits.reader import whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.http import HttpRequest

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
FORWARDED: Final = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_REAL_IP", "HTTP_VIA")


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Tell the figures to who may see them."""
    if not _may_see(request):
        raise Http404
    now = timezone.now()  # noqa: TID251  an entry point
    with whole("figures of the whole installation, for its operator"):
        text = as_text(figures(now))
    return HttpResponse(text, content_type=CONTENT_TYPE)


def as_text(found: Iterable[Figure]) -> str:
    """Write figures in the text format of Prometheus."""
    lines, named = [], ""
    for figure in found:
        if figure.name != named:
            named = figure.name
            lines += [f"# HELP {figure.name} {figure.help}", f"# TYPE {figure.name} {figure.kind}"]
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in figure.labels)
        series = f"{figure.name}{{{labels}}}" if labels else figure.name
        lines.append(f"{series} {_number(figure.value)}")
    return "\n".join([*lines, ""])


def _number(value: float) -> str:
    """Write a number whole: no digit of a count is rounded away."""
    return repr(round(value, 3)) if isinstance(value, float) else str(value)


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _may_see(request: HttpRequest) -> bool:
    scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if settings.METRICS_TOKEN and scheme.lower() == "bearer":
        return secrets.compare_digest(token.strip().encode(), settings.METRICS_TOKEN.encode())
    if any(name in request.META for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
