"""The papers of invoices and of what else money is about: the step that makes them, and the files once made."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from tenants.ids import new_id
from tenants.models import Organization


class DocumentState(models.TextChoices):
    """How far the papers of something are."""

    WAITING = "waiting", "to be made"
    DONE = "done", "made"
    FAILED = "failed", "failed, needs a person"


class DocumentFormat(models.TextChoices):
    """What kind of file."""

    PDF = "pdf"
    CII = "cii"
    UBL = "ubl"


class DocumentStepQuerySet(models.QuerySet["DocumentStep"]):
    """Words for choosing steps."""

    def for_org(self, organization: Organization) -> DocumentStepQuerySet:
        """Papers that `organization` issued or was sent."""
        return self.filter(Q(issuer=organization) | Q(recipient=organization))


class DocumentStep(models.Model):
    """The making of one subject's papers. Swept: a waiting row whose `next_try_at` has come is worked on.

    `subject_id` is the key of the invoice or whatever else `subject` names.
    """

    subject_id = models.UUIDField(primary_key=True)
    subject = models.CharField(max_length=16, help_text="invoice, credit_note, statement, account or collective")
    issuer = models.ForeignKey(Organization, models.PROTECT, related_name="documents_issued")
    recipient = models.ForeignKey(Organization, models.PROTECT, related_name="documents_received")
    state = models.CharField(max_length=8, choices=DocumentState.choices, default=DocumentState.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=1000, blank=True, default="")
    einvoice_lacks = models.JSONField(default=list, help_text="why no electronic invoice could be made of it")
    next_try_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects = DocumentStepQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["next_try_at"], condition=Q(state="waiting"), name="document_step_due")
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.subject_id} {self.state}"


class DocumentFile(models.Model):
    """A paper exactly as it was made, once. Append-only: what was sent is what is shown ever after."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    step = models.ForeignKey(DocumentStep, models.PROTECT, related_name="files")
    format = models.CharField(max_length=8, choices=DocumentFormat.choices)
    name = models.CharField(max_length=100, help_text="the name it is saved under")
    media_type = models.CharField(max_length=40)
    body = models.BinaryField()
    sha256 = models.CharField(max_length=64, help_text="of the file")
    made_with = models.CharField(max_length=100, help_text="the programs that made and checked it, with versions")
    made_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["step", "format"], name="document_once")]

    def __str__(self) -> str:
        return f"{self.name} {self.sha256}"
