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
for app in OURS:
    for model in apps.get_app_config(app).get_models():
        if not admin.site.is_registered(model):
            admin.site.register(model, read_only(model))
