"""A tenant's use told apart by key, as its gateways' events would have left it beside the usage hours."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from metering.key_models import KeyHour, Project, ProjectKey, UsageKey
from metering.models import UsageHour, Witness
from tests.billing.world import MARCH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tenants.models import Organization

TENTHS = {"chat-web": 5, "night-batch": 3, "agents-internal": 1}
"""Of ten parts of each hour; the rest carries no key."""
QUANTITIES = (
    "input",
    "cached_input",
    "cache_write",
    "output",
    "reasoning",
    "images",
    "audio_seconds",
    "video_seconds",
    "steps",
    "requests",
)


def tell_apart(tenant: Organization, tenths: Mapping[str, int] = TENTHS) -> dict[str, UsageKey]:
    """Store hours by key for all that gateways reported; the first key is in a project, the last one deleted."""
    keys = {
        label: UsageKey.objects.create(
            tenant=tenant,
            label=label,
            first_counted_at=MARCH,
            deleted_at=MARCH if place == len(tenths) - 1 else None,
        )
        for place, label in enumerate(tenths)
    }
    hours: dict[tuple[object, ...], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    rows = UsageHour.objects.filter(tenant=tenant, witness=Witness.GATEWAY, quality="A")
    about = ("deployment_id", "model", "hour_at", "from_at", "to_at", "context_over", "marks")
    for *group, quantity, value in rows.values_list(*about, "quantity", "value"):
        hours[tuple(group)][quantity] += value
    KeyHour.objects.bulk_create(
        KeyHour(
            tenant=tenant,
            key=keys[label],
            quality="A",
            **dict(zip(about, group, strict=True)),
            **{name: counts.get(name, 0) * parts // 10 for name in QUANTITIES},
        )
        for group, counts in hours.items()
        for label, parts in tenths.items()
    )
    project = Project.objects.create(tenant=tenant, slug="assistant", name="Assistant", created_at=MARCH)
    first = next(iter(keys.values()))
    ProjectKey.objects.create(tenant=tenant, project=project, key=first, from_at=MARCH)
    return keys
