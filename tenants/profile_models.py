"""How an organization stands on bills: versions of its name, address, tax numbers and bank account, append-only."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from tenants.ids import new_id

ADDRESS_LINES_MAX = 3
"""Lines of a street address that EN 16931 has room for."""


class BillLanguage(models.TextChoices):
    """Languages that bills are written in."""

    ENGLISH = "en", "English"
    CHINESE = "zh-hans", "简体中文"


class Logo(models.Model):
    """A picture that an organization puts on its bills. Append-only; the same picture is kept once."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="logos")
    media_type = models.CharField(max_length=16, help_text="image/png or image/jpeg")
    content = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["organization", "sha256"], name="logo_once")]

    def __str__(self) -> str:
        return self.sha256


class BillingProfile(models.Model):
    """One version of how an organization stands on bills; the latest is in force. Append-only.

    An issued invoice names the versions that it was issued with, so a later version never changes an old bill.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization = models.ForeignKey("tenants.Organization", models.PROTECT, related_name="billing_profiles")
    version = models.PositiveIntegerField()
    legal_name = models.CharField(max_length=200)
    address_lines = ArrayField(models.CharField(max_length=100), size=ADDRESS_LINES_MAX, default=list)
    city = models.CharField(max_length=100, blank=True)
    postcode = models.CharField(max_length=20, blank=True)
    region = models.CharField(max_length=100, blank=True, help_text="state or province")
    country = models.CharField(max_length=2, help_text="ISO 3166-1 alpha-2")
    vat_id = models.CharField(max_length=20, blank=True, help_text="with its country's prefix, without blanks")
    tax_number = models.CharField(max_length=40, blank=True, help_text="a tax number that is no VAT id")
    registration = models.CharField(max_length=100, blank=True, help_text="where and how the company is registered")
    email = models.EmailField(help_text="where bills go")
    bank_name = models.CharField(max_length=100, blank=True)
    iban = models.CharField(max_length=34, blank=True, help_text="without blanks")
    bic = models.CharField(max_length=11, blank=True)
    bank_account = models.CharField(max_length=200, blank=True, help_text="of a bank that has no IBAN")
    payment_terms = models.CharField(max_length=500, blank=True)
    notes = models.CharField(max_length=1000, blank=True)
    language = models.CharField(max_length=8, choices=BillLanguage.choices, default=BillLanguage.ENGLISH)
    logo = models.ForeignKey(Logo, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "version"], name="profile_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.legal_name} v{self.version}"
