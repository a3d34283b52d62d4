"""One simulated GPU server: the real agent, on the world's clock and with simulated cards.

`python -m forecourt.demo.node --plan FILE --node NAME --state-dir DIR [--live]`. Everything but the clock and the
NVML child is the program that `forecourt agent run` is: keys, spool, scraping over HTTP, signing, shipping.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path
from typing import Final

from forecourt.demo.plan import read_plan, served_model
from forecourt.demo.simclock import WorldClock
from metering.agent.clock import Clock, SystemClock
from metering.agent.config import Config, EndpointSetting
from metering.agent.run import run

HOUR_S: Final = 3600
LIVE_INTERVAL_S: Final = 10
SHIP_EVERY_HOURS: Final = 6


def main(argv: list[str]) -> int:
    """Run the agent of a node of the plan until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m forecourt.demo.node")
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--node", required=True)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--live", action="store_true")
    options = parser.parse_args(argv)
    plan = read_plan(options.plan)
    node = plan.node(options.node)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    clock: Clock = SystemClock() if options.live else WorldClock(plan.world_url, node.name)
    # The world's hours pass in a tenth of a second, so it reads hourly: the longest interval there is.
    config = Config(
        state_dir=str(options.state_dir),
        interval_s=LIVE_INTERVAL_S if options.live else HOUR_S,
        ship_interval_s=LIVE_INTERVAL_S if options.live else SHIP_EVERY_HOURS * HOUR_S,
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
    return run(config, clock=clock, ship_clock=SystemClock(), stop=stop, nvml_command=child)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
