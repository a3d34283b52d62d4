"""The occupancy timeline as data: nodes with their lanes, and holdings as blocks over them."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from billing.queries.occupancy import CardRow, HoldRow, NodeRow, SliceRow
from billing.queries.occupancy_sums import Holder
from clusters.models import SliceKind
from metering.attention import Finding
from metering.fleet import FleetAccelerator, FleetCluster, FleetNode
from metering.pages.node_lines import (
    gauge,
    is_silent,
    mean_used,
    node_url,
    power_words,
    short_model,
    slice_words,
    state_pill,
)
from portal.charts import Block, BlockState, Cell, Fact, Heading, Lane, Node, NodeState, Row, Table, Tone
from portal.charts import merge_adjacent as merged
from portal.figures import DASH, moment, number, unit_price
from portal.parts import LegendEntry
from portal.punctuation import joined

CATEGORY_TONES: tuple[Tone, ...] = ("m0", "m1", "m2", "m3", "m4")
OTHER_TONE: Tone = "m5"
WHOLE_PERMILLE = 1000
PERCENT = 100


@dataclass(frozen=True, slots=True)
class Holding:
    """One tenant's holding on one node over one span: its cards' positions and what they are of whole cards."""

    hold: HoldRow
    positions: tuple[int, ...]
    share_permille: int


@dataclass(frozen=True, slots=True)
class Metered:
    """What metering knows of the nodes in view, and the colours of the tenants."""

    nodes: Mapping[UUID, tuple[FleetCluster, FleetNode]]
    findings: Mapping[UUID, Sequence[Finding]]
    tones: Mapping[UUID, Tone]
    now: datetime
    locale: str


def tenant_tones(holders: Sequence[Holder]) -> dict[UUID, tuple[str, Tone]]:
    """Return the names and colours of the tenants that hold most of the view, by name."""
    by_name = sorted(holders, key=lambda one: (one.tenant, one.tenant_id))
    return {one.tenant_id: (one.tenant, tone) for one, tone in zip(by_name, CATEGORY_TONES, strict=False)}


def tenant_legend(tones: Mapping[UUID, tuple[str, Tone]], others: int) -> list[LegendEntry]:
    """Return the tenants beside their colours; so many others share one."""
    named = [LegendEntry(name, tone) for name, tone in tones.values()]
    if others:
        named.append(
            LegendEntry(ngettext("%(count)s other", "%(count)s others", others) % {"count": others}, OTHER_TONE)
        )
    return named


def state_legend() -> list[LegendEntry]:
    """Return what the blocks' borders and fills mean."""
    return [
        LegendEntry(_("Running"), "key-running"),
        LegendEntry(_("Reserved"), "key-reserved"),
        LegendEntry(_("Ended"), "key-ended"),
        LegendEntry(_("Out of service"), "key-maintenance"),
    ]


def chart_node(row: NodeRow, metered: Metered) -> Node:
    """Return a node as the timeline draws it."""
    cluster, node = metered.nodes.get(row.id, (None, None))
    cards = {card.id: card for card in node.accelerators} if node else {}
    lanes: list[Lane] = []
    blocks: list[Block] = []
    amounts = {_key(holding.hold): holding for holding in holdings(row)}
    # A lease says the same on each card of a node.
    drawn = {
        (hold, part.kind): _block(0, hold, amounts[_key(hold)], metered, thin=part.kind != SliceKind.WHOLE)
        for hold, part in {(hold, part.kind): (hold, part) for _card, part, hold in _holds(row)}.values()
    }
    for card in row.cards:
        own = len(lanes)
        known = cards.get(card.id)
        lanes.append(_card_lane(card, known))
        if known is not None and known.retired_at is not None:
            blocks.append(_out_of_service(own, known.retired_at, metered))
        for part in card.slices:
            lane = own
            if part.kind != SliceKind.WHOLE:
                lane = len(lanes)
                words = slice_words(part.kind, part.profile, part.label, part.share_permille)
                lanes.append(Lane(words, thin=True))
            blocks.extend(replace(drawn[hold, part.kind], first_lane=lane, last_lane=lane) for hold in part.holds)
    tone, state = node_state(node, metered.findings.get(row.id, ()), metered)
    retired = sum(card.retired_at is not None for card in cards.values() if card.id in {one.id for one in row.cards})
    return Node(
        name=row.name,
        lanes=tuple(lanes),
        blocks=merged(blocks),
        facts=_facts(row, node, metered),
        state=tone,
        state_text=state,
        notice=ngettext("%(count)s GPU out of service", "%(count)s GPUs out of service", retired) % {"count": retired}
        if retired
        else "",
        url=node_url(cluster.slug, row.name) if cluster else "",
    )


def holdings(row: NodeRow) -> list[Holding]:
    """Return a node's holdings, each once however many slices it takes, by start."""
    found: dict[tuple[object, ...], list[tuple[CardRow, SliceRow, HoldRow]]] = defaultdict(list)
    for card, part, hold in _holds(row):
        found[_key(hold)].append((card, part, hold))
    made = [
        Holding(
            hold=members[0][2],
            positions=tuple(sorted({card.position for card, _part, _hold in members})),
            share_permille=sum(part.share_permille for _card, part, _hold in members),
        )
        for members in found.values()
    ]
    return sorted(made, key=lambda holding: (holding.hold.from_at, holding.positions))


def holdings_table(nodes: Sequence[NodeRow], metered: Metered) -> Table:
    """Return the same holdings as rows."""
    headings = (
        Heading(_("Lease")),
        Heading(_("Tenant")),
        Heading(_("Node")),
        Heading(pgettext("place", "On")),
        Heading(_("GPUs"), numeric=True),
        Heading(_("From")),
        Heading(_("To")),
        Heading(_("Rate"), numeric=True),
        Heading(_("State")),
    )
    rows = []
    for node in nodes:
        for holding in holdings(node):
            hold = holding.hold
            cells = (
                Cell(hold.tenant),
                Cell(node.name),
                Cell("GPU " + positions_words(holding.positions)),
                Cell(gpus_number(holding.share_permille)),
                Cell(moment(hold.from_at, UTC, locale=metered.locale)),
                Cell(moment(hold.to_at, UTC, locale=metered.locale) if hold.to_at else _("no end set")),
                Cell(rate_words(hold, metered.locale)),
                Cell(state_words(state_of(hold.from_at, hold.to_at, metered.now))),
            )
            rows.append(Row(Cell(hold.lease or _("no lease"), lease_url(hold.lease)), cells))
    return Table(_("Who holds which GPU"), headings, tuple(rows))


def state_of(from_at: datetime, to_at: datetime | None, now: datetime) -> BlockState:
    """Return whether a span runs, lies ahead or is over."""
    if from_at > now:
        return "reserved"
    return "ended" if to_at is not None and to_at <= now else "running"


def state_words(state: BlockState) -> str:
    """Return a state as a word."""
    return {
        "running": _("running"),
        "reserved": _("reserved"),
        "ended": _("ended"),
        "maintenance": _("out of service"),
    }[state]


def lease_url(ref: str) -> str:
    """Return where a lease's page is, "" for a holding without a lease."""
    return reverse("provider-lease", args=[ref]) if ref else ""


def rate_words(hold: HoldRow, locale: str) -> str:
    """Return the agreed rate per GPU-hour; without one the price book's holds."""
    if hold.price_per_gpu_hour is not None:
        return f"{unit_price(hold.price_per_gpu_hour, hold.currency, locale=locale)}/h"
    return _("book price") if hold.lease else DASH


def gpus_number(share_permille: int) -> str:
    """Return thousandths of a card as cards: 4, 0.25."""
    count = Decimal(share_permille) / WHOLE_PERMILLE
    return number(count) if count == count.to_integral_value() else number(count, digits=2)


def gpus_words(share_permille: int) -> str:
    """Return the same with its unit."""
    whole = share_permille == WHOLE_PERMILLE
    return (_("%(count)s GPU") if whole else _("%(count)s GPUs")) % {"count": gpus_number(share_permille)}


def positions_words(positions: Sequence[int]) -> str:
    """Return positions as runs: "0–3, 6"."""
    runs: list[list[int]] = []
    for position in positions:
        if runs and runs[-1][-1] + 1 == position:
            runs[-1].append(position)
        else:
            runs.append([position])
    return joined(str(run[0]) if len(run) == 1 else f"{run[0]}{DASH}{run[-1]}" for run in runs)


def node_state(node: FleetNode | None, findings: Sequence[Finding], metered: Metered) -> tuple[NodeState, str]:
    """Return a node's dot and what it says."""
    if node is None or node.enrolled_at is None or node.revoked_at is not None:
        return "unknown", state_pill(node, metered.now, metered.locale).text if node else ""
    words = state_pill(node, metered.now, metered.locale).text
    if is_silent(node, metered.now) or any(finding.severe for finding in findings):
        return "bad", words
    return ("warn" if findings or node.metered_to_at is None else "good"), words


def _holds(row: NodeRow) -> list[tuple[CardRow, SliceRow, HoldRow]]:
    return [(card, part, hold) for card in row.cards for part in card.slices for hold in part.holds]


def _key(hold: HoldRow) -> tuple[object, ...]:
    return hold.tenant_id, hold.lease, hold.from_at, hold.to_at


def _card_lane(card: CardRow, known: FleetAccelerator | None) -> Lane:
    label = f"GPU {card.position}"
    if known is not None and known.retired_at is not None:
        return Lane(label, fault=_("retired"))
    used = known.utilisation_percent_mean if known else None
    return Lane(label, used=Decimal(used) / PERCENT if used is not None else None)


def _out_of_service(lane: int, since: datetime, metered: Metered) -> Block:
    facts = (Fact(_("Since"), moment(since, UTC, locale=metered.locale)),)
    return Block(lane, lane, since, None, "maintenance", _("Out of service"), facts=facts, tone="bad")


def _block(lane: int, hold: HoldRow, holding: Holding, metered: Metered, *, thin: bool) -> Block:
    state = state_of(hold.from_at, hold.to_at, metered.now)
    size, rate = gpus_words(holding.share_permille), rate_words(hold, metered.locale)
    facts = [
        Fact(_("State"), state_words(state)),
        Fact(_("From"), moment(hold.from_at, UTC, locale=metered.locale)),
        Fact(_("To"), moment(hold.to_at, UTC, locale=metered.locale) if hold.to_at else _("no end set")),
        Fact(_("On this node"), size),
        Fact(_("Rate per GPU-hour"), rate.removesuffix("/h")),
    ]
    if hold.contract:
        facts.append(Fact(_("Contract"), hold.contract))
    return Block(
        first_lane=lane,
        last_lane=lane,
        from_at=hold.from_at,
        to_at=hold.to_at,
        state=state,
        title=hold.tenant,
        reference=hold.lease,
        # Two thin rows are no higher than one line and a half.
        detail="" if thin else f"{size} · {rate}" if hold.lease else size,
        tone=metered.tones.get(hold.tenant_id, OTHER_TONE),
        url=lease_url(hold.lease),
        facts=tuple(facts),
    )


def _facts(row: NodeRow, node: FleetNode | None, metered: Metered) -> tuple[str, ...]:
    models = Counter(card.model for card in row.cards)
    facts = [joined(f"{short_model(model)} × {count}" for model, count in models.most_common())]
    if node is None:
        return tuple(facts)
    used = gauge(mean_used([card for card in node.accelerators if card.retired_at is None])).text
    if used:
        facts.append(_("%(share)s utilised") % {"share": used})
    power = power_words(node, metered.now)
    if power != DASH:
        facts.append(power)
    if node.enrolled_at is None:
        facts.append(_("not metered: no agent"))
    return tuple(facts)
