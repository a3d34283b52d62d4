"""Tries the forecast of months on public traces: how often a month ended inside its 80 % range, and how far off it was.

    python -m bench.forecast /path/to/openb-gpu-2023 /path/to/azure-llm-2023

openb: GPU-hours held by day on a production cluster (149 days; all pods, by quality of service, by requested CPU), the
month's end foretold from its 6th, 11th, 16th, 21st and 26th day, for each day that a month of 30 days can end on. Its
first 110 days hold only pods that were still there later and hardly change; the last 39 are shown apart. azure: an hour
of requests; minutes stand for days, so it says how bursts are held, and nothing of weekdays.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from statistics import mean, median

from billing.budgets.forecast import forecast

DAY_S = 86_400
DAYS = 149
CHURNING_FROM = 110
MONTH = 30
FORETOLD_ON = (5, 10, 15, 20, 25)
KNOWN_MIN = 14
CPU_STEP = 8_000
CPU_GROUPS = 5


@dataclass
class Tried:
    """What came of the months of some series."""

    inside: int = 0
    ranged: int = 0
    without: int = 0
    off: list[float] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)

    def row(self, name: str) -> str:
        """Return it as a line of a table."""
        return (
            f"| {name} | {self.ranged:,} | {self.inside / self.ranged:.1%} | {mean(self.off):.1%} | "
            f"{median(self.widths):.0%} | {self.without:,} |"
        )


def months(series: dict[str, list[Decimal]], start: int = 0) -> Tried:
    """Foretell every month of series from `start` on, from several of its days."""
    tried = Tried()
    for days in series.values():
        for end in range(start + MONTH, len(days) + 1):
            for passed in FORETOLD_ON:
                _foretell(tried, days, end - MONTH + passed, end)
    return tried


def _foretell(tried: Tried, days: list[Decimal], at: int, end: int) -> None:
    known = days[:at]
    if len(known) < KNOWN_MIN or not any(known[-7:]):
        return
    spent = sum(days[end - MONTH : at], Decimal(0))
    found = forecast(known, spent=spent, today=Decimal(0), left=end - at)
    assert found is not None
    ended = sum(days[end - MONTH : end], Decimal(0))
    tried.off.append(float(abs(found.expected - ended) / ended))
    if found.low is None or found.high is None:
        tried.without += 1
        return
    tried.ranged += 1
    tried.inside += found.low <= ended <= found.high
    tried.widths.append(float((found.high - found.low) / found.expected))


def openb(folder: Path) -> dict[str, list[Decimal]]:
    """Return GPU-hours held by day, of all pods and of groups of them."""
    held: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * DAYS)
    with (folder / "openb_pod_list_default.csv").open() as file:
        for pod in csv.DictReader(file):
            gpus = Decimal(int(pod["num_gpu"]) * int(pod["gpu_milli"])) / 1000
            if gpus and pod["scheduled_time"]:
                groups = ("all", f"qos {pod['qos']}", f"cpu {min(int(pod['cpu_milli']) // CPU_STEP, CPU_GROUPS - 1)}")
                _hold(held, groups, gpus, (float(pod["scheduled_time"]), float(pod["deletion_time"])))
    return {name: days for name, days in held.items() if sum(1 for day in days[CHURNING_FROM:] if day) >= MONTH}


def _hold(held: dict[str, list[Decimal]], groups: tuple[str, ...], gpus: Decimal, span: tuple[float, float]) -> None:
    from_s, to_s = span
    day = int(from_s // DAY_S)
    while day * DAY_S < to_s and day < DAYS:
        seconds = min(to_s, (day + 1) * DAY_S) - max(from_s, day * DAY_S)
        for group in groups:
            held[group][day] += gpus * Decimal(int(seconds)) / 3600
        day += 1


def azure(folder: Path) -> dict[str, list[Decimal]]:
    """Return tokens by minute of two services, in and out; the first and last minutes are not whole."""
    found = {}
    for name in ("code", "conv"):
        counts: dict[int, list[int]] = defaultdict(lambda: [0, 0])
        with (folder / f"AzureLLMInferenceTrace_{name}.csv").open() as file:
            for request in csv.DictReader(file):
                hour, minute, _rest = request["TIMESTAMP"].split(" ")[1].split(":")
                tokens = counts[int(hour) * 60 + int(minute)]
                tokens[0] += int(request["ContextTokens"])
                tokens[1] += int(request["GeneratedTokens"])
        minutes = range(min(counts) + 1, max(counts))
        for place, kind in enumerate(("input", "output")):
            found[f"{name} {kind}"] = [Decimal(counts[minute][place]) for minute in minutes]
    return found


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main(openb_folder: str, azure_folder: str) -> None:
    """Print a table of what came of it."""
    held = openb(Path(openb_folder))
    churning = {name: days[CHURNING_FROM:] for name, days in held.items()}
    _say("| series | months tried | inside the 80 % range | mean error | median width | without a range |")
    _say("|---|---|---|---|---|---|")
    _say(months(held, start=MONTH).row(f"openb, {len(held)} series, 149 days"))
    _say(months(churning).row("openb, its last 39 days"))
    _say(months(azure(Path(azure_folder))).row("azure, minutes as days"))


if __name__ == "__main__":
    main(*sys.argv[1:])
