"""How long something lasted, in words."""

from datetime import timedelta
from decimal import Decimal
from typing import Final

from django.utils.translation import gettext as _

from portal.figures import number

MINUTE_S: Final = 60
HOUR_S: Final = 3_600


def lasted(length: timedelta) -> str:
    """Return a length in seconds, minutes or hours, whichever is shortest to read."""
    seconds = int(length.total_seconds())
    if seconds < MINUTE_S:
        return _("%(count)s s") % {"count": seconds}
    if seconds < HOUR_S:
        return _("%(count)s min") % {"count": seconds // MINUTE_S}
    return _("%(count)s h") % {"count": number(Decimal(seconds) / HOUR_S, digits=1)}
