"""What the agent would see on this node, what is missing, and the fix. Reads only; may run beside the agent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, Literal

import httpx
import msgspec

from metering.agent import AGENT_VERSION, keys, state
from metering.agent.clock import Clock, from_unix_ms, unix_ms
from metering.agent.config import Config, ConfigError, EndpointSetting, checked_mappings
from metering.agent.discover import discover
from metering.agent.endpoints import source_of, target_of
from metering.agent.engines import EngineMapping, MappingError
from metering.agent.exposition import parse_page
from metering.agent.finder import needs_name
from metering.agent.machine import LinuxMachine
from metering.agent.nvml import NvmlReader
from metering.agent.observe import Observation, observe
from metering.agent.run import MIB
from metering.agent.scrape import Failure, fetch, http_client
from metering.agent.served import Served, ask_models
from metering.agent.ship import read_alarm
from metering.agent.spool import SpoolBroken, read_fill
from metering.agent.status import LOOPBACK

Level = Literal["ok", "warn", "FAIL"]
ALARM_FIXES: Final = {
    "node_revoked": "forecourt agent enroll --again with a new token",
    "node_unknown": "is this the right server? Else: forecourt agent enroll --again with a new token",
    "signature_invalid": "forecourt agent rotate-key if one was begun; else enroll --again with a token for this node",
    "out_of_chain": "stop the agent, then: forecourt agent rejoin",
    "batch_conflict": "does a copy of this node run? Stop it; then stop this agent and: forecourt agent rejoin",
    "batch_malformed": "it is set aside by itself after a few tries; upgrade the agent or the server",
    "batch_too_large": "it is set aside by itself after a few tries; upgrade the agent or the server",
}
"""What helps when the server refuses, by its code."""
OTHER_FIX: Final = "something between here and the server answers in its place: check proxy and address"
CLOCK_SKEW_S_MAX: Final = 2.0
_SERVER_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: what it is about, how it stands, and the fix where there is something to do."""

    subject: str
    level: Level
    what: str
    fix: str = ""


def examine(config: Config, *, machine: LinuxMachine, clock: Clock, nvml_command: Sequence[str]) -> list[Finding]:
    """Look at everything the agent needs. `clock` is the real one."""
    return [
        *_state(config),
        *_server(config, clock),
        *_cards(config, clock, nvml_command),
        *_engines(config, machine, clock),
        *_spool(config, clock),
    ]


def report(findings: Sequence[Finding], node_name: str) -> str:
    """The findings as text, one heading per subject, the fix under its line."""
    lines = [f"Forecourt agent {AGENT_VERSION} on {node_name}"]
    subject = ""
    for finding in findings:
        if finding.subject != subject:
            subject = finding.subject
            lines += ["", subject]
        lines.append(f"  {finding.level:<4}  {finding.what}")
        if finding.fix:
            lines.append(f"        → {finding.fix}")
    failed = sum(finding.level == "FAIL" for finding in findings)
    warned = sum(finding.level == "warn" for finding in findings)
    verdict = f"{failed} to fix before this node can be metered" if failed else "This node can be metered"
    lines += ["", f"{verdict}{f', {warned} to look at' if warned else ''}."]
    return "\n".join(lines) + "\n"


def _state(config: Config) -> Iterator[Finding]:
    folder = config.state_path
    try:
        state.prepare(folder)
    except state.StateUnusable as unusable:
        yield Finding("State", "FAIL", str(unusable), "run as the agent's user, or set state_dir")
        return
    yield Finding("State", "ok", f"{folder} can be written")
    try:
        identity = state.load_identity(folder)
        keys.load(folder)
    except (state.NotEnrolled, FileNotFoundError):
        yield Finding("State", "FAIL", "this node is not enrolled", "forecourt agent enroll --server URL --token TOKEN")
        return
    except (state.StateUnusable, keys.KeyUnusable) as unusable:
        yield Finding("State", "FAIL", str(unusable), "mend the file, or enrol a new node in another folder")
        return
    yield Finding("State", "ok", f"enrolled as node {identity.node} of cluster {identity.cluster}")
    if (folder / keys.PENDING_FILE).exists():
        yield Finding("State", "warn", "a key rotation was begun and not answered", "forecourt agent rotate-key")
    try:
        with state.StateLock(folder):
            yield Finding("State", "warn", "no agent runs here now", "start it: forecourt agent run")
    except state.AlreadyRunning:
        yield Finding("State", "ok", "an agent runs here")
        yield from _settings(config)


def _settings(config: Config) -> Iterator[Finding]:
    """Whether the running agent uses the settings as they are now."""
    try:
        answer = httpx.get(
            f"http://{LOOPBACK}:{config.status_port}/healthz", timeout=_SERVER_TIMEOUT_S, trust_env=False
        )
        told = str(answer.json().get("settings", "ok"))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return
    if told != "ok":
        fix = "mend them, then: systemctl reload forecourt-agent"
        yield Finding("State", "FAIL", f"the newest settings are wrong, the old ones are used: {told}", fix)


def _server(config: Config, clock: Clock) -> Iterator[Finding]:
    try:
        server = state.load_identity(config.state_path).server
    except (state.NotEnrolled, state.StateUnusable):
        return
    try:
        client = http_client([server], config.ca_file, trust_env=True)
    except OSError as unusable:
        yield Finding("Server", "FAIL", f"ca_file {config.ca_file}: {unusable}", "name a PEM file of authorities")
        return
    with client:
        try:
            response = client.get(f"{server}/health/live", timeout=_SERVER_TIMEOUT_S)
        except (httpx.HTTPError, httpx.InvalidURL) as broken:
            yield Finding(
                "Server",
                "FAIL",
                f"{server} does not answer: {broken or type(broken).__name__}",
                "check address, name service, firewall and proxy; readings wait on disk meanwhile",
            )
            return
    yield Finding("Server", "ok", f"{server} answers")
    if server.startswith("http:") and "127.0.0.1" not in server and "localhost" not in server:
        yield Finding("Server", "warn", "the connection is not encrypted", "enrol with an https:// address")
    yield from _skew(response, clock)


def _skew(response: httpx.Response, clock: Clock) -> Iterator[Finding]:
    try:
        server_now = parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        return
    skew_s = (clock.now() - server_now).total_seconds()
    if abs(skew_s) > CLOCK_SKEW_S_MAX:
        yield Finding("Server", "warn", f"this node's clock is {skew_s:+.0f} s off the server's", "run an NTP client")
    else:
        yield Finding("Server", "ok", f"clocks agree within {CLOCK_SKEW_S_MAX:g} s")


def _cards(config: Config, clock: Clock, nvml_command: Sequence[str]) -> Iterator[Finding]:
    if not config.nvml:
        yield Finding("GPUs", "ok", "not read (nvml = false)")
        return
    reader = NvmlReader(nvml_command, clock, config.nvml_timeout_s)
    try:
        at_ms = unix_ms(clock.now())
        survey = reader.list_cards(at_ms)
        readings = reader.read_cards(at_ms)
    finally:
        reader.close()
    if not survey.ok:
        yield _no_cards(survey.reason, survey.detail)
        return
    driver = survey.driver_version or "unknown"
    names = sorted({card.name for card in survey.accelerators})
    yield Finding("GPUs", "ok", f"{len(survey.accelerators)} × {', '.join(names) or 'none'}, driver {driver}")
    instances = sum(len(card.mig) for card in survey.accelerators)
    if instances:
        yield Finding("GPUs", "ok", f"{instances} MIG instances; energy is of whole cards only")
    for outcome in (*survey.outcomes, *readings.outcomes):
        yield Finding(
            "GPUs", "FAIL", f"{outcome.uuid}: {outcome.reason}: {outcome.detail}", "check dmesg for XID errors"
        )
    without = [card.uuid for card in readings.readings if card.energy_mj is None]
    if without:
        yield Finding(
            "GPUs", "warn", f"{len(without)} without an energy counter", "none: the card or driver does not have it"
        )


def _no_cards(reason: str, detail: str) -> Finding:
    if reason == "nvml_absent":
        return Finding(
            "GPUs",
            "warn",
            f"no NVIDIA driver here ({detail})",
            "fine on a CPU node: set nvml = false",
        )
    fixes = {
        "nvml_hung": "a GPU hangs in the driver: check dmesg, reset or reboot",
        "device_access_lost": "in a container: create it anew; run the agent on the host to be rid of it",
        "driver_mismatch": "driver and library differ: reboot, or reload the driver",
    }
    return Finding("GPUs", "FAIL", f"{reason}: {detail}", fixes.get(reason, "check nvidia-smi as this user"))


def _engines(config: Config, machine: LinuxMachine, clock: Clock) -> Iterator[Finding]:
    try:
        mappings = checked_mappings(config)
    except (MappingError, ConfigError) as refused:
        yield Finding("Engines", "FAIL", str(refused), "mend the setting or the file")
        return
    settings = config.endpoints or (discover(machine, mappings.values()) if config.discover else [])
    if not settings:
        yield Finding(
            "Engines",
            "warn",
            "no inference engine configured, none found listening",
            f'set FORECOURT_AGENT_ENDPOINTS="vllm=http://127.0.0.1:8000", or start one ({", ".join(sorted(mappings))})',
        )
    with http_client([setting.url for setting in settings], config.ca_file, trust_env=False) as client:
        for setting in settings:
            mapping = mappings[setting.engine]
            yield from _engine(client, setting, mapping, clock, config.scrape_timeout_s)


def _engine(
    client: httpx.Client, setting: EndpointSetting, mapping: EngineMapping, clock: Clock, timeout_s: int
) -> Iterator[Finding]:
    if not mapping.readable:
        yield Finding("Engines", "ok", f"{mapping.title} at {setting.url}: {mapping.how_metered}")
        return
    if needs_name(setting, mapping):
        served = ask_models(client, setting.url, clock)
        yield from _served(setting, mapping, served)
        setting = msgspec.structs.replace(setting, model=served.only)
    target = target_of(setting, mapping)
    page = fetch(client, target, clock, timeout_s)
    named = f"{mapping.title} at {target.page_url}"
    if isinstance(page, Failure):
        yield Finding(
            "Engines",
            "FAIL",
            f"{named}: {page.reason}: {page.detail}",
            mapping.how_to_enable or "is the engine running?",
        )
        return
    parsed = parse_page(page.body, mapping.register_names | mapping.hint_names)
    seen = observe(parsed, source_of(setting, mapping))
    for fault in (seen.page_fault, *seen.faults):
        if fault is not None:
            yield Finding("Engines", "FAIL", f"{named}: {fault.reason}: {fault.detail}", "see the engine's version")
    for bug in mapping.bugs_of(seen.version):
        yield Finding("Engines", "warn", f"{named}: {seen.version}: {bug.what}", f"another version; see {bug.where}")
    if not seen.meters:
        yield Finding(
            "Engines",
            "warn",
            f"{named}: none of its series is on the page yet",
            "normal before the first request; else the endpoint is another engine",
        )
        return
    yield Finding("Engines", "ok", f"{named}: {_totals(seen)}")


def _served(setting: EndpointSetting, mapping: EngineMapping, served: Served) -> Iterator[Finding]:
    """Whose tokens the page counts, where it does not say itself."""
    where, fix = f"{mapping.title} at {setting.url}", 'set `model = "…"` on this endpoint'
    if not served.known:
        yield Finding("Engines", "FAIL", f"{where}: it does not say what it serves, and is not read before", fix)
    elif served.only is None:
        told = f"it serves {', '.join(served.models[:8])}" if served.models else "neither page nor engine names a model"
        yield Finding("Engines", "warn", f"{where}: {told}; its counts are of no named model", fix)
    else:
        yield Finding("Engines", "ok", f"{where}: it serves {served.only}")


def _totals(seen: Observation) -> str:
    totals: dict[str, int] = {}
    for meter in seen.meters:
        value = sum(part.value for part in meter.parts.values())
        totals[meter.key.quantity] = totals.get(meter.key.quantity, 0) + value
    models = f" of {', '.join(seen.models)}" if seen.models else ""
    return ", ".join(f"{quantity} {value:,}" for quantity, value in totals.items()) + models


def _spool(config: Config, clock: Clock) -> Iterator[Finding]:
    path = Path(config.state_path) / state.SPOOL_FILE
    if not path.exists():
        return
    try:
        fill = read_fill(path)
        alarm = read_alarm(path)
    except SpoolBroken as broken:
        yield Finding("Spool", "FAIL", str(broken), "check the disk, then: forecourt agent rejoin (the agent stopped)")
        return
    if alarm is not None:
        since = from_unix_ms(alarm.since_ms).strftime("%F %R UTC")
        yield Finding("Spool", "FAIL", f"since {since}: {alarm.detail}", ALARM_FIXES.get(alarm.code, OTHER_FIX))
    if fill.set_aside:
        what = f"{fill.set_aside} batches are set aside in {path.name}, table set_aside"
        yield Finding("Spool", "warn", what, "the server never took them: tell who runs it, and upgrade the agent")
    used_mib = fill.bytes_used / MIB
    age_h = 0.0 if fill.oldest_ms is None else (unix_ms(clock.now()) - fill.oldest_ms) / 3_600_000
    what = (
        f"{fill.batches} batches and {fill.pending_readings} readings wait, oldest {age_h:.1f} h of "
        f"{config.spool_hours_max} h, {used_mib:.1f} MiB of {config.spool_mib_max} MiB"
    )
    if used_mib >= config.spool_mib_max or age_h >= config.spool_hours_max:
        yield Finding("Spool", "FAIL", f"full: {what}", "new readings are refused until the server takes batches")
    elif age_h >= 1:
        yield Finding("Spool", "warn", what, "the server has not taken batches for a while: see Server above")
    else:
        yield Finding("Spool", "ok", what)
