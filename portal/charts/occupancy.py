"""The occupancy timeline of a fleet: one ruler, then each node with its lanes and blocks."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from django.utils.safestring import SafeString

from portal.charts.bars import Part, bar
from portal.charts.marks import Tone
from portal.charts.timeline import Block, Lane, Window, draw_blocks, draw_ruler

NodeState = Literal["good", "warn", "bad", "unknown"]

BUSY_SHARE = Decimal("0.8")
IDLE_SHARE = Decimal("0.05")


@dataclass(frozen=True, slots=True)
class Node:
    """A server with its lanes from top to bottom; ``facts`` stand beside its name, ``notice`` is what is
    wrong.

    ``state`` colours a dot and ``state_text`` says it in words for those who do not see the dot.
    """

    name: str
    lanes: tuple[Lane, ...]
    blocks: tuple[Block, ...]
    facts: tuple[str, ...] = ()
    state: NodeState = "unknown"
    state_text: str = ""
    notice: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class DrawnLane:
    """A lane as the page shows it: its utilisation in whole percent ("" where not measured) and as a bar."""

    lane: Lane
    used_text: str
    used_bar: SafeString


@dataclass(frozen=True, slots=True)
class DrawnNode:
    """A node with its lanes and its drawing."""

    node: Node
    lanes: tuple[DrawnLane, ...]
    svg: SafeString


@dataclass(frozen=True, slots=True)
class Occupancy:
    """What ``portal/partials/occupancy.html`` shows."""

    head: str
    label: str
    ruler: SafeString
    nodes: tuple[DrawnNode, ...]


def _tone(used: Decimal) -> Tone:
    if used >= BUSY_SHARE:
        return "u-hi"
    return "u-mid" if used > IDLE_SHARE else "u-lo"


def _lane(lane: Lane) -> DrawnLane:
    if lane.used is None or lane.fault:
        return DrawnLane(lane=lane, used_text="", used_bar=SafeString(""))
    used = bar([Part(_tone(lane.used), lane.used)], whole=1, height_px=4)
    return DrawnLane(lane=lane, used_text=f"{lane.used * 100:.0f}%", used_bar=used)


def draw_occupancy(nodes: Sequence[Node], *, window: Window, locale: str, head: str, label: str) -> Occupancy:
    """Everything the occupancy partial needs. ``head`` heads the lane column ("GPU"), ``label`` names the
    whole.
    """
    drawn = tuple(
        DrawnNode(
            node=node,
            lanes=tuple(_lane(lane) for lane in node.lanes),
            svg=draw_blocks(node.lanes, node.blocks, window=window, locale=locale),
        )
        for node in nodes
    )
    return Occupancy(head=head, label=label, ruler=draw_ruler(window, locale=locale), nodes=drawn)
