"""What `forecourt agent check-engine` says of a mapping file, and of a saved page read by it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from metering.agent.config import EndpointSetting
from metering.agent.endpoints import source_of
from metering.agent.engines import EngineMapping, MappingError, load_mapping, load_mappings
from metering.agent.exposition import PAGE_BYTES_MAX, parse_page
from metering.agent.observe import MeterSeen, Observation, observe

EXAMPLE_URL: Final = "http://127.0.0.1"


@dataclass(frozen=True, slots=True)
class Checked:
    """The report, and whether the page gave what the mapping promises (true where no page was given)."""

    text: str
    ok: bool


def find_mapping(named: str) -> EngineMapping:
    """The mapping of a file, or the built-in one of that name. Raises MappingError."""
    path = Path(named)
    built_in = load_mappings()
    if named in built_in and not path.exists():
        return built_in[named]
    return load_mapping(path, built_in.values())


def check(named: str, page: Path | None, setting: EndpointSetting | None = None) -> Checked:
    """Check a mapping and, given a saved page, read it as the agent would. Raises MappingError, OSError."""
    mapping = find_mapping(named)
    head = [f"{mapping.engine}: {mapping.title}"]
    if not mapping.readable:
        return Checked("\n".join([*head, f"  {mapping.how_metered}"]) + "\n", page is None)
    quantities = list(dict.fromkeys(rule.quantity for rule in mapping.meters))
    head.append(f"  asks for {', '.join([mapping.page, *mapping.old_pages])}; reads {', '.join(quantities)}")
    if page is None:
        return Checked("\n".join(head) + "\n", ok=True)
    body = page.read_bytes()
    if len(body) > PAGE_BYTES_MAX:
        raise MappingError(page, "the page", f"{len(body)} bytes", f"at most {PAGE_BYTES_MAX}")
    source = source_of(setting or EndpointSetting(EXAMPLE_URL, mapping.engine), mapping)
    seen = observe(parse_page(body, mapping.register_names | mapping.hint_names), source)
    missing = [each for each in quantities if each not in {meter.key.quantity for meter in seen.meters}]
    lines = [*head, "", f"{page.name} gives", *_meters(seen), *_faults(seen)]
    lines += [f"  not on this page: {', '.join(missing)}"] if missing else []
    lines += ["", *_notes(seen)]
    return Checked("\n".join(lines).rstrip() + "\n", ok=bool(seen.meters) and not seen.faults)


def _meters(seen: Observation) -> list[str]:
    rows = [
        (meter.key.quantity, meter.key.model or "(no model)", _labels(meter), _value(meter)) for meter in seen.meters
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    return [
        f"  {quantity:<{widths[0]}}  {value:>{widths[3]}}  {model:<{widths[1]}}  {labels}".rstrip()
        for quantity, model, labels, value in rows
    ]


def _labels(meter: MeterSeen) -> str:
    return " ".join(f"{label}={value}" for label, value in meter.key.labels.items())


def _value(meter: MeterSeen) -> str:
    step = 1 + sum(part.step - 1 for part in meter.parts.values())
    value = sum(part.value for part in meter.parts.values())
    return f"{value:,}" if step == 1 else f"{value:,} (to within {step:,})"


def _faults(seen: Observation) -> list[str]:
    faults = [fault for fault in (seen.page_fault, *seen.faults) if fault is not None]
    return [f"  NOT READ: {fault.reason}: {fault.detail}" for fault in faults]


def _notes(seen: Observation) -> list[str]:
    created = {part.created_ms is not None for meter in seen.meters for part in meter.parts.values()}
    markers = [
        *(["the series' own _created"] if created == {True} else []),
        *(["process_start_time_seconds"] if seen.process_start else []),
    ]
    notes = [f"start markers on the page: {', '.join(markers) or 'none'}"]
    if seen.version:
        notes.append(f"version: {seen.version}")
    if seen.meters and not seen.models:
        notes.append("the page names no model: set `model` on the endpoint")
    return notes
