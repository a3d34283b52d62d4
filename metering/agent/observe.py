"""From a parsed page to registers: which meters the page shows, of which parts, and with which epoch hints.
Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from metering.agent.engines import EngineMapping, MeterRule, created_name
from metering.agent.exposition import Fault, ParsedPage, Sample, register_value, type_fault
from metering.wire import INSTANT_MS_MAX, VALUE_MAX, MeterKey, meter_identity

METERS_PER_ENDPOINT_MAX: Final = 512


@dataclass(frozen=True, slots=True)
class Source:
    """Where a page comes from: the endpoint's base URL, its mapping, and the configured served model, if any."""

    url: str
    mapping: EngineMapping
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One series of a register: its value, and when the page says that it was created."""

    value: int
    created_ms: int | None


@dataclass(frozen=True, slots=True)
class MeterSeen:
    """One register as the page shows it; its value is the sum of its parts."""

    key: MeterKey
    parts: dict[str, Part]


@dataclass(frozen=True, slots=True)
class Observation:
    """All that one page tells.

    `unread` are the quantities with a fault, so that a meter of one of them is unknown rather than gone.
    `process_start_ms` and `process_start` are the page's own marker, exact text kept for comparing.
    """

    meters: tuple[MeterSeen, ...] = ()
    faults: tuple[Fault, ...] = ()
    unread: frozenset[str] = frozenset()
    models: tuple[str, ...] = ()
    version: str | None = None
    process_start: str = ""
    process_start_ms: int | None = None
    page_fault: Fault | None = None


@dataclass(slots=True)
class _Found:
    meters: dict[tuple[object, ...], MeterSeen] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)


def observe(page: ParsedPage, source: Source) -> Observation:
    """Apply the mapping of a page's source to the page."""
    mapping = source.mapping
    if page.page_fault is not None:
        return Observation(page_fault=page.page_fault)
    found = _Found()
    for rule in _rules_in_force(page, mapping.meters):
        _apply(found, page, source, rule)
    _bound_meters(found)
    start_ms, start = _process_start(page, mapping)
    return Observation(
        meters=tuple(found.meters.values()),
        faults=tuple(found.faults),
        unread=frozenset(found.unread),
        models=tuple(sorted({meter.key.model for meter in found.meters.values() if meter.key.model})),
        version=_version(page, mapping),
        process_start=start,
        process_start_ms=start_ms,
    )


def _rules_in_force(page: ParsedPage, rules: Iterable[MeterRule]) -> list[MeterRule]:
    """Of the alternatives for a quantity, the first whose every series is on the page, readable or not."""
    chosen: dict[str, MeterRule] = {}
    present = page.samples.keys() | page.faults.keys()
    for rule in rules:
        if rule.quantity not in chosen and all(name in present for name in rule.sample_names):
            chosen[rule.quantity] = rule
    return list(chosen.values())


def _apply(found: _Found, page: ParsedPage, source: Source, rule: MeterRule) -> None:
    """Add the meters of one rule; one part that cannot be read makes the whole quantity unread."""
    for name in (*rule.sample_names, *rule.optional_sample_names):
        if fault := page.faults.get(name) or type_fault(page, name, rule.type):
            _refuse(found, rule, name, fault)
            return
    meters: dict[tuple[object, ...], MeterSeen] = {}
    for name in (*rule.sample_names, *rule.optional_sample_names):
        if fault := _add_parts(meters, page, source, rule, name):
            _refuse(found, rule, name, fault)
            return
    if any(sum(part.value for part in meter.parts.values()) > VALUE_MAX for meter in meters.values()):
        _refuse(found, rule, rule.sample_names[0], Fault("out_of_range", "the sum of its parts"))
        return
    found.meters.update(meters)


def _add_parts(
    meters: dict[tuple[object, ...], MeterSeen], page: ParsedPage, source: Source, rule: MeterRule, name: str
) -> Fault | None:
    created = _created_by_labels(page, name)
    for sample in page.samples.get(name, ()):
        labels = dict(sample.labels)
        if any(labels.get(label, "") not in allowed for label, allowed in rule.where.items()):
            continue
        value = _value(sample)
        if isinstance(value, Fault):
            return value
        key = _key(source, rule, labels)
        meter = meters.setdefault(meter_identity(key), MeterSeen(key, {}))
        meter.parts[_part_name(name, sample)] = Part(value, created.get(sample.labels))
    return None


def _refuse(found: _Found, rule: MeterRule, name: str, fault: Fault) -> None:
    found.unread.add(rule.quantity)
    found.faults.append(Fault(fault.reason, f"{name}: {fault.detail}"))


def _value(sample: Sample) -> int | Fault:
    if sample.fault is not None:
        return sample.fault
    return register_value(sample.number if sample.number is not None else Decimal(0))


def _key(source: Source, rule: MeterRule, labels: Mapping[str, str]) -> MeterKey:
    served = next((labels[label] for label in source.mapping.model_labels if labels.get(label)), "")
    return MeterKey(
        subject="endpoint",
        subject_id=source.url,
        engine=source.mapping.engine,
        model=source.model or served,
        quantity=rule.quantity,
        labels={label: labels[label] for label in rule.keep if label in labels},
    )


def _part_name(name: str, sample: Sample) -> str:
    return name + "".join(f"\x1f{label}\x1e{value}" for label, value in sample.labels)


def _created_by_labels(page: ParsedPage, name: str) -> dict[tuple[tuple[str, str], ...], int]:
    samples = page.samples.get(created_name(name), ())
    return {sample.labels: created_ms for sample in samples if (created_ms := _instant_ms(sample)) is not None}


def _instant_ms(sample: Sample) -> int | None:
    """Unix seconds with a fraction, as pages write instants, in whole milliseconds; None if it is none."""
    if sample.number is None:
        return None
    instant_ms = int(sample.number * 1_000)
    return instant_ms if 0 < instant_ms <= INSTANT_MS_MAX else None


def _process_start(page: ParsedPage, mapping: EngineMapping) -> tuple[int | None, str]:
    if "process_start" not in mapping.epoch_hints:
        return None, ""
    for sample in page.samples.get("process_start_time_seconds", ()):
        return _instant_ms(sample), str(sample.number)
    return None, ""


def _version(page: ParsedPage, mapping: EngineMapping) -> str | None:
    for sample in page.samples.get(mapping.version_series or "", ()):
        return dict(sample.labels).get(mapping.version_label or "")
    return None


def _bound_meters(found: _Found) -> None:
    """A page that invents labels must not fill the spool: beyond the bound nothing of it is read."""
    if len(found.meters) > METERS_PER_ENDPOINT_MAX:
        found.faults.append(
            Fault("out_of_range", f"{len(found.meters)} meters, at most {METERS_PER_ENDPOINT_MAX} on one page")
        )
        found.unread |= {meter.key.quantity for meter in found.meters.values()}
        found.meters.clear()
