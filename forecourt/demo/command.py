"""`forecourt demo`: the whole platform on a sample world, from a GPU server's counters to a paid invoice.

Numbered, because it is the one long flow of the demo:

1. Lay out the world and start the platform (database, broker, web, worker, beat), the Stripe double and the world.
2. Fill the books; enrol each node's agent with a one-time token.
3. Let the world's time pass: agents scrape, sign and ship; the gateway posts events; rollup makes usage hours.
4. Wait until everything is metered, then until the period is closed, invoices issued, pushed and paid.
5. Check every figure and write the report. With --once stop here; else follow the real clock and serve the portal.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from forecourt.demo import programs
from forecourt.demo.inputs import check_inputs
from forecourt.demo.options import read_options
from forecourt.demo.plan import Plan, make_plan, write_plan
from forecourt.demo.progress import Progress
from forecourt.embedded.folder import CannotStart
from forecourt.embedded.served import tell_address
from forecourt.embedded.stack import (
    Serving,
    address_of,
    beat_program,
    child_environ,
    parts,
    stopping_on_signals,
    web_program,
    with_free_port,
    worker_program,
)
from forecourt.embedded.supervisor import Supervisor
from forecourt.env import read_environment

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from forecourt.demo.report import Check
    from forecourt.demo.seeding import Seeded
    from forecourt.embedded.places import Places

POLL_S: Final = 0.2
METERED_TIMEOUT_S: Final = 600
# A worker killed while it talks to Stripe holds its invoice for five minutes, and a call whose answer was lost is
# looked for at Stripe two minutes later.
CLOSED_TIMEOUT_S: Final = 900
REPORT_TIMEOUT_S: Final = 120
MARK: Final = "sample-world"
T = TypeVar("T")


@dataclass
class Run:
    """One run of the demo: what it was asked for and what it holds."""

    options: argparse.Namespace
    folder: Path
    plan: Plan
    progress: Progress
    platform: Supervisor
    world: Supervisor
    fleet: Supervisor
    environ: dict[str, str] = field(default_factory=dict)
    address: str = ""
    stripe_port: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def wait(self, what: Callable[[], bool], timeout_s: float, name: str) -> None:
        """Tend the processes until `what` is so. Raises CannotStart when it does not come about."""
        deadline_s = time.monotonic() + timeout_s
        while not what():
            if self.platform.stop_was_asked:
                raise CannotStart("Stopped.")
            if time.monotonic() > deadline_s:
                raise CannotStart(
                    f"{name} did not come about within {timeout_s:.0f} s; logs are in {self.folder / 'log'}"
                )
            self.tend()
            time.sleep(POLL_S)

    def insist(self, work: Callable[[], T], timeout_s: float, name: str) -> T:
        """Do `work`, again from its beginning for as long as the database is away; return what it gives."""
        from forecourt.demo.waiting import answered  # Django must be set up

        given: list[T] = []
        self.wait(lambda: answered(lambda: given.append(work())), timeout_s, name)
        return given[-1]

    def tend(self) -> None:
        """One look at every process; note their ids for whoever wants to kill one."""
        self.platform.tend()
        self.world.tend()
        self.fleet.tend()
        pids = {**self.platform.pids(), **self.world.pids(), **self.fleet.pids()}
        waiting = self.folder / "pids.new"
        waiting.write_text(json.dumps(pids))
        waiting.replace(self.folder / "pids.json")


def main(argv: list[str]) -> int:
    """Run the demo; 0 when every check held (or, staying up, when it was ended), 1 otherwise."""
    options = read_options(argv)
    environment = read_environment(os.environ)
    folder = (options.data or environment.data_dir / "demo").resolve()
    plan = make_plan(
        seed=options.seed,
        requests=options.requests,
        now=datetime.now(UTC),
        ports=_free_ports(5),
        trace_dir=str(options.trace.resolve()) if options.trace else "",
        jobs_dir=str(options.jobs.resolve()) if options.jobs else "",
        days=options.days,
        until_now=not options.once,
    )
    check_inputs(plan)
    progress = Progress()
    platform, world, fleet = (Supervisor(say=progress.say) for _ in range(3))
    run = Run(options, folder, plan, progress, platform, world, fleet)
    with stopping_on_signals(run.platform), progress:
        _fresh_folder(folder)
        write_plan(plan, folder / "plan.json")
        (run.stripe_port,) = _free_ports(1)
        os.environ.update(
            FORECOURT_DATA_DIR=str(folder),
            STRIPE_SECRET_KEY=programs.STRIPE_KEY,
            STRIPE_WEBHOOK_SECRET=programs.STRIPE_WEBHOOK_SECRET,
            STRIPE_API_BASE=f"http://127.0.0.1:{run.stripe_port}",
        )
        environment = read_environment(os.environ)
        with parts(environment, run.platform) as places:
            try:
                serving = with_free_port(
                    Serving(port=options.port, web_processes=options.web, worker_processes=options.workers)
                )
                run.address = address_of(environment, serving)
                run.environ = child_environ(environment, os.environ, public_url=run.address)
                os.environ.update(run.environ)
                return _walk(run, places, serving)
            finally:
                run.fleet.stop()
                run.world.stop()


def _walk(run: Run, places: Places, serving: Serving) -> int:
    started_s = time.monotonic()
    world = _set_up(run, places, serving)
    set_up_s = time.monotonic()
    _pass_time(run)
    passed_s = time.monotonic()
    _close_and_pay(run)
    closed_s = time.monotonic()
    run.seconds = {
        "setup": round(set_up_s - started_s, 1),
        "run": round(passed_s - set_up_s, 1),
        "close": round(closed_s - passed_s, 1),
    }
    found = _report(run, world)
    failed = [check for check in found if not check.ok]
    for check in found:
        run.progress.check(check)
    if run.options.once:
        return 1 if failed else 0
    _stay(run, world)
    return 1 if failed else 0


def _set_up(run: Run, places: Places, serving: Serving) -> Seeded:
    """1. and 2.: the platform is up, the books are filled, every agent is enrolled."""
    with run.progress.step("Starting database, broker and web"):
        prepare = (sys.executable, "-m", "forecourt.embedded.prepare")
        run.platform.run("preparation", prepare, environ=run.environ, log=places.logs / "prepare.log")
        run.platform.start(programs.stripe_double(run.folder, run.stripe_port, run.environ))
        run.platform.start(web_program(places, run.environ, serving))
        tell_address(places, run.address)
        run.platform.start(worker_program(places, run.environ, serving))
        run.platform.start(beat_program(places, run.environ, serving))
        programs.ask(
            f"http://127.0.0.1:{run.stripe_port}/_double/webhooks",
            {"url": f"{run.address}/webhooks/stripe", "secret": programs.STRIPE_WEBHOOK_SECRET},
        )
    with run.progress.step("Enrolling agents, making contracts and leases"):
        _start_django()
        from forecourt.demo.limits import set_sample_limits  # Django must be set up
        from forecourt.demo.seeding import seed_contracts, seed_parties

        world = seed_parties(run.plan, datetime.now(UTC))
        for node in run.plan.nodes:
            _enrol(run, node.name, world.token(node, datetime.now(UTC)))
        seed_contracts(run.plan, world, datetime.now(UTC))
        set_sample_limits(world.parties.tenants, now=datetime.now(UTC))
        keys = run.folder / "gateway-keys.json"
        keys.touch(mode=0o600)
        keys.write_text(json.dumps(world.gateway_keys))
    return world


def _pass_time(run: Run) -> None:
    """3.: the world's time passes as fast as agents, gateway and platform follow."""
    run.world.start(programs.world(run.plan, run.folder, run.environ))
    for node in run.plan.nodes:
        run.fleet.start(programs.node(node.name, run.folder, run.environ, live=False))
    run.fleet.start(programs.gateway(run.folder, run.address, run.environ, live=False))
    with run.progress.bar("Metering", run.plan.end_ms - run.plan.from_ms) as bar:

        def passed() -> bool:
            state = programs.ask(f"{run.plan.world_url}/state")
            bar.at(state["now_ms"] - run.plan.from_ms, datetime.fromtimestamp(state["now_ms"] / 1000, UTC))
            return bool(state["now_ms"] >= run.plan.end_ms)

        run.wait(passed, METERED_TIMEOUT_S, "The end of the sample's time")
    with run.progress.step("Rolling up the last readings and events"):
        run.wait(lambda: bool(_counts(run).get("finished")), METERED_TIMEOUT_S, "The gateway's last event")
        from forecourt.demo.waiting import everything_is_rolled_up  # Django must be set up

        run.wait(lambda: everything_is_rolled_up(run.plan), METERED_TIMEOUT_S, "The last usage hour")


def _close_and_pay(run: Run) -> None:
    """4.: beat's sweeps close the period and push the invoices; each is then paid as a customer would."""
    from forecourt.demo.waiting import (
        all_are_paid,
        due_periods_are_closed,
        invoices_to_pay,
        periods_are_stored,
        sweep,
    )

    with run.progress.step("Closing the period and issuing invoices"):
        sweep("billing.tasks.charge_usage")
        run.wait(lambda: periods_are_stored(datetime.now(UTC)), CLOSED_TIMEOUT_S, "The billing periods")
        sweep("billing.tasks.close_periods")
        run.wait(lambda: due_periods_are_closed(datetime.now(UTC)), CLOSED_TIMEOUT_S, "The closing of the period")
    with run.progress.step("Paying the invoices through Stripe"):
        sent: set[str] = set()

        def paid() -> bool:
            for stripe_invoice in invoices_to_pay():
                # Between the payment and its webhook an invoice still waits: it is paid once all the same.
                if stripe_invoice in sent:
                    continue
                sent.add(stripe_invoice)
                programs.ask(f"http://127.0.0.1:{run.stripe_port}/_double/pay", {"invoice": stripe_invoice})
            return all_are_paid()

        run.wait(paid, CLOSED_TIMEOUT_S, "The payment of every invoice")


def _report(run: Run, world: Seeded) -> list[Check]:
    """5.: check every figure, and write the report where it was asked for."""
    with run.progress.step("Checking every figure"):
        document, found = run.insist(lambda: _figures(run, world), REPORT_TIMEOUT_S, "The report")
    if run.options.json:
        run.options.json.write_text(json.dumps(document, indent=2) + "\n")
    return found


def _figures(run: Run, world: Seeded) -> tuple[dict[str, Any], list[Check]]:
    from forecourt.demo import report  # Django must be set up

    found = report.checks(run.plan, world, run.plan.workload(), _counts(run))
    asked = programs.ask(f"http://127.0.0.1:{run.stripe_port}/_double/state")
    unlawful = "; ".join(asked["unlawful"]) or "none"
    found.append(report.equal("requests that Stripe's own package does not allow", unlawful, "none"))
    figures = report.token_figures(run.plan)
    document = {
        "tokens": figures,
        "events": {name: report.event_figures()[name] for name in ("sent", "accepted", "duplicates")},
        "gpu_seconds": report.gpu_seconds(),
        "invoices": report.invoice_figures(),
        "ledger": report.ledger_figures(),
        "residual": report.residual_figures(figures),
        "seconds": run.seconds,
        "checks": [asdict(check) for check in found],
    }
    return document, found


def _stay(run: Run, world: Seeded) -> None:
    """Follow the real clock from here on and serve until Ctrl-C."""
    # Agents and gateway have come to their end and only wait to be told.
    run.fleet.stop()
    run.fleet = live = Supervisor(say=run.progress.say)
    programs.ask(f"{run.plan.world_url}/live", {})
    for node in run.plan.nodes:
        live.start(programs.node(node.name, run.folder, run.environ, live=True))
    live.start(programs.gateway(run.folder, run.address, run.environ, live=True))
    run.progress.welcome(run.address, world.password, world.api_key)
    while not run.platform.stop_was_asked:
        run.tend()
        time.sleep(POLL_S)


def _enrol(run: Run, name: str, token: str) -> None:
    """Enrol a node as its owner would: by the agent's own command."""
    state_dir = run.folder / "agents" / name
    done = subprocess.run(
        [
            *(sys.executable, "-m", "forecourt.cli", "agent", "enroll", "--server", run.address),
            *("--token", token, "--name", name, "--state-dir", str(state_dir)),
        ],
        env=run.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CannotStart(f"agent enroll of {name} failed: {done.stderr or done.stdout}")


def _counts(run: Run) -> dict[str, Any]:
    file = run.folder / "gateway-counts.json"
    return json.loads(file.read_text()) if file.exists() else {}


def _start_django() -> None:
    import django  # settings read the environment that was just completed

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "forecourt.settings")

    django.setup()


def _fresh_folder(folder: Path) -> None:
    """Empty the folder of an earlier demo; refuse one that holds anything else."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            raise CannotStart(f"{folder} is not empty and no earlier demo's; give another one with --data.")
        from forecourt.embedded.leftovers import stop_leftovers
        from forecourt.embedded.places import places_of

        stop_leftovers(places_of(folder))
        shutil.rmtree(folder)
    (folder / "log").mkdir(parents=True)
    (folder / "agents").mkdir()
    (folder / MARK).touch()


PORTS: Final = range(15_000, 30_000)
"""Below those that systems give to outgoing connections, one of which could take a port before it is bound."""


def _free_ports(count: int) -> list[int]:
    """Return ports that were free just now, at random, so that two demos at once do not choose the same."""
    found: list[int] = []
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        if len(found) == count:
            break
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.append(port)
    return found
