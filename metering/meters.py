"""Finding the meters that a node's batches name, with the last value that was counted of each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec
from django.db.models import F

from clusters.inventory import (
    SERVED_MODEL_CHARS_MAX,
    UUID_CHARS_MAX,
    ensure_accelerators,
    ensure_endpoints,
)
from clusters.models import Accelerator, Endpoint
from clusters.naming import fitted
from metering.deltas import RegisterState
from metering.hours import instant_of, unix_ms_of
from metering.models import Meter, Witness

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from clusters.models import Node
    from metering.wire import MeterKey

LABELS_CHARS_MAX: Final = 512
METERS_MAX: Final = 100_000
"""Of one node: all of them are read whenever it is rolled up, some hundred bytes each."""
ENGINE_LABEL: Final = "@engine"
"""No page can have a label of this name; another engine at one address counts on other meters."""

Identity = tuple[str, str, str, str, str]
"""Subject, its id, model, quantity, labels."""


@dataclass(slots=True)
class KnownMeter:
    """A stored meter and where rollup left it."""

    id: UUID
    subject_id: UUID
    quantity: str
    model: str
    state: RegisterState | None
    last_seq: int | None = None
    """In working usage out again: the last number that counted, for a card that another node holds by now."""


def identity_of(meter: MeterKey) -> Identity:
    """Return what names a meter within its node, as its row does."""
    if meter.subject == "accelerator":
        return ("accelerator", fitted(meter.subject_id, UUID_CHARS_MAX), "", meter.quantity, _labels(meter.labels))
    labels = {**meter.labels, ENGINE_LABEL: meter.engine}
    return (
        "endpoint",
        meter.subject_id,
        fitted(meter.model, SERVED_MODEL_CHARS_MAX),
        meter.quantity,
        _labels(labels),
    )


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    text = msgspec.json.encode(labels, order="sorted").decode()
    return text if len(text) <= LABELS_CHARS_MAX else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


class NodeMeters:
    """The meters of one node, read at once; those that are missing are made.

    With `states` the node's usage is worked out again from these last values: nothing is made then, and the cards that
    it held once are there.
    """

    def __init__(self, node: Node, states: Mapping[UUID, RegisterState] | None = None) -> None:
        self.node = node
        self.states = states
        self.by_identity: dict[Identity, KnownMeter] = {}
        self.too_many: set[Identity] = set()
        self._read()

    @property
    def reached_at(self) -> datetime | None:
        """Everything that was counted was read by this instant; None before the first."""
        read_at_ms = [meter.state.read_at_ms for meter in self.by_identity.values() if meter.state]
        return instant_of(max(read_at_ms)) if read_at_ms else None

    def ensure(self, wanted: dict[Identity, str], first_ms: int) -> None:
        """Make the meters of `{identity: engine}` that are not there yet, with their subjects.

        An accelerator that another node holds gets no meter here; its identity stays unknown. So does what is beyond
        METERS_MAX: labels of a page, or a node that makes them up, bring any number.
        """
        missing = {identity: engine for identity, engine in wanted.items() if identity not in self.by_identity}
        if not missing or self.states is not None:
            return
        for identity in sorted(missing)[max(0, METERS_MAX - len(self.by_identity)) :]:
            self.too_many.add(identity)
            del missing[identity]
        first_at = instant_of(first_ms)
        engines = {key[1]: engine for key, engine in missing.items() if key[0] == "endpoint"}
        endpoints = ensure_endpoints(node=self.node, engines=engines, first_at=first_at) if engines else {}
        cards = self.accelerators((key[1] for key in missing if key[0] == "accelerator"), first_ms)
        rows = []
        for subject, subject_id, model, quantity, labels in missing:
            found = endpoints.get(subject_id) if subject == "endpoint" else cards.get(subject_id)
            if found is None:
                continue
            rows.append(
                Meter(
                    witness=Witness.ENGINE if subject == "endpoint" else Witness.ENERGY,
                    node=self.node,
                    endpoint_id=found if subject == "endpoint" else None,
                    accelerator_id=found if subject == "accelerator" else None,
                    model=model,
                    quantity=quantity,
                    labels=labels,
                )
            )
        Meter.objects.bulk_create(rows, ignore_conflicts=True)
        self._read()

    def accelerators(self, uuids: Iterable[str], first_ms: int) -> dict[str, UUID]:
        """Return `{uuid: id}` of the node's cards of these UUIDs, made where no list has shown them yet."""
        wanted = {fitted(uuid, UUID_CHARS_MAX) for uuid in uuids}
        if not wanted:
            return {}
        found = dict(Accelerator.objects.filter(node=self.node, uuid__in=wanted).values_list("uuid", "id"))
        missing = wanted - found.keys()
        if missing:
            found |= ensure_accelerators(node=self.node, uuids=missing, first_at=instant_of(first_ms))
        return found

    def watched_since_ms(self) -> dict[UUID, int]:
        """Return since when each endpoint and accelerator of the node has been looked at."""
        since = dict(Endpoint.objects.filter(node=self.node).values_list("id", "first_seen_at"))
        since |= dict(Accelerator.objects.filter(meters__node=self.node).values_list("id", "first_seen_at"))
        return {subject_id: unix_ms_of(at) for subject_id, at in since.items()}

    def _read(self) -> None:
        rows = Meter.objects.filter(node=self.node).values_list(
            "id",
            "endpoint_id",
            "accelerator_id",
            F("endpoint__url"),
            F("accelerator__uuid"),
            F("accelerator__node_id"),
            "model",
            "quantity",
            "labels",
            "state__epoch",
            "state__seq",
            "state__value",
            "state__read_at",
            "state__closed",
            "state__base",
        )
        for meter_id, endpoint, card, url, uuid, held_by, model, quantity, labels, epoch, *state in rows:
            # A card that moved to another node is metered there, on a meter of its own: numbering is a node's.
            moved = card is not None and held_by != self.node.id
            if moved and self.states is None:
                continue
            identity = ("endpoint" if endpoint else "accelerator", url or uuid or "", model, quantity, labels)
            seq, value, read_at, closed, base = state
            known = RegisterState(epoch, seq, value, unix_ms_of(read_at), closed, base) if epoch else None
            if self.states is not None:
                last_seq = known.seq if moved and known else None
                known = self.states.get(meter_id)
            else:
                last_seq = None
            self.by_identity[identity] = KnownMeter(meter_id, endpoint or card, quantity, model, known, last_seq)
