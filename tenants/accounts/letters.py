"""Letters about signing in: links to confirm an address or choose a new password, and notices of what was changed.

A letter says what happened, when and from which address, and what to do if it was not the reader. Its language is the
one its reader chose, else that of the page that caused it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from portal.figures import locale_for, moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

CONFIRM: Final = "account/email/email_confirmation"
REMOVED: Final = "account/removed"
NOTICES: Final = {
    "account/email/password_changed": gettext_lazy("Your password was changed"),
    "account/email/password_reset": gettext_lazy("Your password was set anew by a link from a letter"),
    "account/email/password_set": gettext_lazy("A password was set"),
    "account/email/email_changed": gettext_lazy("Your e-mail address was changed"),
    "mfa/email/totp_activated": gettext_lazy("An authenticator app was added to your account"),
    "mfa/email/totp_deactivated": gettext_lazy("The authenticator app was removed from your account"),
    "mfa/email/webauthn_added": gettext_lazy("A passkey was added to your account"),
    "mfa/email/webauthn_removed": gettext_lazy("A passkey was removed from your account"),
    "mfa/email/recovery_codes_generated": gettext_lazy("New recovery codes were made; the old ones no longer work"),
    REMOVED: gettext_lazy("Your account was deleted"),
}
"""What happened, by the name of the letter that tells it; every one has the same body."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter's words."""

    subject: str
    body: str


def confirm_letter(*, url: str, language: str) -> Letter:
    """Return the letter with the link that confirms an address."""
    with override(language):
        lines = [
            _("Somebody wants to use this address to sign in to Forecourt. If it was you, confirm it here:"),
            url,
            "",
            _("If it was not you, do nothing: the address is not used without this step."),
        ]
        return Letter(_("Confirm your e-mail address"), "\n".join(lines))


def forgotten_letter(*, url: str, language: str) -> Letter:
    """Return the letter with the link to choose a new password."""
    with override(language):
        lines = [
            _("Choose a new password here. The link works once, and for a day:"),
            url,
            "",
            _("If you did not ask for it, do nothing: your password stays as it is."),
        ]
        return Letter(_("Choose a new password"), "\n".join(lines))


def ways_letter(*, ways: Sequence[tuple[str, str]], language: str) -> Letter:
    """Return the letter with the ways to the providers of a person's organizations: their names and addresses."""
    with override(language):
        lines = [_("Sign in through your organization here. The way stays the same, so that you can keep it:")]
        for name, url in ways:
            lines += ["", name, url]
        lines += ["", _("If you did not ask for it, do nothing.")]
        return Letter(_("The way to sign in through your organization"), "\n".join(lines))


def notice_letter(
    kind: str, *, at: datetime, zone: ZoneInfo, address: str, facts: Mapping[str, str], url: str, language: str
) -> Letter:
    """Return the notice of a change; `facts` may hold `from_email` and `to_email`. Raises KeyError for another kind."""
    with override(language):
        subject = str(NOTICES[kind])
        words = {"at": moment(at, zone, locale=locale_for(language)), "address": address, "url": url, **facts}
        lines = [subject]
        if "to_email" in facts:
            lines.append(_("From %(from_email)s to %(to_email)s.") % words)
        lines += [
            _("When: %(at)s") % words,
            _("From the network address: %(address)s") % words,
            "",
            # Whoever has no account any more has no password to choose either.
            _("If it was not you, tell an owner of your organization at once.")
            if kind == REMOVED
            else _("If it was not you, choose a new password at once: %(url)s") % words,
        ]
        return Letter(subject, "\n".join(lines))
