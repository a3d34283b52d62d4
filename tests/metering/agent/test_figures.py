"""What the agent tells of itself, read by a strict reader of the text format."""

import re

import pytest

from metering.agent import AGENT_VERSION
from metering.agent.config import Config
from metering.agent.figures import Progress, health, metrics
from metering.agent.ship import ShipStatus
from metering.agent.spool import Fill
from metering.wire import Outcome

NOW_MS = 1_795_000_000_000
# Prometheus text format 0.0.4, one line at a time.
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (-?\d+(?:\.\d+)?(?:e[+-]\d+)?)")


def read(text: str) -> dict[tuple[str, str], float]:
    """(name, labels) → value; every rule of the format that a scraper holds is asserted."""
    assert text.endswith("\n")
    samples: dict[tuple[str, str], float] = {}
    described: set[str] = set()
    typed: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("# "):
            _, word, name, rest = line.split(" ", 3)
            assert re.fullmatch(NAME, name)
            if word == "HELP":
                assert name not in described
                described.add(name)
            else:
                assert (word, rest in {"counter", "gauge"}, name in typed) == ("TYPE", True, False)
                typed[name] = rest
            continue
        found = SAMPLE.fullmatch(line)
        assert found, line
        name = found[1]
        assert name in typed, "a sample before its type"
        assert name in described
        assert (typed[name] == "counter") == name.endswith("_total")
        assert (name, found[2] or "") not in samples
        samples[name, found[2] or ""] = float(found[3])
    return samples


def test_a_page_in_the_exact_format_of_prometheus() -> None:
    progress = Progress(at_s=0, ticks=12, readings=2**53, fill=Fill(7, 3, 4_096, NOW_MS - 90_000))
    progress.count([Outcome("endpoint", "http://e", 1, "timeout", "", 2), Outcome("spool", "", 1, "clock_jump", "", 1)])
    progress.count([Outcome("endpoint", "http://f", 1, "timeout", "", 1)])
    progress.endpoints_up = {('http://odd"name\\', "vllm"): False}
    shipping = ShipStatus(delivered_batches=5, alarm="node_revoked", alarm_detail="…", clock_ahead_s=-1.5)
    found = read(metrics(Config(), progress, shipping, NOW_MS))
    assert found["forecourt_agent_info", f'version="{AGENT_VERSION}"'] == 1
    assert found["forecourt_agent_readings_total", ""] == 2**53
    assert found["forecourt_agent_outcomes_total", 'subject="endpoint",reason="timeout"'] == 3
    assert found["forecourt_agent_endpoint_up", r'url="http://odd\"name\\",engine="vllm"'] == 0
    assert found["forecourt_agent_spool_oldest_seconds", ""] == 90
    assert found["forecourt_agent_spool_bytes_max", ""] == 1 << 30
    assert found["forecourt_agent_ship_alarm", 'code="node_revoked"'] == 1
    assert found["forecourt_agent_clock_ahead_seconds", ""] == -1.5


def test_a_fresh_agent_has_a_page_too() -> None:
    found = read(metrics(Config(), Progress(at_s=0), ShipStatus(), NOW_MS))
    assert ("forecourt_agent_ship_alarm", "") not in found
    assert found["forecourt_agent_ticks_total", ""] == 0


@pytest.mark.parametrize(
    ("progress", "shipping", "ok"),
    [
        (Progress(at_s=100), ShipStatus(), True),
        (Progress(at_s=64), ShipStatus(), False),
        (Progress(at_s=100, refused_ticks=1), ShipStatus(), False),
        (Progress(at_s=100), ShipStatus(alarm="out_of_chain", alarm_detail="…"), False),
        (Progress(at_s=100, reload_error="interval_s: …"), ShipStatus(), False),
        # An engine that is down is the engine's matter: told, and no fault of the agent.
        (Progress(at_s=100, endpoints_up={("http://e", "vllm"): False}), ShipStatus(), True),
    ],
)
def test_health_is_whether_someone_should_look(progress: Progress, shipping: ShipStatus, ok: bool) -> None:
    told = health("n", Config(), progress, shipping, 100)
    assert told["ok"] is ok
    assert told["endpoints_down"] == [url for url, _ in progress.endpoints_up]
