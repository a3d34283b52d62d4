"""The back office's last word: what it does not show, and a read-only page of every table that has none of its own.

This app is the last that is installed, so all others have registered theirs.
"""

from __future__ import annotations

from typing import Final

from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.contrib import admin

from tenants.back_office import read_only

HIDDEN = (EmailAddress, EmailConfirmation, Authenticator, SocialAccount, SocialApp, SocialToken, UserSession)
"""Tables with addresses, sealed keys and keys of sessions, which django-allauth would offer to be edited."""

OURS: Final = ("tenants", "clusters", "metering", "billing", "forecourt")
"""The apps whose every table is shown; a framework's own (sessions, content types) are of no use to a person."""

for model in HIDDEN:
    if admin.site.is_registered(model):
        admin.site.unregister(model)


PLURALS: Final = {
    "alert seen": "alerts seen",
    "card on file": "cards on file",
    "debit taken back": "debits taken back",
    "dunning taken back": "dunning taken back",
    "usage days summed": "usage days summed",
}
"""Of names whose last word is not what there are many of."""


def plural_of(words: str) -> str:
    """Return the plural of a table's name; Django's own adds an "s" to whatever there is."""
    if words in PLURALS:
        return PLURALS[words]
    if words.endswith("s") and not words.endswith("ss"):
        return words  # it names many already: terms, settings
    if words.endswith("y") and words[-2:-1] not in "aeiou":
        return f"{words[:-1]}ies"
    return f"{words}es" if words.endswith(("s", "x", "z", "ch", "sh")) else f"{words}s"


for app in OURS:
    for model in apps.get_app_config(app).get_models():
        model._meta.verbose_name_plural = plural_of(str(model._meta.verbose_name))
        if not admin.site.is_registered(model):
            admin.site.register(model, read_only(model))
