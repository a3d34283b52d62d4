"""Reading letters in Chinese: who reads them, and what of English is left."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tenants.models import Membership, User

if TYPE_CHECKING:
    from django.core.mail import EmailMessage

    from tenants.models import Organization

ZH: Final = "zh-hans"
ALWAYS_SO: Final = {"Forecourt", "Provider", "Tenant"}
"""Names of the cast and of the product."""


def read_chinese(organization: Organization) -> None:
    """Let everybody of an organization choose Chinese."""
    User.objects.filter(pk__in=Membership.objects.filter(organization=organization).values("user")).update(language=ZH)


def english_in(letter: EmailMessage, *names: str) -> list[str]:
    """What is said in English in a letter, beside addresses and names."""
    text = re.sub(r"https?://\S+|\S+@\S+", "", f"{letter.subject}\n{letter.body}")
    assert "\N{CJK UNIFIED IDEOGRAPH-60A8}" not in text
    for name in names:
        text = text.replace(name, "")
    return [word for word in re.findall(r"[A-Za-z]{4,}", text) if word not in ALWAYS_SO]
