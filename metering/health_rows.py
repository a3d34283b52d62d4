"""What is not well in a fleet as rows, a thing that was seen each: the file beside the page, and the API's list."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from metering.attention import findings_of
from metering.fleet_health import CardTrouble, slowed_nodes, troubled_cards

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tenants.models import Organization

BELOW_USUAL: Final = "output_below_usual"
THROTTLED: Final = "throttled"


@dataclass(frozen=True, slots=True)
class HealthRow:
    """One thing that was seen of a node, or of a card where `position` is not None.

    `count` is of what `what` names, or a clock's difference in ms; `at` is when it was last seen, or since when a node
    is silent; `share` is of the samples that were throttled, or of the output that is usual, 0...1.
    """

    cluster: str
    node: str
    position: int | None
    model: str
    what: str
    count: int | None = None
    at: datetime | None = None
    share: Decimal | None = None

    @property
    def kind(self) -> str:
        """What it was seen of."""
        return "node" if self.position is None else "card"

    @property
    def place(self) -> tuple[object, ...]:
        """Where it stands in a list: no two have the same."""
        return self.cluster, self.node, self.position, self.what, self.at


def health_rows(*, provider: Organization, now: datetime) -> list[HealthRow]:
    """Return what is not well: nodes that need attention, cards, nodes slower than a week ago; 13 queries."""
    rows = [
        HealthRow(one.cluster, one.node, None, "", one.kind.value, one.count, one.at)
        for one in findings_of(provider=provider, now=now)
    ]
    for card in troubled_cards(provider=provider, now=now):
        rows += _of_card(card)
    for node in slowed_nodes(provider=provider, now=now):
        rows.append(HealthRow(node.cluster, node.node, None, "", BELOW_USUAL, share=node.part))
    return rows


def _of_card(card: CardTrouble) -> Iterator[HealthRow]:
    about = (card.cluster, card.node, card.position, card.model)
    for kind, code, times, at in card.events:
        yield HealthRow(*about, f"xid_{code}" if kind == "xid" else kind, times, at)
    memory = (
        ("ecc_uncorrected", card.ecc_uncorrected),
        ("row_remap_pending", int(card.remap_pending)),
        ("row_remap_failed", int(card.remap_failed)),
    )
    yield from (HealthRow(*about, what, count) for what, count in memory if count)
    if card.throttled is not None:
        yield HealthRow(*about, THROTTLED, share=card.throttled)
