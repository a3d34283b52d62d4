"""What a person changes about how they sign in is written to the log of every organization that they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tenants.limits.reader import whole
from tenants.models import AuditEntry

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.models import User

ACTIONS: Final = {
    "account/email/password_changed": "person.password_changed",
    "account/email/password_reset": "person.password_reset",
    "account/email/password_set": "person.password_set",
    "account/email/email_changed": "person.email_changed",
    "mfa/email/totp_activated": "person.authenticator_added",
    "mfa/email/totp_deactivated": "person.authenticator_removed",
    "mfa/email/webauthn_added": "person.passkey_added",
    "mfa/email/webauthn_removed": "person.passkey_removed",
    "mfa/email/recovery_codes_generated": "person.recovery_codes_made",
}
"""Action in the log, by the notice that the person gets of it."""


@whole("all organizations of a person learn of it, whichever is acted for, and before they are signed in")
def note(
    person: User,
    action: str,
    now: datetime,
    *,
    before: dict[str, str] | None = None,
    after: dict[str, str] | None = None,
) -> int:
    """Store that `person` did `action` in each of their organizations' logs; return how many.

    Whoever may change what a member sees is of concern to the organization; a person without one leaves no entry.
    """
    entries = [
        AuditEntry(
            organization_id=organization_id,
            actor=person.email,
            action=action,
            subject=f"person {person.email}",
            before=before,
            after=after,
            at=now,
        )
        for organization_id in person.memberships.order_by("organization_id").values_list("organization_id", flat=True)
    ]
    return len(AuditEntry.objects.bulk_create(entries))
