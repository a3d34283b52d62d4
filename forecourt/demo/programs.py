"""The processes of the sample world, as the supervisor runs them."""

from __future__ import annotations

import http.client
import json
import sys
import urllib.request
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from forecourt.embedded.supervisor import Program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from forecourt.demo.plan import Plan

ROOT: Final = Path(__file__).resolve().parents[2]
ASK_TIMEOUT_S: Final = 10.0
STRIPE_KEY: Final = "sk_test_forecourt_demo"
STRIPE_WEBHOOK_SECRET: Final = "whsec_forecourt_demo_sample"  # noqa: S105  of the double on this machine


def stripe_double(folder: Path, port: int, environ: Mapping[str, str]) -> Program:
    """The stand-in for Stripe, which keeps its state in a journal."""
    return Program(
        name="stripe-double",
        argv=[
            sys.executable,
            "-m",
            "tests.fakes.stripe_double",
            "--port",
            str(port),
            "--state",
            str(folder / "stripe"),
        ],
        log=folder / "log" / "stripe-double.log",
        environ=environ,
        cwd=ROOT,
        ready=partial(answers, f"http://127.0.0.1:{port}/_double/state"),
    )


def world(plan: Plan, folder: Path, environ: Mapping[str, str]) -> Program:
    """The data centre: clock, inference servers, finished requests."""
    return Program(
        name="world",
        argv=[sys.executable, "-m", "forecourt.demo.world", "--plan", str(folder / "plan.json")],
        log=folder / "log" / "world.log",
        environ=environ,
        ready=partial(answers, f"{plan.world_url}/state"),
    )


def node(name: str, folder: Path, environ: Mapping[str, str], *, live: bool) -> Program:
    """A node's agent."""
    command = [sys.executable, "-m", "forecourt.demo.node", "--plan", str(folder / "plan.json"), "--node", name]
    return Program(
        name=f"agent-{name}",
        argv=[*command, "--state-dir", str(folder / "agents" / name), *(["--live"] if live else [])],
        log=folder / "log" / f"agent-{name}.log",
        environ=environ,
        ready=lambda: True,
        stop_timeout_s=150.0,
    )


def gateway(folder: Path, server: str, environ: Mapping[str, str], *, live: bool) -> Program:
    """The tenants' gateway."""
    return Program(
        name="gateway",
        argv=[
            *(sys.executable, "-m", "forecourt.demo.gateway", "--plan", str(folder / "plan.json")),
            *("--server", server, "--keys", str(folder / "gateway-keys.json")),
            *("--counts", str(folder / "gateway-counts.json"), *(["--live"] if live else [])),
        ],
        log=folder / "log" / "gateway.log",
        environ=environ,
        ready=lambda: True,
    )


def ask(url: str, body: object = None) -> Any:
    """Return the JSON that a local server of the demo answers; with a body it is posted."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310  loopback
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=ASK_TIMEOUT_S) as answer:
        return json.load(answer)


def answers(url: str) -> bool:
    """Say whether a local server answers."""
    try:
        ask(url)
    except (OSError, ValueError, http.client.HTTPException):
        return False
    return True
