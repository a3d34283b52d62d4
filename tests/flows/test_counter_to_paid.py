"""One walk from a counter on a GPU server to a paid invoice, and from the invoice back to the signed bytes.

The agent is the real program in processes of its own: it reads an inference server's page over HTTP and a simulated
NVML through its child, and ships to the platform's web server. The sweeps are called as Celery would call them, and
Stripe is the double, over HTTP in both directions.
"""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pytest
from django.db.models import Sum

from billing.contracting import add_lease, add_token_share, open_contract
from billing.models import (
    BillingPeriod,
    Charge,
    Contract,
    Invoice,
    InvoiceLine,
    InvoiceState,
    LedgerEntry,
    LedgerPosting,
    Payment,
    PeriodKind,
    PeriodState,
    PriceBook,
    Settlement,
    SettlementState,
)
from billing.pricing import publish_price_version
from billing.tasks import apply_stripe_events, charge_usage, close_periods, settle_invoices
from clusters.enrolment import issue_token
from clusters.models import Accelerator, Deployment, Endpoint, Node, Slice
from forecourt.demo.engines import Engine
from forecourt.demo.workload import Request
from metering.agent import keys
from metering.models import Batch, NodeCursor, Quality, UsageHour, Witness
from metering.tasks import rollup_batches
from metering.wire import FIRST_PREV_HASH, batch_hash, decode_batch, verify
from tests.billing.collected import WEBHOOK_SECRET, assert_paid_once, only_invoice_at
from tests.factories import make_cluster, make_deployment
from tests.fakes.engine_pages import PageServer, page
from tests.fakes.nvml import StubMachine, compile_stub
from tests.fakes.stripe_double.fixture import StripeDouble, stripe_double
from tests.faults.demo_run import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_django import Settings
    from pytest_django.live_server_helper import LiveServer

    from tests.factories import Cast

pytestmark = pytest.mark.django_db(transaction=True)
MODEL: Final = "sample-model"
INPUT, CACHED, OUTPUT = 2_000_000, 500_000, 400_001
TOKENS: Final = {"input": INPUT, "cached_input": CACHED, "output": OUTPUT}
PRICES: Final = {"input": Decimal("6.00"), "cached_input": Decimal("1.50"), "output": Decimal("16.00")}
SHARE: Final = Decimal(30)
GPU_HOUR: Final = Decimal("36.00")
ENERGY_MJ: Final = 3_600_000
DEADLINE_S: Final = 90


@dataclass
class GpuServer:
    """A node: its engine's page, its cards, and the agent on it."""

    engine: PageServer
    machine: StubMachine
    folder: Path
    counters: Engine

    def serve(self) -> None:
        """Show the counters as they are at each read."""
        self.engine.routes["/metrics"] = lambda: page(self.counters.page(time.time_ns() // 1_000_000))
        self.machine.play("gpus 1", "energy 0 1000000")

    def work(self) -> None:
        """Answer one large request, all of it before the next read."""
        now_ms = time.time_ns() // 1_000_000
        self.counters.add(Request("r", "chat", now_ms - 3, now_ms - 2, now_ms - 1, INPUT, CACHED, OUTPUT))
        self.machine.play("gpus 1", f"energy 0 {1_000_000 + ENERGY_MJ}")

    def agent(self, *arguments: str) -> subprocess.Popen[str]:
        """Start one of the agent's commands."""
        settings = {
            "FORECOURT_AGENT_STATE_DIR": str(self.folder),
            "FORECOURT_AGENT_ENDPOINTS": f"vllm={self.engine.url}",
            "FORECOURT_AGENT_INTERVAL_S": "1",
            "FORECOURT_AGENT_SHIP_INTERVAL_S": "1",
            "FORECOURT_AGENT_STATUS_PORT": "0",
        }
        return subprocess.Popen(
            [sys.executable, "-m", "metering.agent", *arguments],
            env={**environment(), **self.machine.environment, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @contextmanager
    def metering(self) -> Iterator[subprocess.Popen[str]]:
        """Run the agent, and end it in order, so that it ships everything."""
        agent = self.agent("run")
        try:
            yield agent
            agent.send_signal(signal.SIGTERM)
            said, _ = agent.communicate(timeout=DEADLINE_S)
            assert agent.returncode == 0, said
        finally:
            agent.kill()
            agent.communicate()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GpuServer]:
    started_ms = time.time_ns() // 1_000_000 - 60_000
    with PageServer() as engine:
        machine = StubMachine(compile_stub(tmp_path), tmp_path / "nvml-script")
        made = GpuServer(engine, machine, tmp_path / "agent", Engine("vllm", MODEL, [], started_ms))
        made.serve()
        yield made


@pytest.fixture
def double(live_server: LiveServer, settings: Settings) -> Iterator[StripeDouble]:
    with stripe_double() as running:
        settings.STRIPE_SECRET_KEY = running.SECRET_KEY
        settings.STRIPE_WEBHOOK_SECRET = WEBHOOK_SECRET
        settings.STRIPE_API_BASE = running.base_url
        running.deliver_to(f"{live_server.url}/webhooks/stripe", WEBHOOK_SECRET)
        yield running


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def shipped(quantity: str) -> list[int]:
    """The values of a register in the stored batches, in order."""
    batches = [decode_batch(bytes(each.body), each.content_encoding) for each in Batch.objects.order_by("seq")]
    columns = [column for each in batches for column in each.registers if column.meter.quantity == quantity]
    return [value for column in columns for value in column.values]


def meter(server: GpuServer, web: str, cast: Cast) -> tuple[Deployment, datetime, datetime]:
    """Enrol the server, meter one request on it; return what is billed and the span that was metered."""
    token = issue_token(cluster=make_cluster(cast.provider), now=datetime.now(UTC), valid_for=timedelta(hours=1))
    enrolled = server.agent("enroll", "--server", web, "--token", token.secret, "--name", "north-01")
    said, _ = enrolled.communicate(timeout=DEADLINE_S)
    assert enrolled.returncode == 0, said
    node = Node.objects.get(name="north-01")
    from_at = datetime.now(UTC).replace(microsecond=0)
    endpoint = Endpoint.objects.create(
        node=node,
        url=server.engine.url,
        engine="vllm",
        served_models=[MODEL],
        first_seen_at=from_at,
        last_seen_at=from_at,
    )
    deployment = make_deployment(cast.provider, cast.tenant, endpoint, MODEL)
    with server.metering():
        wait_for(lambda: 0 in shipped("output"))
        server.work()
        wait_for(lambda: OUTPUT in shipped("output") and 1_000_000 + ENERGY_MJ in shipped("energy_mj"))
        to_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
        wait_for(lambda: NodeCursor.objects.filter(node=node, metered_to_at__gt=to_at).exists())
    return deployment, from_at, to_at


def agree(cast: Cast, deployment: Deployment, from_at: datetime, to_at: datetime) -> Contract:
    """A contract over exactly the span: a share of the tokens' list price, and the card by the second."""
    book = PriceBook.objects.create(provider=cast.provider, name="Book", currency="USD", created_at=from_at)
    prices = {(MODEL, token_class): price for token_class, price in PRICES.items()}
    publish_price_version(book=book, effective_at=from_at, token_prices=prices, gpu_prices={}, now=from_at)
    contract = open_contract(
        provider=cast.provider,
        tenant=cast.tenant,
        currency="USD",
        time_zone="UTC",
        from_at=from_at,
        to_at=to_at,
        period_kind=PeriodKind.FIXED_LENGTH,
        period_length_s=int((to_at - from_at).total_seconds()),
        price_book=book,
        now=from_at,
    )
    add_token_share(
        contract=contract,
        deployments=[deployment],
        share_percent=SHARE,
        witness=Witness.ENGINE,
        from_at=from_at,
        to_at=to_at,
        now=from_at,
    )
    add_lease(
        contract=contract,
        slices=list(Slice.objects.filter(accelerator__node__name="north-01")),
        from_at=from_at,
        to_at=to_at,
        price_per_gpu_hour=GPU_HOUR,
        now=from_at,
    )
    return contract


def test_from_a_counter_to_a_paid_invoice_and_back(
    live_server: LiveServer, cast: Cast, server: GpuServer, double: StripeDouble
) -> None:
    """1. Metered, 2. charged and closed, 3. collected, 4. traced back from the line to the signed bytes."""
    deployment, from_at, to_at = meter(server, live_server.url, cast)
    contract = agree(cast, deployment, from_at, to_at)
    for sweep in (rollup_batches, charge_usage, close_periods):
        sweep()
    # What is swept again finds nothing to do.
    for sweep in (rollup_batches, charge_usage, close_periods):
        sweep()
    invoice = Invoice.objects.get(contract=contract)
    assert_invoice_is_right(invoice, seconds=int((to_at - from_at).total_seconds()))

    settle_invoices()
    assert Settlement.objects.get(pk=invoice.pk).state == SettlementState.WAIT
    double.pay(only_invoice_at(double, invoice)["id"])
    double.wait_delivered()
    apply_stripe_events()
    assert_paid_once(double, invoice)
    assert_books_balance(invoice)

    line = InvoiceLine.objects.get(invoice=invoice, term_kind="token_share")
    hours = hours_behind(line, deployment)
    batches = batches_behind(hours)
    assert_signed_by_the_node(batches, server.folder)
    assert_evidence_names_them(invoice, batches)


def assert_invoice_is_right(invoice: Invoice, seconds: int) -> None:
    """Tokens at list price less nothing, of which the share; the card for every second of the span."""
    assert BillingPeriod.objects.get(invoices=invoice).state == PeriodState.CLOSED
    uncached = (INPUT - CACHED) * PRICES["input"]
    base = (uncached + CACHED * PRICES["cached_input"] + OUTPUT * PRICES["output"]) / 1_000_000
    share = (base * SHARE / 100).quantize(Decimal("0.01"))
    lease = seconds * GPU_HOUR / 3600
    lines = {line.term_kind: line for line in invoice.lines.all()}
    assert (lines["token_share"].quantity, lines["token_share"].amount) == (Decimal(INPUT + OUTPUT), share)
    assert (lines["lease"].quantity, lines["lease"].amount) == (Decimal(seconds), lease)
    assert (invoice.state, invoice.total) == (InvoiceState.ISSUED, share + lease)
    energy = UsageHour.objects.filter(witness=Witness.ENERGY).aggregate(sum=Sum("value"))["sum"]
    assert energy == ENERGY_MJ
    assert Accelerator.objects.get().node.name == "north-01"


def assert_books_balance(invoice: Invoice) -> None:
    """One posting for the invoice and one for the payment, each balanced by itself."""
    postings = LedgerPosting.objects.all()
    causes = {("invoice", invoice.pk), ("payment", Payment.objects.get(invoice=invoice).pk)}
    assert set(postings.values_list("cause", "cause_id")) == causes
    for posting in postings:
        assert LedgerEntry.objects.filter(posting=posting).aggregate(sum=Sum("amount"))["sum"] == 0


def hours_behind(line: InvoiceLine, deployment: Deployment) -> list[UsageHour]:
    """From the line to its sublines, to the charges, to the usage hours: the same tokens at each."""
    sublines = {subline.token_class: subline.quantity for subline in line.sublines.all()}
    assert sublines == {"input": INPUT - CACHED, "cached_input": CACHED, "output": OUTPUT}
    charges = Charge.objects.filter(period=line.invoice.period, term_ref=line.term_ref)
    charged = dict(charges.values_list("token_class").annotate(tokens=Sum("quantity")))
    assert charged == sublines
    assert charges.aggregate(sum=Sum("amount"))["sum"] == line.exact_amount
    assert {charge.price_version_id for charge in charges} == {sub.price_version_id for sub in line.sublines.all()}
    hours = UsageHour.objects.filter(deployment=deployment, witness=Witness.ENGINE, quantity__in=TOKENS)
    inside = hours.filter(from_at__gte=line.from_at, to_at__lte=line.to_at, value__gt=0)
    assert dict(inside.values_list("quantity").annotate(tokens=Sum("value"))) == TOKENS
    assert {hour.quality for hour in inside} == {Quality.ACTUAL}
    assert not hours.exclude(pk__in=inside).filter(value__gt=0).exists()
    return list(inside)


def batches_behind(hours: list[UsageHour]) -> list[Batch]:
    """From the hours to the numbers of the batches, whose registers rose by just those tokens."""
    first = min(hour.first_batch_seq or 0 for hour in hours)
    last = max(hour.last_batch_seq or 0 for hour in hours)
    node = hours[0].meter.node
    batches = list(Batch.objects.filter(node=node, seq__gte=first, seq__lte=last).order_by("seq"))
    assert [batch.seq for batch in batches] == list(range(first, last + 1))
    for quantity, tokens in TOKENS.items():
        values = shipped(quantity)
        assert max(values) - min(values) == tokens
    return batches


def assert_signed_by_the_node(batches: list[Batch], folder: Path) -> None:
    """Every stored body verifies with the key that only the node has, and names the one before it."""
    public = keys.load(folder).public_key().public_bytes_raw()
    before = Batch.objects.filter(node=batches[0].node, seq=batches[0].seq - 1).first()
    previous = before.hash if before else FIRST_PREV_HASH
    for batch in batches:
        body = bytes(batch.body)
        assert bytes(batch.node.public_key or b"") == public
        assert verify(public, body, batch.signature)
        assert not verify(public, body[:-1] + bytes([body[-1] ^ 1]), batch.signature)
        assert (batch.prev_hash, decode_batch(body, batch.content_encoding).prev_hash) == (previous, previous)
        assert batch_hash(body) == batch.hash
        previous = batch.hash


def assert_evidence_names_them(invoice: Invoice, batches: list[Batch]) -> None:
    """The invoice's evidence file names the node and the hashes at both ends of the chain."""
    document = invoice.evidence.document
    assert hashlib.sha256(document.encode()).hexdigest() == invoice.evidence.sha256
    (named,) = json.loads(document)["batches"]
    assert (named["first_seq"], named["last_seq"]) == (batches[0].seq, batches[-1].seq)
    assert (named["first_hash"], named["last_hash"]) == (batches[0].hash, batches[-1].hash)
