"""The energy and carbon behind a tenant's use, from the days worked out; what no card told is unknown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import Count, Q, Sum

from billing.models import MarginRow
from tenants.limits.reader import whole
from tenants.limits.written_once import written_once

if TYPE_CHECKING:
    from datetime import date, datetime
    from decimal import Decimal

    from django.db.models import QuerySet

    from tenants.models import Organization

TOKENS_PER_MTOK = 1_000_000


@dataclass(frozen=True, slots=True)
class TenantEnergy:
    """Energy measured at the cards that served a tenant, of `metered_ms` of its GPU time `gpu_ms`.

    `carbon_g` is CO2e of that energy with all that the site takes (PUE); None where a grid's factor is not known.
    """

    gpu_ms: int
    metered_ms: int
    energy_mj: int
    carbon_g: Decimal | None
    tokens: int

    @property
    def metered_share(self) -> Fraction:
        """The part of the GPU time whose energy was metered."""
        return Fraction(self.metered_ms, self.gpu_ms) if self.gpu_ms else Fraction(0)

    @property
    def mj_per_mtok(self) -> Fraction | None:
        """Energy per 1M tokens; None without tokens, and unless all the GPU time was metered."""
        return self._per_mtok(Fraction(self.energy_mj))

    @property
    def carbon_g_per_mtok(self) -> Fraction | None:
        """Carbon per 1M tokens; None where any of it is not known."""
        return None if self.carbon_g is None else self._per_mtok(Fraction(self.carbon_g))

    def _per_mtok(self, amount: Fraction) -> Fraction | None:
        if self.tokens <= 0 or self.metered_ms < self.gpu_ms:
            return None
        return amount * TOKENS_PER_MTOK / self.tokens


@whole("margin rows hold a provider's costs, so they are its own; their energy is told to the tenant too")
def tenant_energy(
    tenant: Organization | UUID, from_at: datetime, to_at: datetime, *, provider: UUID | None = None, model: str = ""
) -> TenantEnergy | None:
    """Return the energy behind a tenant's use on the UTC days of a window; None where no card told any. One query.

    With `provider` it is that of one provider's cards alone, with `model` that of one model.
    """
    last = max(from_at, to_at - timedelta(microseconds=1)).date()
    sums = _sums(tenant if isinstance(tenant, UUID) else tenant.pk, from_at.date(), last, provider, model or None)
    found = next(iter(sums), None)
    if not (found and found["metered"]):
        return None
    return TenantEnergy(
        gpu_ms=found["gpu"],
        metered_ms=found["metered"],
        energy_mj=int(found["energy"]),
        carbon_g=None if found["unknown"] else found["carbon"],
        tokens=found["input"] + found["written"] + found["output"],
    )


@written_once
def _sums(tenant: UUID, first: date, last: date, provider: UUID | None, model: str | None) -> QuerySet[MarginRow, Any]:
    """The sums behind it, of days of a tenant; no row where there are none."""
    said = {"provider": provider, "model": model}
    narrowed = {name: value for name, value in said.items() if value is not None}
    rows = MarginRow.objects.filter(tenant=tenant, day__gte=first, day__lte=last, gpu_ms__gt=0, **narrowed)
    sums: QuerySet[MarginRow, Any] = rows.values("tenant").annotate(
        gpu=Sum("gpu_ms"),
        metered=Sum("metered_ms"),
        energy=Sum("energy_mj"),
        carbon=Sum("carbon_g"),
        unknown=Count("pk", filter=Q(carbon_g__isnull=True, metered_ms__gt=0)),
        input=Sum("input_tokens"),
        written=Sum("cache_write_tokens"),
        output=Sum("output_tokens"),
    )
    return sums.order_by()
