"""One fault run: agent, gateway and server through two hours of a workload, with everything that a plan holds.

1. Each tick the servers go on, the agent reads, and every so often it seals and sends, as the plan lets it.
2. The gateway reports what was done, as the plan lets it.
3. The sweeps run when the plan says, and are killed when it says.
4. At the end nothing fails any more: all is read, sent and rolled up.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from clusters.models import Node
from metering.agent.delivery import Delivered, Refused
from metering.agent.state import Identity
from metering.event_models import EventCall, WaitingEvents
from metering.models import Quality, UsageHour, Witness
from metering.rollup import roll_up_node
from metering.rollup_events import ChunkFailed, roll_up_events
from tenants.api_keys import issue_key
from tests import factories
from tests.faults.metering.network import Struck, Way, struck_at
from tests.faults.metering.node import CLOCK_AHEAD_MS, CLOCK_BEHIND_MS, MODEL, Killed, NodeAgent, url_of
from tests.faults.metering.workload import HOUR_MS, KINDS, TICKS, Figures, make_workload

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from clusters.models import Deployment
    from forecourt.demo.workload import Request
    from metering.agent.spool import SealedBatch
    from tests.faults.metering.plan import EventFault, KillFault, Plan, SendFault, ServerFault
    from tests.faults.metering.workload import Workload

SEAL_TICKS: Final = 4
SENDS_MAX: Final = 400
BILLED: Final = (Quality.ACTUAL, Quality.ESTIMATED, Quality.SUBSTITUTED)
SERVER: Final = "http://testserver"
EVENTS_PATH: Final = f"{SERVER}/api/v1/events"


def run_start(now: datetime) -> int:
    """Tick 0 of a run that is over now, Unix ms."""
    end = now.replace(minute=0, second=0, microsecond=0)
    return int((end - timedelta(hours=2)).timestamp()) * 1_000


@dataclass
class Ended:
    """What a run came to: tokens billed by each witness, what was answered, and what waits at the end."""

    engine: Figures
    gateway: Figures
    answers: Counter[str] = field(default_factory=Counter)


class Run:
    """A node, a gateway and their organizations, newly made."""

    def __init__(self, name: str, seed: int, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.workload: Workload = make_workload(seed, run_start(datetime.now(UTC)))
        self.answers: Counter[str] = Counter()
        self._draw = random.Random(f"run {seed}")
        self._way = Way(get_wsgi_application())
        self._client = httpx.Client(transport=self._way)
        self._sent: list[SealedBatch] = []
        self._seen: list[dict[str, object]] = []
        self._reports: list[list[dict[str, object]]] = []
        self._make_rows(name, folder)

    def _make_rows(self, name: str, folder: Path) -> None:
        provider = factories.make_organization(f"{name}-provider", is_provider=True, is_tenant=False)
        tenant = factories.make_organization(f"{name}-tenant")
        key = Ed25519PrivateKey.generate()
        node = factories.make_node(
            factories.make_cluster(provider, f"{name}-1"), name, key.public_key().public_bytes_raw()
        )
        enrolled_at = datetime.fromtimestamp(self.workload.start_ms / 1_000, UTC) - timedelta(minutes=1)
        Node.objects.filter(id=node.id).update(enrolled_at=enrolled_at, created_at=enrolled_at)
        self.deployments: dict[str, Deployment] = {}
        for kind in KINDS:
            endpoint = factories.make_endpoint(node, MODEL, url_of(kind))
            self.deployments[kind] = factories.make_deployment(provider, tenant, endpoint, MODEL)
        secret = issue_key(
            organization=tenant, name="gateway", scopes=["events:write"], actor="test", now=timezone.now()
        ).secret
        self._gateway_headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        self.node_id: UUID = node.id
        self._tenant_id: UUID = tenant.id
        self._agent = NodeAgent(folder, Identity(SERVER, str(node.id), "sample"), key, self.workload)

    def go(self) -> Ended:
        """Everything, to the end."""
        for tick in range(TICKS + 1):
            self._agent_tick(tick)
            self._gateway_tick(tick)
            self._server_tick(tick)
        self._finish()
        return Ended(self._figures(Witness.ENGINE), self._figures(Witness.GATEWAY), self.answers)

    # The agent

    def _agent_tick(self, tick: int) -> None:
        plan, agent = self.plan, self._agent
        agent.servers.turn(tick, plan)
        if plan.window("agent_down", tick):
            return
        agent.keep_room(full=plan.window("spool_full", tick))
        at_ms = self.workload.at_ms(tick)
        at_ms += CLOCK_AHEAD_MS if plan.window("clock_ahead", tick) else 0
        at_ms -= CLOCK_BEHIND_MS if plan.window("clock_behind", tick) else 0
        try:
            self._read_seal_send(tick, at_ms, dict(plan.kills).get(tick))
        except Killed:
            agent.restart()

    def _read_seal_send(self, tick: int, at_ms: int, kill: KillFault | None) -> None:
        """What the agent does in a tick. Raises Killed."""
        self._agent.read(at_ms, kill)
        if tick % SEAL_TICKS and kill is None:
            return
        self._agent.seal(at_ms)
        if kill != "after_seal":
            self._ship(tick)
        if kill is not None:
            raise Killed

    def _ship(self, tick: int) -> None:
        """Send what waits, in order, until something fails; the next time begins with the same bytes."""
        faults = [fault for at, fault in self.plan.sends if tick - SEAL_TICKS < at <= tick]
        self._way.cut = self.plan.cut(tick)
        strike = next((number for at, what, number in self.plan.server if what == "ingest_killed" and at == tick), None)
        for fault in faults:
            self._send_with(fault)
        if strike is not None and (batch := self._agent.spool.head()) is not None:
            with struck_at(strike):
                self._note(batch, acknowledge=True)
        while (batch := self._agent.spool.head()) is not None and self._note(batch, acknowledge=True):
            continue

    def _send_with(self, fault: SendFault) -> None:
        head = self._agent.spool.head()
        if fault == "sent_again" and self._sent:
            self._note(self._draw.choice(self._sent), acknowledge=False)
        elif fault == "out_of_order" and head is not None:
            later = self._agent.spool.batch(head.seq + 1)
            if later is not None:
                self._note(later, acknowledge=False)
        elif head is not None and fault not in {"sent_again", "out_of_order"}:
            self._way.fault = fault
            self._note(head, acknowledge=True)

    def _note(self, batch: SealedBatch, *, acknowledge: bool) -> bool:
        """Send a batch; True if the server has it."""
        result = self._agent.send(self._client, batch)
        if isinstance(result, Delivered):
            self.answers["delivered"] += 1
            self._sent.append(batch)
            if acknowledge:
                self._agent.spool.acknowledge(batch.seq)
            return True
        self.answers[result.code if isinstance(result, Refused) else result.reason] += 1
        return False

    # The gateway

    def _gateway_tick(self, tick: int) -> None:
        self._seen += [self._event(kind, one) for kind in KINDS for one in self.workload.requests[kind][tick]]
        if tick % SEAL_TICKS:
            return
        if self._seen:
            self._reports.append(self._seen)
            self._seen = []
        if self.plan.cut(tick):
            return
        faults = [fault for at, fault in self.plan.events if tick - SEAL_TICKS < at <= tick]
        strike = next((number for at, what, number in self.plan.server if what == "events_killed" and at == tick), None)
        for call in list(self._reports):
            for fault in faults:
                self._report_with(fault, call)
            if strike is not None:
                with struck_at(strike):
                    self._report(call)
            if self._report(call):
                self._reports.remove(call)

    def _event(self, kind: str, one: Request) -> dict[str, object]:
        at = datetime.fromtimestamp(one.at_ms / 1_000, UTC).isoformat()
        counts = {"input": one.input, "cached_input": one.cached_input, "output": str(one.output)}
        named = {"deployment": self.deployments[kind].slug, "model": MODEL, "occurred_at": at}
        return {"id": one.id, "source": f"gateway-{kind}", **named, **counts}

    def _report_with(self, fault: EventFault, call: list[dict[str, object]]) -> None:
        if fault == "twice":
            self._report([*call, *call])
        elif fault == "shuffled":
            self._report(self._draw.sample(call, len(call)))
        elif fault == "altered":
            # What arrives first counts; other content under its id is a conflict and changes nothing.
            self._report(call)
            self._report([{**call[0], "output": 399_999}])
        else:
            self._way.fault = fault
            self._report(call)

    def _report(self, call: list[dict[str, object]]) -> bool:
        self._way.cut = False
        try:
            answer = self._client.post(EVENTS_PATH, content=json.dumps(call), headers=self._gateway_headers)
        except httpx.TransportError:
            return False
        self.answers[f"events {answer.status_code}"] += 1
        return answer.status_code == httpx.codes.OK

    # The server's sweeps

    def _server_tick(self, tick: int) -> None:
        for at, what, number in self.plan.server:
            if at == tick:
                self._disturb(what, number)
        if tick in self.plan.rollups:
            self._roll_up()

    def _disturb(self, what: ServerFault, number: int) -> None:
        if what == "two_workers":
            workers = [threading.Thread(target=self._roll_up_apart) for _ in range(2)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        elif what in {"rollup_killed", "event_rollup_killed"}:
            try:
                with struck_at(number):
                    if what == "rollup_killed":
                        roll_up_node(node_id=self.node_id, now=timezone.now(), chunk_batches=3)
                    else:
                        roll_up_events(now=timezone.now())
            except (Struck, ChunkFailed):
                self.answers[what] += 1

    def _roll_up_apart(self) -> None:
        try:
            self._roll_up(chunk_batches=2)
        finally:
            connection.close()

    def _roll_up(self, chunk_batches: int = 16) -> None:
        more = True
        while more:
            done = roll_up_node(node_id=self.node_id, now=timezone.now(), chunk_batches=chunk_batches)
            more = done is not None and done.more
        while roll_up_events(now=timezone.now()):
            continue

    # The end

    def _finish(self) -> None:
        self._way.cut, self._way.fault = False, None
        self._agent.seal(self.workload.at_ms(TICKS))
        for _ in range(SENDS_MAX):
            batch = self._agent.spool.head()
            if batch is None:
                break
            assert self._note(batch, acknowledge=True), self.answers
        assert self._agent.spool.head() is None
        for call in self._reports:
            assert self._report(call)
        self._roll_up()
        # Another run's worker may hold some of these calls, and be killed with them.
        while self._waits():
            time.sleep(0.02)
            self._roll_up()
        self._agent.spool.close()
        self._client.close()

    def _waits(self) -> bool:
        calls = EventCall.objects.filter(reporter_id=self._tenant_id).values("id")
        return WaitingEvents.objects.filter(call__in=calls).exists()

    def _figures(self, witness: Witness) -> Figures:
        by_id = {deployment.id: kind for kind, deployment in self.deployments.items()}
        start = datetime.fromtimestamp(self.workload.start_ms / 1_000, UTC)
        figures: Figures = Counter()
        rows = (
            UsageHour.objects.filter(deployment__in=by_id, witness=witness, quality__in=BILLED)
            .filter(quantity__in=("input", "cached_input", "output"))
            .values_list("deployment_id", "quantity", "hour_at")
            .annotate(total=Sum("value"))
        )
        for deployment_id, quantity, hour_at, total in rows:
            hour = (hour_at - start) // timedelta(milliseconds=HOUR_MS)
            figures[by_id[deployment_id], quantity, hour] += int(total)
        return +figures
