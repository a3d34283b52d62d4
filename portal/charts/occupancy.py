"""The occupancy timeline of a fleet: one ruler, then each node with its lanes and blocks."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from django.utils.html import conditional_escape
from django.utils.safestring import SafeString

from portal.charts.bars import Part, bar
from portal.charts.marks import Tone
from portal.charts.timeline import Block, Lane, Window, draw_blocks, draw_ruler
from portal.punctuation import between

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

    @property
    def body(self) -> SafeString:
        """The nodes one below the other: hundreds of parts, each ten times dearer in a template."""
        return SafeString("\n".join(f"  {_head(drawn.node)}\n  {_lanes(drawn)}" for drawn in self.nodes))


def _head(node: Node) -> str:
    name = (
        f'<a href="{conditional_escape(node.url)}">{conditional_escape(node.name)}</a>'
        if node.url
        else conditional_escape(node.name)
    )
    said = f'<span class="vh">{between("comma")}{conditional_escape(node.state_text)}</span>' if node.state_text else ""
    facts = "".join(f'<span class="dim">{conditional_escape(fact)}</span>' for fact in node.facts)
    notice = f'<span class="pill bad">{conditional_escape(node.notice)}</span>' if node.notice else ""
    dot = f'<span class="hd {node.state}" aria-hidden="true"></span>'
    return f'<div class="tl-node">{dot}<b>{name}{said}</b>{facts}{notice}</div>'


def _lanes(drawn: DrawnNode) -> str:
    return f'<div class="tl-row"><div class="tl-ls">{"".join(map(_label, drawn.lanes))}</div>{drawn.svg}</div>'


def _label(entry: DrawnLane) -> str:
    lane, beside = entry.lane, ""
    if lane.fault:
        beside = f'<span class="pill bad xs">{conditional_escape(lane.fault)}</span>'
    elif entry.used_text:
        beside = f'{entry.used_bar}<span class="gu">{conditional_escape(entry.used_text)}</span>'
    thin = " thin" * lane.thin
    return f'<span class="tl-l{thin}"><span class="gi">{conditional_escape(lane.label)}</span>{beside}</span>'


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
