"""Writing use by key: labels made known, and hours that each row is added to."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Final

from django.db import connection
from django.db.models import Count

from metering.key_models import UsageKey
from metering.key_sums import COUNTED, KeyPart, KeySum
from tenants.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from metering.key_models import KeyHour

    Label = tuple[UUID, str]

logger = logging.getLogger(__name__)

KEYS_MAX: Final = 20_000
"""Labels of one tenant that use is told apart by; a gateway that sends a label for every request reaches it."""
UPSERT: Final = f"""
    INSERT INTO metering_keyhour AS kept (
        id, tenant_id, key_id, deployment_id, model, hour_at, from_at, to_at, quality, context_over, marks,
        {", ".join(COUNTED)}
    )
    SELECT * FROM unnest(
        %s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::timestamptz[], %s::timestamptz[],
        %s::timestamptz[], %s::text[], %s::integer[], %s::text[], {", ".join(["%s::bigint[]"] * len(COUNTED))}
    )
    ON CONFLICT (key_id, from_at, deployment_id, model, quality, context_over, marks) DO UPDATE SET
        to_at = LEAST(kept.to_at, EXCLUDED.to_at),
        {", ".join(f"{name} = kept.{name} + EXCLUDED.{name}" for name in COUNTED)}
"""  # noqa: S608  the names are the constants above


def ensure_keys(labels: Collection[Label], now: datetime) -> dict[Label, UUID]:
    """Return the ids of tenants' labels, those made that are missing.

    A tenant has at most KEYS_MAX: what carries a further label counts as use without a key, and is not in the answer.
    """
    if not labels:
        return {}
    found = _known(labels)
    missing = sorted(set(labels) - found.keys())
    if missing:
        counted = Counter(
            dict(
                UsageKey.objects.filter(tenant_id__in={tenant_id for tenant_id, _ in missing})
                .values_list("tenant_id")
                .annotate(Count("id"))
            )
        )
        made = []
        for tenant_id, label in missing:
            counted[tenant_id] += 1
            if counted[tenant_id] <= KEYS_MAX:
                made.append(UsageKey(tenant_id=tenant_id, label=label, first_counted_at=now))
        if len(made) < len(missing):
            logger.warning("%d labels are more than %d of one tenant.", len(missing) - len(made), KEYS_MAX)
        UsageKey.objects.bulk_create(made, ignore_conflicts=True)
        found |= _known(missing)
    return found


def _known(labels: Iterable[Label]) -> dict[Label, UUID]:
    wanted = set(labels)
    rows = UsageKey.objects.filter(
        tenant_id__in={tenant_id for tenant_id, _ in wanted}, label__in={label for _, label in wanted}
    ).values_list("tenant_id", "label", "id")
    return {(tenant_id, label): key_id for tenant_id, label, key_id in rows if (tenant_id, label) in wanted}


def add_key_hours(sums: Iterable[KeySum], now: datetime) -> int:
    """Add sums, no two of one part, to the hours by key; return how many.

    Counts may be negative where one is corrected. Rows are written in one order, so that two writers to the same rows
    cannot wait for each other. Must run in the transaction that adds the same events to the usage hours.
    """
    ordered = sorted(sums, key=lambda one: _lock_order(one.part))
    keys = ensure_keys({(one.part.tenant_id, one.part.label) for one in ordered}, now)
    rows = [(keys[label], one) for one in ordered if (label := (one.part.tenant_id, one.part.label)) in keys]
    if rows:
        parts = [one.part for _, one in rows]
        with connection.cursor() as cursor:
            cursor.execute(
                UPSERT,
                [
                    [new_id() for _ in rows],
                    [part.tenant_id for part in parts],
                    [key_id for key_id, _ in rows],
                    [part.deployment_id for part in parts],
                    [part.model for part in parts],
                    [one.hour_at for _, one in rows],
                    [part.from_at for part in parts],
                    [one.to_at for _, one in rows],
                    [part.quality for part in parts],
                    [part.context_over for part in parts],
                    [part.marks for part in parts],
                    *([one.counts[place] for _, one in rows] for place in range(len(COUNTED))),
                ],
            )
    return len(rows)


def countable(sums: Sequence[KeySum]) -> list[KeySum]:
    """Return the sums that use by key can hold: not those of a label beyond KEYS_MAX."""
    labels = {(one.part.tenant_id, one.part.label) for one in sums}
    known = _known(labels)
    unknown = labels - known.keys()
    full: set[UUID] = set()
    if unknown:
        kept = UsageKey.objects.filter(tenant_id__in={tenant_id for tenant_id, _ in unknown}).values("tenant_id")
        full = set(kept.annotate(keys=Count("id")).filter(keys__gte=KEYS_MAX).values_list("tenant_id", flat=True))
    return [one for one in sums if one.part.tenant_id not in full or (one.part.tenant_id, one.part.label) in known]


def _lock_order(part: KeyPart) -> tuple[object, ...]:
    owner = (str(part.deployment_id), part.model, part.quality, part.context_over, part.marks)
    return (part.tenant_id, part.label, part.from_at, *owner)


def stored_sums(rows: QuerySet[KeyHour]) -> dict[KeyPart, KeySum]:
    """Return the stored hours by key as the sums that they are."""
    about = ("tenant_id", "key__label", "from_at", "deployment_id", "model", "quality", "context_over", "marks")
    found: dict[KeyPart, KeySum] = {}
    for hour_at, to_at, *row in rows.values_list("hour_at", "to_at", *about, *COUNTED):
        part = KeyPart(*row[: len(about)])
        found[part] = KeySum(part, hour_at, to_at, tuple(row[len(about) :]))
    return found
