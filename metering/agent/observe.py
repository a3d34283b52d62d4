"""From a parsed page to registers: which meters the page shows, of which parts, and with which epoch hints.
Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from metering.agent.engine_versions import in_range
from metering.agent.engines import EngineMapping, MeterRule, Role, created_name
from metering.agent.exposition import Fault, ParsedPage, Sample, register_value, type_fault
from metering.wire import INSTANT_MS_MAX, VALUE_MAX, MeterKey, meter_identity

METERS_PER_ENDPOINT_MAX: Final = 512
PART_SEPARATOR: Final = "\x1f"
"""Ends the series' name in the name of a part; no page can have it in a name or a label."""
FLOAT_EXACT_MAX: Final = 2**53
"""Exporters count in 64-bit floats: above this, single tokens are lost on the page itself."""

_NOT_OF_ROLE: Final[dict[str, frozenset[str]]] = {
    "prefill": frozenset({"output", "reasoning", "requests", "finished_output"}),
    "decode": frozenset({"input", "cached_input", "cache_write", "finished_input"}),
}
"""Where prompts and answers are made on different servers, each server's share of a request is read once."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a page comes from: the endpoint's base URL, its mapping, and what its setting says of it, if anything.

    `model` names the served model, `role` the server's part in a disaggregated deployment, `version` the engine's
    version; each value of a `keep_labels` label is a meter of its own, over what the mapping keeps.
    """

    url: str
    mapping: EngineMapping
    model: str | None = None
    role: Role | None = None
    version: str | None = None
    keep_labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One series of a register: its value, and when the page says that it was created.

    `step` is how exactly the page shows it: the truth is in `[value, value + step)`.
    """

    value: int
    created_ms: int | None
    step: int = 1


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
    version = source.version or _version(page, mapping)
    for rule in rules_in_force(page, source, version):
        _apply(found, page, source, rule)
    _bound_meters(found)
    start_ms, start = _process_start(page, mapping)
    return Observation(
        meters=tuple(found.meters.values()),
        faults=tuple(found.faults),
        unread=frozenset(found.unread),
        models=tuple(sorted({meter.key.model for meter in found.meters.values() if meter.key.model})),
        version=version,
        process_start=start,
        process_start_ms=start_ms,
    )


def rules_in_force(page: ParsedPage, source: Source, version: str | None) -> list[MeterRule]:
    """Of the alternatives for a quantity, the first that fits version and role and whose every series is there.

    A series that is on the page and cannot be read is there all the same.
    """
    chosen: dict[str, MeterRule] = {}
    present = page.samples.keys() | page.faults.keys()
    unread = _NOT_OF_ROLE.get(source.role or "", frozenset())
    for rule in source.mapping.meters:
        if rule.quantity in chosen or rule.quantity in unread or (rule.roles and source.role not in rule.roles):
            continue
        if in_range(version, rule.versions) and all(name in present for name in rule.sample_names):
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
        if _left_out(rule, labels):
            continue
        value = _value(sample)
        if isinstance(value, Fault):
            return value
        key = _key(source, rule, labels)
        meter = meters.setdefault(meter_identity(key), MeterSeen(key, {}))
        part = _part(source.mapping, value, created.get(sample.labels))
        part_name = _part_name(name, sample, rule.repeats)
        before = meter.parts.get(part_name)
        # Only repeats share a name: all say the same, the one that is furthest says it latest.
        meter.parts[part_name] = part if before is None or part.value >= before.value else before
    return None


def _left_out(rule: MeterRule, labels: Mapping[str, str]) -> bool:
    return any(labels.get(label, "") not in allowed for label, allowed in rule.where.items()) or any(
        labels.get(label, "") in refused for label, refused in rule.where_not.items()
    )


def _part(mapping: EngineMapping, value: int, created_ms: int | None) -> Part:
    """A value that the page has rounded is taken at the least that it can stand for: never more than the truth."""
    step = mapping.resolution(value)
    if step == 1:
        return Part(value, created_ms)
    # Just above a power of ten the neighbour below is ten times nearer.
    below = mapping.resolution(value - 1)
    return Part(value - below // 2, created_ms, step)


def _refuse(found: _Found, rule: MeterRule, name: str, fault: Fault) -> None:
    found.unread.add(rule.quantity)
    found.faults.append(Fault(fault.reason, f"{name}: {fault.detail}"))


def _value(sample: Sample) -> int | Fault:
    if sample.fault is not None:
        return sample.fault
    value = register_value(sample.number if sample.number is not None else Decimal(0))
    if isinstance(value, int) and value > FLOAT_EXACT_MAX:
        return Fault("out_of_range", f"{sample.number} is beyond 2**53, where a page no longer counts single tokens")
    return value


def _key(source: Source, rule: MeterRule, labels: Mapping[str, str]) -> MeterKey:
    served = next((labels[label] for label in source.mapping.model_labels if labels.get(label)), "")
    return MeterKey(
        subject="endpoint",
        subject_id=source.url,
        engine=source.mapping.engine,
        model=source.model or served,
        quantity=rule.quantity,
        labels={label: labels[label] for label in (*rule.keep, *source.keep_labels) if labels.get(label)},
    )


def _part_name(name: str, sample: Sample, repeats: Iterable[str]) -> str:
    told = ((label, value) for label, value in sample.labels if label not in repeats)
    return name + "".join(f"{PART_SEPARATOR}{label}\x1e{value}" for label, value in told)


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
