"""The window and filters that the pages of witnesses and gaps share, read from the address."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.http import Http404, HttpRequest
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.parts import Choice

DAYS: Final = (1, 7, 31)
DAYS_DEFAULT: Final = 7
TEXT_CHARS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Shown:
    """Whole hours `[from_at, to_at)` up to now, and what else was chosen."""

    days: int
    from_at: datetime
    to_at: datetime
    chosen: dict[str, str]

    @property
    def query(self) -> dict[str, str]:
        """How an address asks for it."""
        return {"days": str(self.days), **self.chosen}

    def url(self, path: str, **changes: str) -> str:
        """Return the address of the same page with other choices; "" leaves one out."""
        asked = {**self.query, **changes}
        return f"{path}?{urlencode({name: value for name, value in asked.items() if value})}"

    def choices(self, path: str) -> list[Choice]:
        """Return the windows to choose from."""
        return [Choice(_days(each), self.url(path, days=str(each)), each == self.days) for each in DAYS]


def shown(request: HttpRequest, now: datetime, names: Iterable[str] = ()) -> Shown:
    """Read the window and the named filters. Raises Http404 for a window that is not offered."""
    given = request.GET.get("days", str(DAYS_DEFAULT))
    if given not in {str(each) for each in DAYS}:
        raise Http404
    to_at = now.replace(minute=0, second=0, microsecond=0)
    chosen = {name: request.GET.get(name, "") for name in names}
    if any(len(value) > TEXT_CHARS_MAX or "\0" in value for value in chosen.values()):
        raise Http404
    return Shown(int(given), to_at - timedelta(days=int(given)), to_at, chosen)


def _days(days: int) -> str:
    return _("24 hours") if days == 1 else ngettext("%(count)s day", "%(count)s days", days) % {"count": days}
