"""One simulated GPU server: the real agent, on the world's clock and with simulated cards.

`python -m forecourt.demo.node --plan FILE --node NAME --state-dir DIR [--live]`. Everything but the clock and the
NVML child is the program that `forecourt agent run` is: keys, spool, scraping over HTTP, signing, shipping.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from forecourt.demo.plan import instant, read_plan, served_model
from forecourt.demo.simclock import WorldClock
from metering.agent.clock import Clock, SystemClock
from metering.agent.config import Config, EndpointSetting
from metering.agent.run import run

if TYPE_CHECKING:
    from datetime import datetime

HOUR_S: Final = 3600
LIVE_INTERVAL_S: Final = 10
SHIP_EVERY_HOURS: Final = 6


class EndingClock(WorldClock):
    """The world's clock, which ends the agent in order when the world's time is over."""

    def __init__(self, url: str, who: str, end_at: datetime) -> None:
        super().__init__(url, who)
        self._end_at = end_at

    def sleep_until(self, instant: datetime, stop: threading.Event) -> None:
        """Sleep in the world, at most to its end; sets `stop` there."""
        if self.now() >= self._end_at:
            stop.set()
        super().sleep_until(min(instant, self._end_at), stop)


class LiveClock(SystemClock):
    """The machine's clock, whose monotonic time goes on where the world's ended: no step is seen between them."""

    def __init__(self) -> None:
        self._offset_s = time.time() - time.monotonic()

    def monotonic_s(self) -> float:
        """The machine's monotonic clock, counted from 1970 like the world's."""
        return super().monotonic_s() + self._offset_s


def main(argv: list[str]) -> int:
    """Run the agent of a node of the plan until SIGTERM.

    At the world's end the agent reads once more, ships everything it holds and ends; the process stays, so that its
    supervisor does not start it again. One that could not ship everything ends, and goes on when it is started again.
    """
    parser = argparse.ArgumentParser(prog="python -m forecourt.demo.node")
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--node", required=True)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--live", action="store_true")
    options = parser.parse_args(argv)
    plan = read_plan(options.plan)
    node = plan.node(options.node)
    stop, asked = threading.Event(), threading.Event()

    def end(*_: object) -> None:
        stop.set()
        asked.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    clock: Clock = LiveClock() if options.live else EndingClock(plan.world_url, node.name, end_at=instant(plan.end_ms))
    # The world's hours pass in a tenth of a second, so it reads hourly: the longest interval there is.
    config = Config(
        state_dir=str(options.state_dir),
        interval_s=LIVE_INTERVAL_S if options.live else HOUR_S,
        ship_interval_s=LIVE_INTERVAL_S if options.live else SHIP_EVERY_HOURS * HOUR_S,
        # The world waits for nobody's backlog.
        ship_batches_per_s=1_000,
        flush_timeout_s=120,
        spool_hours_max=720,
        discover=False,
        status_port=0,
        endpoints=[
            EndpointSetting(
                url=one.url, engine=one.engine, model=served_model(one) if one.engine == "llamacpp" else None
            )
            for one in node.endpoints
        ],
    )
    child = [sys.executable, "-m", "forecourt.demo.nvml_child", "--plan", str(options.plan), "--node", node.name]
    if not run(config, clock=clock, ship_clock=SystemClock(), stop=stop, nvml_command=child):
        return 1
    asked.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
