"""The operator's fees: what counts for a provider's new contracts, from which instant on."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from tenants.ids import new_id


class ProviderFee(models.Model):
    """The operator's part of what a provider bills under contracts that are made from `from_at` on. Append-only.

    Of several for one instant the one that was set last counts. `Organization.fee_percent` counts before the first.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization = models.ForeignKey("tenants.Organization", models.CASCADE, related_name="fees")
    fee_percent = models.DecimalField(max_digits=7, decimal_places=4)
    from_at = models.DateTimeField()
    set_by = models.CharField(max_length=200, help_text="as in the audit log")
    set_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(fee_percent__gte=0, fee_percent__lte=100), name="set_fee_within_whole"),
            models.CheckConstraint(condition=Q(from_at__gte=models.F("set_at")), name="fee_never_looks_back"),
        ]
        indexes: ClassVar = [models.Index(fields=["organization", "from_at", "set_at"], name="fee_in_force")]

    def __str__(self) -> str:
        return f"{self.fee_percent} from {self.from_at:%F}"
