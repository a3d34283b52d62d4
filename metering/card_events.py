"""What the driver reports of cards, stored by hour. These are no gaps: the card was metered all the while."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db import connection

from clusters.inventory import UUID_CHARS_MAX
from clusters.models import Accelerator
from clusters.naming import fitted
from tenants.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from clusters.models import Node

XID: Final = re.compile(r"xid_(\d{1,9})")
OTHER_KINDS: Final = frozenset({"ecc_double_bit", "gpu_unavailable", "recovery_action"})
DETAIL_CHARS_MAX: Final = 200
OCCURRENCES_MAX: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class CardEvent:
    """An event of the card with this UUID, so many times, last at `at`."""

    uuid: str
    kind: str
    code: int
    detail: str
    at: datetime
    occurrences: int = 1


def kind_of(subject: str, reason: str) -> tuple[str, int] | None:
    """The kind and code of an outcome that is an event of a card; None for one that is a gap."""
    if subject != "accelerator":
        return None
    if found := XID.fullmatch(reason):
        return "xid", int(found[1])
    return (reason, 0) if reason in OTHER_KINDS else None


UPSERT: Final = """
    INSERT INTO metering_acceleratorevent AS kept (
        id, accelerator_id, kind, code, hour_at, first_at, last_at, detail, occurrences
    ) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (accelerator_id, hour_at, kind, code) DO UPDATE SET
        first_at = LEAST(kept.first_at, EXCLUDED.first_at),
        last_at = GREATEST(kept.last_at, EXCLUDED.last_at),
        detail = EXCLUDED.detail,
        occurrences = LEAST(kept.occurrences::bigint + EXCLUDED.occurrences, 2147483647)
"""


def record_card_events(*, node: Node, events: Iterable[CardEvent]) -> None:
    """Add events to the hours of the node's cards; one of a card that the node does not have is left out.

    Must run in a transaction that holds the node's cursor.
    """
    found = list(events)
    named = {fitted(event.uuid, UUID_CHARS_MAX): event.uuid for event in found}
    if not named:
        return
    rows = Accelerator.objects.filter(node=node, uuid__in=named).values_list("uuid", "id")
    cards = {named[uuid]: card for uuid, card in rows}
    with connection.cursor() as cursor:
        for event in found:
            if event.uuid in cards:
                cursor.execute(
                    UPSERT,
                    [
                        new_id(),
                        cards[event.uuid],
                        event.kind,
                        event.code,
                        event.at.replace(minute=0, second=0, microsecond=0),
                        event.at,
                        event.at,
                        event.detail[:DETAIL_CHARS_MAX],
                        min(event.occurrences, OCCURRENCES_MAX),
                    ],
                )
