"""Invitations into an organization: to whom, as what, and how far the letter and the answer have come."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from tenants.ids import new_id


class Invitation(models.Model):
    """A person's invitation into an organization. Of the token in its letter only the SHA-256 is kept.

    It is open until it is accepted or revoked; from `expires_at` on an open one cannot be accepted any more.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization = models.ForeignKey("tenants.Organization", models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=16)
    language = models.CharField(max_length=8, help_text="of the letter")
    invited_by = models.CharField(max_length=200, help_text="as in the audit log")
    token_sha256 = models.BinaryField(max_length=32, unique=True)
    turn = models.PositiveSmallIntegerField(default=1, help_text="rises when it is sent again; each has its own token")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    revoked_at = models.DateTimeField(null=True)
    mail_due_at = models.DateTimeField(null=True, help_text="null: no letter waits")
    mail_attempts = models.PositiveSmallIntegerField(default=0)
    mailed_at = models.DateTimeField(null=True)
    mail_error = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                "organization",
                Lower("email"),
                condition=Q(accepted_at=None, revoked_at=None),
                name="one_open_invitation",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["mail_due_at"], condition=Q(mail_due_at__isnull=False), name="invitation_letters_due"),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.email}"
