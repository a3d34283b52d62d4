"""What the node agent costs: the real agent process on 4 engines over HTTP and 8 stub GPUs.

    python bench/agent.py [--seconds 60] [--interval 10]

Prints one JSON object: processor share of one core and resident memory of the agent and its NVML child, summed
(`rss_mib` counts pages that the two share twice, `pss_mib` once). Needs a C compiler for the NVML stub.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from metering.agent.enroll import enroll  # noqa: E402  the path is set just above
from tests.fakes.engine_pages import PageServer, page, recorded  # noqa: E402
from tests.fakes.nvml import StubMachine, compile_stub  # noqa: E402
from tests.metering.agent.batch_server import BatchServer  # noqa: E402

FILLER_LINES = 3_400
"""A real vLLM page has some 3,500 lines of which a dozen are read."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--interval", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, BatchServer() as server:
        engines = [PageServer() for _ in range(4)]
        for engine, name in zip(engines, ("vllm", "vllm", "sglang", "llamacpp"), strict=True):
            engine.__enter__()
            engine.routes["/metrics"] = page(recorded(name) + filler())
        try:
            figures = measure(Path(folder), server, engines, arguments.seconds, arguments.interval)
        finally:
            for engine in engines:
                engine.__exit__(None, None, None)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 0


def filler() -> str:
    """Lines of the kind that the agent has to pass over."""
    buckets = (
        f'vllm:e2e_request_latency_seconds_bucket{{engine="0",le="{n}",model_name="some/model-name"}} {n}.0\n'
        for n in range(FILLER_LINES)
    )
    return "".join(buckets)


def measure(
    folder: Path, server: BatchServer, engines: list[PageServer], seconds: int, interval: int
) -> dict[str, object]:
    """Run the agent for `seconds` after its start and read its cost from /proc."""
    machine = StubMachine(compile_stub(folder), folder / "script")
    with httpx.Client() as client:
        enroll(
            server=server.url,
            token="good-token",  # noqa: S106  the stub server's token
            node_name="bench",
            state_dir=folder / "state",
            boot_id="bench",
            client=client,
        )
    names = ("vllm", "vllm", "sglang", "llamacpp")
    endpoints = ",".join(f"{name}={engine.url}" for name, engine in zip(names, engines, strict=True))
    environment = {
        **os.environ,
        **machine.environment,
        "PYTHONPATH": str(ROOT),
        "FORECOURT_AGENT_ENDPOINTS": endpoints,
        "FORECOURT_AGENT_INTERVAL_S": str(interval),
        "FORECOURT_AGENT_STATUS_PORT": "0",
    }
    agent = subprocess.Popen(  # noqa: S603  our own agent
        [sys.executable, "-m", "metering.agent", "run", "--state-dir", str(folder / "state")], env=environment
    )
    try:
        wait_for_first_batch(server)
        before_s, started_s = cpu_s(agent.pid), time.monotonic()
        time.sleep(seconds)
        used_s, elapsed_s = cpu_s(agent.pid) - before_s, time.monotonic() - started_s
        memory = {name: round(sum(figure), 1) for name, figure in memory_mib(agent.pid).items()}
    finally:
        agent.send_signal(signal.SIGTERM)
        agent.wait(timeout=30)
    readings = sum(len(column.values) for batch in server.batches for column in batch.registers)
    return {
        "gpus": 8,
        "engines": len(engines),
        "interval_s": interval,
        "seconds": round(elapsed_s, 1),
        "cpu_percent_of_one_core": round(100 * used_s / elapsed_s, 3),
        **memory,
        "readings_shipped": readings,
        "body_bytes_per_reading": round(sum(map(len, server.bodies.values())) / max(readings, 1), 1),
    }


def wait_for_first_batch(server: BatchServer) -> None:
    """The agent has started, read once and shipped."""
    deadline_s = time.monotonic() + 30
    while not server.bodies:
        if time.monotonic() > deadline_s:
            raise TimeoutError("the agent shipped nothing")
        time.sleep(0.05)


def family(pid: int) -> list[int]:
    """A process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(int(child) for child in children)]


def cpu_s(pid: int) -> float:
    """Processor seconds of a process and its children, user and system."""
    total = 0.0
    for member in family(pid):
        fields = Path(f"/proc/{member}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def memory_mib(pid: int) -> dict[str, list[float]]:
    """Resident and proportional memory of a process and its children."""
    figures: dict[str, list[float]] = {"rss_mib": [], "pss_mib": []}
    for member in family(pid):
        rollup = Path(f"/proc/{member}/smaps_rollup").read_text(encoding="ascii")
        for name, field in (("rss_mib", "Rss:"), ("pss_mib", "Pss:")):
            figures[name].append(int(rollup.split(field)[1].split()[0]) / 1024)
    return figures


if __name__ == "__main__":
    sys.exit(main())
