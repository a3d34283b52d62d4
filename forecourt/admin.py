"""What the back office does not show: how people sign in is theirs, and of no use to who runs the installation."""

from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib import admin

HIDDEN = (EmailAddress, EmailConfirmation, Authenticator, SocialAccount, SocialApp, SocialToken, UserSession)
"""Tables with addresses, sealed keys and keys of sessions, which django-allauth would offer to be edited."""

for model in HIDDEN:
    if admin.site.is_registered(model):
        admin.site.unregister(model)
