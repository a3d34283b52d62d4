"""The letter of an invitation, in the language of who sent it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from portal.figures import locale_for, moment
from tenants.members.words import role_names

if TYPE_CHECKING:
    from datetime import tzinfo

    from tenants.invitation_models import Invitation

ID: Final = "invitation"


def invitation_letter(
    *, invitation: Invitation, token: str, public_url: str, zone: tzinfo, sender: str = ""
) -> EmailMessage:
    """Return the letter; sent twice (a worker died in between) it has the same id, and is one letter to its reader."""
    with override(invitation.language):
        locale = locale_for(invitation.language)
        words = {
            "organization": invitation.organization.name,
            "by": invitation.invited_by,
            "role": role_names()[invitation.role],
            "address": f"{public_url}{reverse('invitation', args=[token])}",
            "until": moment(invitation.expires_at, zone, locale=locale),
        }
        lines = [
            _("%(by)s invites you to act for %(organization)s on Forecourt, as %(role)s.") % words,
            "",
            _("Accept: %(address)s") % words,
            "",
            _("The address works once, until %(until)s, and for this e-mail address alone.") % words,
            _("If you do not know what this is about, do nothing: nothing happens without you."),
            "",
        ]
        subject = _("Invitation to %(organization)s") % words
    host = urlsplit(public_url).hostname
    return EmailMessage(
        subject=" ".join(subject.split()),
        body="\n".join(lines),
        from_email=sender or None,
        to=[invitation.email],
        headers={
            "Message-ID": f"<{ID}-{invitation.pk}-{invitation.turn}@{host}>",
            "Auto-Submitted": "auto-generated",
        },
    )
