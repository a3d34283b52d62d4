"""What a node holds, as its agent lists it: accelerators, their slices, inference servers. Nothing is deleted."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Final

from django.db.models import Q

from clusters.models import Accelerator, AcceleratorHealth, Allocation, Endpoint, Node, Slice, SliceKind
from clusters.naming import fitted
from clusters.occupancy import WHOLE_PERMILLE, memory_share_permille

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

UUID_CHARS_MAX: Final = 96
MODEL_CHARS_MAX: Final = 100
SERVED_MODEL_CHARS_MAX: Final = 200
ENGINE_CHARS_MAX: Final = 64
MEMORY_MIB_MAX: Final = 2**31 - 1
UNKNOWN_MODEL: Final = "unknown"


@dataclass(frozen=True, slots=True)
class SeenPartition:
    """One MIG instance as the driver lists it."""

    uuid: str
    profile: str
    memory_mib: int


@dataclass(frozen=True, slots=True)
class SeenHealth:
    """What a card tells of its memory; None is unknown."""

    ecc_corrected: int | None = None
    ecc_uncorrected: int | None = None
    rows_remapped_corrected: int | None = None
    rows_remapped_uncorrected: int | None = None
    row_remap_pending: bool | None = None
    row_remap_failed: bool | None = None


@dataclass(frozen=True, slots=True)
class SeenAccelerator:
    """One card as the driver lists it; what it does not tell is None. `processes` as `AcceleratorHealth` keeps them."""

    uuid: str
    serial: str | None
    model: str
    memory_mib: int | None
    pci_bus_id: str | None
    mig_mode: bool | None
    partitions: tuple[SeenPartition, ...] = ()
    health: SeenHealth | None = None
    processes: tuple[dict[str, int | str | None], ...] | None = None


@dataclass(frozen=True, slots=True)
class RecordedCards:
    """What a list of cards changed: UUIDs that belong to another provider, and cards that took another one's slot.

    `replaced` maps the UUID of the card that is there now to that of the card that was there before.
    """

    foreign: tuple[str, ...] = ()
    replaced: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SeenEndpoint:
    """One inference server as its page describes it."""

    url: str
    engine: str
    models: tuple[str, ...]


def record_accelerators(*, node: Node, seen: Sequence[SeenAccelerator], seen_at: datetime) -> RecordedCards:
    """Store the full list of a node's cards in their order, and the slices they can be held by.

    A card that is no longer listed is retired, one that is back is not. A card that moved here from another
    node of the same provider is taken over; one that belongs to another provider is left alone and named in
    the answer. Must run in the caller's transaction, which holds the node's cursor.
    """
    named = {fitted(card.uuid, UUID_CHARS_MAX): card for card in seen}
    _make_missing(node, sorted(named), seen_at)
    # No join: after waiting for a lock its rows would still be those of before.
    locked = Accelerator.objects.select_for_update().filter(Q(uuid__in=named) | Q(node=node)).order_by("id")
    known = {card.uuid: card for card in locked}
    in_slot = {card.pci_bus_id: card.uuid for card in locked if _stands_in(card, node) and card.uuid not in named}
    providers = dict(
        Node.objects.filter(id__in={card.node_id for card in known.values()}).values_list("id", "cluster__provider_id")
    )
    recorded, foreign = RecordedCards(), []
    for position, (uuid, card) in enumerate(named.items()):
        stored = known[uuid]
        if providers[stored.node_id] != node.cluster.provider_id:
            foreign.append(uuid)
            continue
        if not stored.pci_bus_id and card.pci_bus_id in in_slot:
            recorded.replaced[uuid] = in_slot[card.pci_bus_id]
        _describe(stored, node, card, position, seen_at)
        _record_health(stored, card, seen_at)
        _record_slices(stored, card, seen_at)
    gone = [card.id for uuid, card in known.items() if uuid not in named and card.node_id == node.id]
    Accelerator.objects.filter(id__in=gone, retired_at__isnull=True).update(retired_at=seen_at)
    return replace(recorded, foreign=tuple(foreign))


def _stands_in(card: Accelerator, node: Node) -> bool:
    """Whether the card was in service in a known slot of the node up to now."""
    return card.node_id == node.id and card.retired_at is None and bool(card.pci_bus_id)


def _record_health(stored: Accelerator, card: SeenAccelerator, seen_at: datetime) -> None:
    """Keep what the card tells of itself now; an agent that tells nothing changes nothing."""
    told: dict[str, object] = {}
    if card.health is not None:
        told |= asdict(card.health)
    if card.processes is not None:
        told["processes"] = list(card.processes)
    if told:
        AcceleratorHealth.objects.update_or_create(accelerator=stored, defaults={**told, "seen_at": seen_at})


def _make_missing(node: Node, uuids: Sequence[str], first_at: datetime) -> None:
    """Make the cards that nobody has named yet; `uuids` in one order, so that two nodes cannot wait for each other."""
    known = set(Accelerator.objects.filter(uuid__in=uuids).values_list("uuid", flat=True))
    position = Accelerator.objects.filter(node=node).count()
    fresh = [uuid for uuid in uuids if uuid not in known]
    Accelerator.objects.bulk_create(
        [
            Accelerator(
                node=node,
                uuid=uuid,
                model=UNKNOWN_MODEL,
                position=position + index,
                first_seen_at=first_at,
                last_seen_at=first_at,
            )
            for index, uuid in enumerate(fresh)
        ],
        ignore_conflicts=True,
    )


def _describe(stored: Accelerator, node: Node, card: SeenAccelerator, position: int, seen_at: datetime) -> None:
    stored.node = node
    stored.serial = (card.serial or stored.serial)[:64]
    stored.model = fitted(card.model or stored.model or UNKNOWN_MODEL, MODEL_CHARS_MAX)
    if card.memory_mib is not None and card.memory_mib <= MEMORY_MIB_MAX:
        stored.memory_mib = card.memory_mib
    stored.pci_bus_id = (card.pci_bus_id or stored.pci_bus_id)[:32]
    stored.position = position
    # Readings may have shown the card before a list did.
    stored.first_seen_at = min(stored.first_seen_at, seen_at)
    stored.last_seen_at = seen_at
    stored.retired_at = None
    stored.save()


def _record_slices(card: Accelerator, seen: SeenAccelerator, seen_at: datetime) -> None:
    """One whole slice, or while MIG is on one per partition; what is gone is retired, what is held stays."""
    slices = {(each.kind, each.label): each for each in Slice.objects.filter(accelerator=card)}
    wanted = _wanted_slices(card, seen)
    for (kind, label), (profile, share_permille) in wanted.items():
        stored = slices.get((kind, label))
        if stored is None:
            Slice.objects.create(
                accelerator=card,
                kind=kind,
                label=label,
                profile=profile,
                share_permille=share_permille,
                created_at=seen_at,
            )
        elif stored.retired_at is not None or stored.share_permille != share_permille:
            _revive(stored, profile, share_permille, seen_at)
    if seen.mig_mode is None:
        # The driver does not say: what was there is not taken away on a guess.
        return
    gone = [
        each
        for key, each in slices.items()
        if key not in wanted and each.kind != SliceKind.FRACTION and each.retired_at is None
    ]
    held = _held_slices([each.id for each in gone], seen_at)
    Slice.objects.filter(id__in=[each.id for each in gone if each.id not in held]).update(retired_at=seen_at)


def _revive(stored: Slice, profile: str, share_permille: int, seen_at: datetime) -> None:
    """A slice that is there again is in service; its size is corrected, unless somebody holds it at the old one."""
    stored.retired_at = None
    if not _held_slices([stored.id], seen_at):
        stored.profile, stored.share_permille = profile, share_permille
    stored.save(update_fields=["retired_at", "profile", "share_permille"])


def _wanted_slices(card: Accelerator, seen: SeenAccelerator) -> dict[tuple[str, str], tuple[str, int]]:
    """`{(kind, label): (profile, share in thousandths)}` of the slices that can be held now."""
    if not (seen.mig_mode or seen.partitions):
        return {(SliceKind.WHOLE, ""): ("", WHOLE_PERMILLE)}
    return {
        (SliceKind.MIG, fitted(part.uuid, UUID_CHARS_MAX)): (
            part.profile[:32],
            _share_permille(part.memory_mib, card.memory_mib),
        )
        for part in seen.partitions
    }


def _share_permille(partition_mib: int, card_mib: int | None) -> int:
    """The partition's part of its card by measured memory; where either size is unknown it counts as the whole."""
    if not card_mib or not partition_mib:
        return WHOLE_PERMILLE
    return memory_share_permille(min(partition_mib, card_mib), card_mib)


def _held_slices(slice_ids: Iterable[UUID], at: datetime) -> set[UUID]:
    """Slices that somebody holds at the instant or is to hold later."""
    return set(
        Allocation.objects.filter(Q(to_at__isnull=True) | Q(to_at__gt=at), slice_id__in=slice_ids).values_list(
            "slice_id", flat=True
        )
    )


def record_endpoints(*, node: Node, seen: Sequence[SeenEndpoint], first_at: datetime, seen_at: datetime) -> None:
    """Store a node's inference servers. `first_at` is since when the agent looked at those that are new."""
    known = {each.url: each for each in Endpoint.objects.filter(node=node, url__in=[one.url for one in seen])}
    for one in seen:
        models = sorted({fitted(model, SERVED_MODEL_CHARS_MAX) for model in one.models if model})
        stored = known.get(one.url)
        if stored is None:
            stored = Endpoint(node=node, url=one.url, first_seen_at=first_at)
            known[one.url] = stored
        stored.engine = fitted(one.engine, ENGINE_CHARS_MAX)
        stored.served_models = models
        stored.first_seen_at = min(stored.first_seen_at, first_at)
        stored.last_seen_at = seen_at
        stored.save()


def ensure_endpoints(*, node: Node, engines: dict[str, str], first_at: datetime) -> dict[str, UUID]:
    """Return `{url: id}` for endpoints that readings name, making those that no list has shown yet."""
    Endpoint.objects.bulk_create(
        [
            Endpoint(
                node=node,
                url=url,
                engine=fitted(engine, ENGINE_CHARS_MAX),
                first_seen_at=first_at,
                last_seen_at=first_at,
            )
            for url, engine in sorted(engines.items())
        ],
        ignore_conflicts=True,
    )
    return dict(Endpoint.objects.filter(node=node, url__in=engines).values_list("url", "id"))


def ensure_accelerators(*, node: Node, uuids: Iterable[str], first_at: datetime) -> dict[str, UUID]:
    """Return `{uuid: id}` for cards that readings name, making those that no list has shown yet.

    A card of another node is not among them: readings never move a card, only a list does.
    """
    wanted = sorted(set(uuids))
    _make_missing(node, wanted, first_at)
    return dict(Accelerator.objects.filter(node=node, uuid__in=wanted).values_list("uuid", "id"))
