"""The tabs of the pages about how usage was metered."""

from typing import Literal

from django.urls import reverse
from django.utils.translation import gettext as _

from portal.parts import Choice

Area = Literal["tenant", "provider"]
Tab = Literal["witnesses", "gaps", "findings", "substitutions"]


def tabs(area: Area, current: Tab) -> list[Choice]:
    """Return a tab for each page, one of them current."""
    words: dict[Tab, str] = {
        "witnesses": _("Witnesses"),
        "gaps": _("Gaps"),
        "findings": _("Findings"),
        "substitutions": _("Substitutions"),
    }
    return [Choice(title, reverse(f"{area}-{tab}"), tab == current) for tab, title in words.items()]
