"""What the pages of signing in say, in place of django-allauth's own words."""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

REFUSALS: Final[dict[str, Promise]] = {
    "email_password_mismatch": _("This e-mail address and password do not go together. Check both and try again."),
    "account_inactive": _("This e-mail address and password do not go together. Check both and try again."),
    "duplicate_email": _("This is your address already."),
    "same_as_current": _("This is your address already."),
    "enter_current_password": _("This is not your current password."),
    "incorrect_password": _("This is not your password."),
    "incorrect_code": _("This code is not right, or was used already. Wait for the next one and type it."),
    "invalid_password_reset": _("This link was used or is too old. Ask for a new one."),
    "cannot_generate_recovery_codes": _("Recovery codes belong to a second step. Set one up first."),
}
"""Why a form is refused, by django-allauth's code."""

MESSAGES: Final[dict[str, Promise]] = {
    "account/messages/email_confirmation_sent.txt": _("A link was sent to %(email)s. Open it to confirm the address."),
    "account/messages/email_confirmed.txt": _("%(email)s is confirmed, and is where you sign in."),
    "account/messages/email_confirmation_failed.txt": _("%(email)s could not be confirmed: somebody else uses it."),
    "account/messages/email_deleted.txt": _("%(email)s is not used any more."),
    "account/messages/password_changed.txt": _("Your password is changed. Other sessions were signed out."),
    "account/messages/password_set.txt": _("Your password is set."),
    "mfa/messages/totp_activated.txt": _("The authenticator app is set up."),
    "mfa/messages/totp_deactivated.txt": _("The authenticator app is removed."),
    "mfa/messages/webauthn_added.txt": _("The passkey is added."),
    "mfa/messages/webauthn_removed.txt": _("The passkey is removed."),
    "mfa/messages/recovery_codes_generated.txt": _("Recovery codes are made. Earlier ones no longer work."),
}
"""What was done, by django-allauth's name of the message."""
