"""From an exporter's parsed page to cards: what each is, its energy register and its gauges. Pure.

What the page does not tell is None, never 0. A sample that cannot be trusted makes that quantity of that card
unknown, with a fault; the other cards and quantities stand.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from metering.agent.accelerators import AcceleratorMapping, CardRule
from metering.agent.exposition import Fault, ParsedPage, Sample, type_fault
from metering.wire import ACCELERATORS_MAX, MIG_PER_ACCELERATOR_MAX, VALUE_MAX

NOTHING_SAID: Final = frozenset({"", "N/A", "[N/A]", "n/a", "NA", "unknown", "Unknown", "null", "None"})
"""What exporters write into a label that they have no value for."""
BOUNDS: Final = {
    "utilisation_percent": 100,
    "graphics_permille": 1_000,
    "sm_permille": 1_000,
    "tensor_permille": 1_000,
}
CARD_WIDE: Final = frozenset({"energy_mj", "power_mw", "utilisation_percent"})
"""Quantities that a page repeats for each instance of a card, with the card's own value."""


@dataclass(slots=True)
class PageInstance:
    """One partition of a card."""

    name: str
    profile: str
    values: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class PageCard:
    """One card as the page shows it; a quantity that is not in `values` is unknown."""

    uuid: str
    serial: str | None = None
    model: str = ""
    pci_bus_id: str | None = None
    driver_version: str | None = None
    sampled_at_ms: int | None = None
    values: dict[str, int] = field(default_factory=dict)
    instances: dict[str, PageInstance] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CardObservation:
    """All that one page tells: cards by UUID, and faults by a card's UUID ("" for the page)."""

    cards: dict[str, PageCard] = field(default_factory=dict)
    faults: tuple[tuple[str, Fault], ...] = ()
    page_fault: Fault | None = None


def observe_cards(page: ParsedPage, mapping: AcceleratorMapping, node: str) -> CardObservation:
    """Apply a mapping to its page. `node` is put into names that are only unique on their machine."""
    if page.page_fault is not None:
        return CardObservation(page_fault=page.page_fault)
    reader = _Reader(page, mapping, node)
    for rule in _rules_in_force(page, mapping.readings):
        reader.apply(rule)
    reader.describe()
    return CardObservation(dict(sorted(reader.cards.items())), tuple(reader.faults))


def _rules_in_force(page: ParsedPage, rules: Iterable[CardRule]) -> list[CardRule]:
    """Of the alternatives for a quantity, the first whose series are on the page, readable or not."""
    chosen: dict[str, CardRule] = {}
    present = page.samples.keys() | page.faults.keys()
    for rule in rules:
        if rule.quantity not in chosen and _first_name(page, rule) and all(name in present for name in rule.plus):
            chosen[rule.quantity] = rule
    return list(chosen.values())


def _first_name(page: ParsedPage, rule: CardRule) -> str | None:
    present = page.samples.keys() | page.faults.keys()
    return next((name for name in rule.any_of if name in present), None)


class _Reader:
    """Collects cards; what is wrong with one leaves the others alone."""

    def __init__(self, page: ParsedPage, mapping: AcceleratorMapping, node: str) -> None:
        self.cards: dict[str, PageCard] = {}
        self.faults: list[tuple[str, Fault]] = []
        self._page = page
        self._mapping = mapping
        self._node = node

    def apply(self, rule: CardRule) -> None:
        """Add one quantity to every card that the page shows it for."""
        first = _first_name(self._page, rule)
        names = [name for name in (first, *rule.plus) if name is not None]
        for name in names:
            if fault := self._page.faults.get(name) or type_fault(self._page, name, rule.type):
                self.faults.append(("", Fault(fault.reason, f"{name}: {fault.detail}")))
                return
        found: dict[str, dict[str, list[list[Decimal]]]] = {}
        unread: set[str] = set()
        for place, name in enumerate(names):
            for sample in self._page.samples.get(name, ()):
                self._take(sample, name, rule, place, len(names), found, unread)
        for uuid, by_instance in found.items():
            if uuid not in unread:
                self._settle(self.cards[uuid], rule, by_instance)

    def _take(  # noqa: PLR0917 - one sample's place among those of its rule
        self,
        sample: Sample,
        name: str,
        rule: CardRule,
        place: int,
        places: int,
        found: dict[str, dict[str, list[list[Decimal]]]],
        unread: set[str],
    ) -> None:
        labels = dict(sample.labels)
        if any(labels.get(label, "") not in allowed for label, allowed in rule.where.items()):
            return
        uuid = self._name(labels)
        if uuid is None:
            return
        card = self._card(uuid, labels)
        if card is None:
            return
        if sample.number is None or sample.number < 0:
            fault = sample.fault or Fault("out_of_range", str(sample.number))
            self.faults.append((uuid, Fault(fault.reason, f"{name}: {fault.detail}")))
            unread.add(uuid)
            return
        if sample.timestamp_ms is not None:
            card.sampled_at_ms = max(card.sampled_at_ms or 0, sample.timestamp_ms)
        instance = self._instance(card, labels)
        parts = found.setdefault(uuid, {}).setdefault(instance, [[] for _ in range(places)])
        parts[place].append(sample.number)

    def _name(self, labels: Mapping[str, str]) -> str | None:
        said = _said(labels, self._mapping.id_labels)
        if said is None:
            return None
        before = [labels[label] for label in self._mapping.id_with if labels.get(label, "") not in NOTHING_SAID]
        prefix = self._mapping.id_prefix
        name = ":".join([*([self._node] if self._is_local(labels) else []), *before, said])
        return name if name.startswith(prefix) else f"{prefix}{name}"

    def _is_local(self, labels: Mapping[str, str]) -> bool:
        """Whether the name is unique on its machine only: the first id label of a mapping is the vendor's own."""
        if self._mapping.id_scope != "node" or not self._node:
            return False
        first = self._mapping.id_labels[0]
        return len(self._mapping.id_labels) == 1 or labels.get(first, "") in NOTHING_SAID

    def _card(self, uuid: str, labels: Mapping[str, str]) -> PageCard | None:
        card = self.cards.get(uuid)
        if card is None:
            if len(self.cards) >= ACCELERATORS_MAX:
                return None
            card = self.cards[uuid] = PageCard(uuid)
        mapping = self._mapping
        card.serial = card.serial or _said(labels, mapping.serial_labels)
        card.model = card.model or _said(labels, mapping.model_labels) or ""
        card.pci_bus_id = card.pci_bus_id or _said(labels, mapping.pci_labels)
        card.driver_version = card.driver_version or _said(labels, mapping.driver_labels)
        return card

    def _instance(self, card: PageCard, labels: Mapping[str, str]) -> str:
        """The partition that a sample is of, "" for the card itself."""
        named = labels.get(self._mapping.instance_label, "") if self._mapping.instance_label else ""
        if named in NOTHING_SAID:
            return ""
        if named not in card.instances and len(card.instances) < MIG_PER_ACCELERATOR_MAX:
            profile = labels.get(self._mapping.profile_label, "")
            card.instances[named] = PageInstance(f"{card.uuid}/gi{named}", profile)
        return named

    def _settle(self, card: PageCard, rule: CardRule, by_instance: dict[str, list[list[Decimal]]]) -> None:
        """One number per card, and per instance where the quantity is the instance's own."""
        own = self._combined(card.uuid, rule, by_instance.get("", []))
        parts = {key: samples for key, samples in by_instance.items() if key}
        if own is None and parts and rule.quantity in CARD_WIDE:
            shown = [self._combined(card.uuid, rule, samples) for samples in parts.values()]
            own = max((one for one in shown if one is not None), default=None)
        elif parts:
            self._settle_instances(card, rule, parts, has_own=own is not None)
        if own is not None:
            card.values[rule.quantity] = own

    def _settle_instances(
        self, card: PageCard, rule: CardRule, parts: dict[str, list[list[Decimal]]], *, has_own: bool
    ) -> None:
        for key, samples in parts.items():
            value = self._combined(card.uuid, rule, samples)
            if value is not None and key in card.instances:
                card.instances[key].values[rule.quantity] = value
        known = [each.values.get(rule.quantity) for each in card.instances.values()]
        if not has_own and rule.quantity == "memory_used_mib" and None not in known:
            card.values[rule.quantity] = sum(value for value in known if value is not None)

    def _combined(self, uuid: str, rule: CardRule, parts: list[list[Decimal]]) -> int | None:
        """The number of the rule's first series and of all that is added to it; None where one of them is not there."""
        if not parts or not all(parts):
            return None
        exact = sum((_combine(rule.combine, samples) for samples in parts), Decimal(0)) * rule.scale
        # A register is cut, so that it never runs ahead; a gauge is rounded.
        value = int(exact) if rule.quantity == "energy_mj" else round(exact)
        if value > BOUNDS.get(rule.quantity, VALUE_MAX):
            self.faults.append((uuid, Fault("out_of_range", f"{rule.quantity}: {value}")))
            return None
        return value

    def describe(self) -> None:
        """Add what only the page's info series tells of a card."""
        for sample in self._page.samples.get(self._mapping.info_series or "", ()):
            labels = dict(sample.labels)
            uuid = self._name(labels)
            if uuid in self.cards:
                self._card(uuid, labels)


def _combine(how: str, samples: list[Decimal]) -> Decimal:
    if how == "sum":
        return sum(samples, Decimal(0))
    if how == "mean":
        return sum(samples, Decimal(0)) / len(samples)
    return max(samples)


def _said(labels: Mapping[str, str], wanted: Iterable[str]) -> str | None:
    return next((labels[label] for label in wanted if labels.get(label, "") not in NOTHING_SAID), None)
