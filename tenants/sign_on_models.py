"""Single sign-on: where an organization's people sign in, of the organization's own choosing."""

from __future__ import annotations

from typing import Final

from django.contrib.postgres.fields import ArrayField
from django.db import models

from tenants.ids import new_id

DOMAINS_MAX: Final = 20


class SignOnProvider(models.Model):
    """An OpenID Connect provider that vouches for an organization's members, by e-mail addresses of its domains."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization = models.OneToOneField("tenants.Organization", models.CASCADE, related_name="sign_on_provider")
    issuer = models.CharField(max_length=300, help_text="without a trailing slash; it is what the tokens name")
    client_id = models.CharField(max_length=200)
    secret_sealed = models.TextField(help_text="see tenants.accounts.sealing")
    domains = ArrayField(models.CharField(max_length=253), size=DOMAINS_MAX, help_text="of addresses it vouches for")
    changed_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.issuer
