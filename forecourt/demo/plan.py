"""The plan of the sample world: written once at the start, read by each of its processes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from forecourt.demo.cards import Card, make_cards
from forecourt.demo.workload import CHAT, CODE, SMALL, Request, model_of, replayed, seeded, with_small

H100: Final = "NVIDIA H100 80GB HBM3"
A100: Final = "NVIDIA A100-SXM4-80GB"
MEMORY_MIB: Final = {H100: 81_559, A100: 81_920}
CARDS_PER_NODE: Final = 8
JOB_NODES: Final = 10
MONTH_DAYS: Final = 31
# The lease of the worked case begins on the tenth at six; the replayed traces begin on the twelfth at fourteen.
LEASE_DAY: Final = timedelta(days=9, hours=6)
TRACE_DAY: Final = timedelta(days=11, hours=14)
HOUR: Final = timedelta(hours=1)
AFTER_MONTH: Final = timedelta(hours=2)


class PlannedEndpoint(msgspec.Struct, frozen=True):
    """A simulated inference server on a node: where it listens and whose requests it serves."""

    engine: str
    port: int
    stream: str
    turn: int
    turns: int
    """It serves every request of its stream whose number leaves `turn` when divided by `turns`."""

    @property
    def url(self) -> str:
        """Its base address, which is its name in every reading."""
        return f"http://127.0.0.1:{self.port}"


class PlannedNode(msgspec.Struct, frozen=True):
    """A simulated GPU server with a real agent."""

    name: str
    cluster: str
    card_model: str
    busy_percent: int
    endpoints: tuple[PlannedEndpoint, ...]


class Plan(msgspec.Struct, frozen=True):
    """Everything that makes a run: two runs of one plan are the same world."""

    seed: int
    requests: int
    month_from_ms: int
    """The first of the last whole month of 31 days."""
    month_to_ms: int
    """The end of that month: its billing period closes."""
    from_ms: int
    """The world's first instant: from here on its nodes are metered."""
    end_ms: int
    """The world's clock has caught up with the real one."""
    world_port: int
    nodes: tuple[PlannedNode, ...]
    trace_dir: str = ""
    jobs_dir: str = ""

    @property
    def world_url(self) -> str:
        """Where the world's own server listens."""
        return f"http://127.0.0.1:{self.world_port}"

    def node(self, name: str) -> PlannedNode:
        """Return a node by its name."""
        return next(node for node in self.nodes if node.name == name)

    def cards(self, node: PlannedNode) -> list[Card]:
        """Return a node's simulated cards."""
        return make_cards(
            node=node.name,
            count=CARDS_PER_NODE,
            model=node.card_model,
            memory_mib=MEMORY_MIB[node.card_model],
            busy_percent=node.busy_percent,
            seed=self.seed,
            started_ms=self.from_ms,
        )

    def workload(self) -> list[Request]:
        """Return every request of the run, in order of arrival."""
        from_at = instant(self.from_ms)
        if self.trace_dir:
            begins_at = max(instant(self.month_from_ms) + TRACE_DAY, from_at + HOUR)
            return with_small(replayed(Path(self.trace_dir), begins_at))
        month = seeded(
            seed=self.seed,
            from_at=from_at + timedelta(hours=2),
            to_at=instant(self.month_to_ms),
            count=self.requests,
            name="m",
        )
        # The month after it goes on until the world's end, so that the usage page has something of today.
        later_from = max(instant(self.month_to_ms), instant(self.end_ms) - timedelta(days=MONTH_DAYS))
        later_days = (instant(self.end_ms) - later_from) // timedelta(days=1)
        if not later_days:
            return with_small(month)
        later = seeded(
            seed=self.seed + 1,
            from_at=later_from,
            to_at=instant(self.end_ms),
            count=self.requests * later_days // MONTH_DAYS,
            name="n",
        )
        return with_small(month + later)


def instant(at_ms: int) -> datetime:
    """Return the UTC instant of Unix milliseconds."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)


def unix_ms(at: datetime) -> int:
    """Return the Unix milliseconds of an instant."""
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def last_month_of_31_days(now: datetime) -> tuple[datetime, datetime]:
    """Return the last month of 31 days that has ended by `now`, as UTC instants `[from, to)`."""
    to_at = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while True:
        from_at = (to_at - timedelta(days=1)).replace(day=1)
        if (to_at - from_at).days == MONTH_DAYS:
            return from_at, to_at
        to_at = from_at


def make_plan(
    *,
    seed: int,
    requests: int,
    now: datetime,
    ports: list[int],
    trace_dir: str = "",
    jobs_dir: str = "",
    days: int = MONTH_DAYS,
    until_now: bool = True,
) -> Plan:
    """Lay out the world: two clusters, four nodes with agents, four inference servers. `ports` are five free ones.

    Only the last `days` of the month are metered. The world goes on `until_now`, else it ends soon after the month.
    """
    # The world ends within the past, else its last readings would lie in the platform's future.
    month_from, month_to = last_month_of_31_days(now - AFTER_MONTH)
    from_at = month_to - timedelta(days=days)
    end_at = max(now, month_to + AFTER_MONTH) if until_now else month_to + AFTER_MONTH
    world, chat_a, chat_b, code, small = ports
    return Plan(
        seed=seed,
        requests=requests,
        month_from_ms=unix_ms(month_from),
        month_to_ms=unix_ms(month_to),
        from_ms=unix_ms(from_at),
        end_ms=unix_ms(end_at) // 1000 * 1000,
        world_port=world,
        nodes=(
            PlannedNode("north-h100-01", "sample-north", H100, 85, (PlannedEndpoint("vllm", chat_a, CHAT, 0, 2),)),
            PlannedNode(
                "north-h100-02",
                "sample-north",
                H100,
                80,
                (
                    PlannedEndpoint("vllm", chat_b, CHAT, 1, 2),
                    PlannedEndpoint("sglang", code, CODE, 0, 1),
                    PlannedEndpoint("llamacpp", small, SMALL, 0, 1),
                ),
            ),
            PlannedNode("south-h100-01", "sample-south", H100, 92, ()),
            PlannedNode("south-a100-01", "sample-south", A100, 60, ()),
        ),
        trace_dir=trace_dir,
        jobs_dir=jobs_dir,
    )


def requests_of(endpoint: PlannedEndpoint, requests: list[Request]) -> list[Request]:
    """Return the requests that an endpoint serves, in order of arrival."""
    stream = [one for one in requests if one.stream == endpoint.stream]
    return [one for number, one in enumerate(stream) if number % endpoint.turns == endpoint.turn]


def served_model(endpoint: PlannedEndpoint) -> str:
    """Return the name under which an endpoint serves its model."""
    return model_of(endpoint.stream)


def write_plan(plan: Plan, path: Path) -> None:
    """Store the plan for the world's processes."""
    path.write_bytes(msgspec.json.encode(plan))


def read_plan(path: Path) -> Plan:
    """Read the plan that `write_plan` stored."""
    return msgspec.json.decode(path.read_bytes(), type=Plan)
