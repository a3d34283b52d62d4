"""What the running agent tells of itself: `/healthz` and `/metrics`. Pure but for the clock's reading in `Progress`."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from metering.agent import AGENT_VERSION
from metering.agent.config import Config
from metering.agent.ship import ShipStatus
from metering.agent.spool import Fill
from metering.agent.status import Labels, metrics_text
from metering.wire import Outcome

STALE_TICKS: Final = 3
PREFIX: Final = "forecourt_agent_"
_MIB: Final = 1 << 20


@dataclass(slots=True)
class Progress:
    """What the status page tells of the loop. `at_s` is the real monotonic clock at the last tick."""

    at_s: float
    ticks: int = 0
    readings: int = 0
    refused_ticks: int = 0
    clock_jumps: int = 0
    reloads: int = 0
    reload_error: str = ""
    fill: Fill = field(default_factory=lambda: Fill(0, 0, 0, None))
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    endpoints_up: dict[tuple[str, str], bool] = field(default_factory=dict)

    def count(self, outcomes: Iterable[Outcome]) -> None:
        """Add outcomes to the totals of `/metrics`."""
        for outcome in outcomes:
            self.outcomes[outcome.subject, outcome.reason] += outcome.count


def health(node: str, config: Config, progress: Progress, shipping: ShipStatus, now_s: float) -> dict[str, object]:
    """Whether the agent does its work at `now_s` of the real monotonic clock; `ok` false: someone should look."""
    age_s = now_s - progress.at_s
    stale = age_s > STALE_TICKS * config.interval_s + config.scrape_timeout_s
    return {
        "ok": not (stale or progress.refused_ticks or shipping.alarm or progress.reload_error),
        "node": node,
        "last_read_s_ago": round(age_s, 1),
        "spool_refusing": bool(progress.refused_ticks),
        "batches_waiting": progress.fill.batches,
        "shipping": shipping.alarm_detail or "ok",
        "settings": progress.reload_error or "ok",
        "endpoints_down": [url for (url, _), up in progress.endpoints_up.items() if not up],
    }


def metrics(config: Config, progress: Progress, shipping: ShipStatus, now_ms: int) -> str:
    """The agent's own figures as a Prometheus page; `now_ms` is the wall clock."""
    fill = progress.fill
    oldest_s = 0.0 if fill.oldest_ms is None else max(now_ms - fill.oldest_ms, 0) / 1_000
    up: Mapping[Labels, float] = {
        (("url", url), ("engine", engine)): float(is_up) for (url, engine), is_up in progress.endpoints_up.items()
    }
    outcomes: Mapping[Labels, float] = {
        (("subject", subject), ("reason", reason)): count for (subject, reason), count in progress.outcomes.items()
    }
    alarm: Mapping[Labels, float] = {(("code", shipping.alarm),): 1.0} if shipping.alarm else {}
    ahead: Mapping[Labels, float] = {} if shipping.clock_ahead_s is None else {(): shipping.clock_ahead_s}
    figures: dict[str, tuple[str, str, float | Mapping[Labels, float]]] = {
        "info": ("gauge", "The agent's version.", {(("version", AGENT_VERSION),): 1.0}),
        "ticks_total": ("counter", "Reads of everything.", progress.ticks),
        "readings_total": ("counter", "Register readings put on disk.", progress.readings),
        "outcomes_total": ("counter", "Reads that gave no reading, and events of metering itself.", outcomes),
        "endpoint_up": ("gauge", "1 if the endpoint's page was read well at the last tick.", up),
        "refusing": ("gauge", "Ticks refused in a row: full or broken spool.", progress.refused_ticks),
        "spool_bytes": ("gauge", "Bytes of the spool in use.", fill.bytes_used),
        "spool_bytes_max": ("gauge", "Bytes at which new readings are refused.", config.spool_mib_max * _MIB),
        "spool_oldest_seconds": ("gauge", "Age of the oldest evidence that waits.", oldest_s),
        "spool_seconds_max": ("gauge", "Age at which new readings are refused.", config.spool_hours_max * 3_600),
        "spool_batches": ("gauge", "Sealed batches not acknowledged.", fill.batches),
        "spool_readings": ("gauge", "Readings not sealed.", fill.pending_readings),
        "batches_shipped_total": ("counter", "Batches acknowledged.", shipping.delivered_batches),
        "batches_set_aside_total": ("counter", "Batches that the server will never take.", shipping.set_aside_batches),
        "readings_shipped_total": ("counter", "Readings acknowledged.", shipping.delivered_readings),
        "ship_failures_total": ("counter", "Tries that failed.", shipping.tries_failed),
        "ship_alarm": ("gauge", "1 while the server refuses a batch, by its code.", alarm),
        "clock_ahead_seconds": ("gauge", "This node's clock minus the server's, good to a second.", ahead),
        "clock_jumps_total": ("counter", "Steps of the wall clock.", progress.clock_jumps),
        "reloads_total": ("counter", "New settings taken.", progress.reloads),
        "reload_refused": ("gauge", "1 if the newest settings are wrong and not used.", bool(progress.reload_error)),
    }
    return metrics_text({PREFIX + name: figure for name, figure in figures.items()})
