"""What a run of the sample world must come to: its figures, and the checks that say whether they are right."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.core.management import CommandError, call_command
from django.db.models import Count, Sum

from billing.models import (
    Invoice,
    InvoiceLine,
    InvoiceState,
    InvoiceSubline,
    LedgerEntry,
    LedgerPosting,
    SettlementState,
)
from forecourt.demo.joblist import is_public_openb
from forecourt.demo.plan import instant
from forecourt.demo.seeding import TENANT_OF_STREAM
from forecourt.demo.workload import CHAT, PUBLIC_ROWS, Request, Totals, totals, trace_rows
from metering.models import IngestCount, Quality, UsageHour, Witness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forecourt.demo.plan import Plan
    from forecourt.demo.seeding import Seeded

MONTH_LEASE_TOTAL: Final = Decimal("9813.60")
MONTH_LEASE_SECONDS: Final = 8 * 522 * 3600
# The public Azure traces of 2023, both files together, and the share of the conversation trace (worked cases).
TRACE_REQUESTS: Final = 28_185
TRACE_INPUT: Final = 40_421_844
TRACE_OUTPUT: Final = 4_334_561
TRACE_SHARE: Final = Decimal("5.01")
# The public openb list: thousandths of a GPU-second held by its scheduled GPU pods.
OPENB_GPU_MS: Final = 185_294_426_970
BILLABLE: Final = (Quality.ACTUAL, Quality.ESTIMATED, Quality.SUBSTITUTED)


@dataclass(frozen=True)
class Check:
    """One statement about the run, whether it holds, and the figures behind it."""

    name: str
    ok: bool
    detail: str


def equal(name: str, found: object, expected: object) -> Check:
    """Check that a figure is what it must be."""
    return Check(name, found == expected, f"{found}" if found == expected else f"found {found}, expected {expected}")


def token_figures(plan: Plan) -> dict[str, dict[str, str]]:
    """Tokens of the whole run by each witness, and those on the closed month's invoices."""
    return {
        "engine": _metered(plan, Witness.ENGINE),
        "gateway": _metered(plan, Witness.GATEWAY),
        "billed": _billed(),
    }


def _metered(plan: Plan, witness: Witness) -> dict[str, str]:
    rows = dict(
        UsageHour.objects.filter(witness=witness, quality__in=BILLABLE, from_at__gte=instant(plan.from_ms))
        .filter(from_at__lt=instant(plan.end_ms))
        .values_list("quantity")
        .annotate(tokens=Sum("value"))
    )
    return {"input": str(rows.get("input", 0)), "output": str(rows.get("output", 0))}


def _billed() -> dict[str, str]:
    rows = dict(
        InvoiceSubline.objects.filter(line__term_kind="token_share")
        .values_list("token_class")
        .annotate(tokens=Sum("quantity"))
    )
    whole = rows.get("input", Decimal(0)) + rows.get("cached_input", Decimal(0))
    return {"input": f"{whole:.0f}", "output": f"{rows.get('output', Decimal(0)):.0f}"}


def invoice_figures() -> list[dict[str, Any]]:
    """Every issued invoice with its lines."""
    invoices = Invoice.objects.exclude(state=InvoiceState.DRAFT).select_related("tenant").prefetch_related("lines")
    return [
        {
            "number": invoice.number,
            "tenant": invoice.tenant.slug,
            "kind": invoice.kind,
            "total": f"{invoice.total:.2f}",
            "currency": invoice.currency,
            "status": invoice.state,
            "lines": [
                {
                    "description": line.description,
                    "quantity": f"{line.quantity.normalize():f}",
                    "unit": line.unit,
                    "amount": f"{line.amount:.2f}",
                }
                for line in sorted(invoice.lines.all(), key=lambda line: line.position)
            ],
        }
        for invoice in invoices.order_by("number")
    ]


def event_figures() -> dict[str, int]:
    """What the platform did with the events it was sent: each is accepted, a duplicate or refused.

    Its own counts, not the gateway's: one that is killed, or whose answer is lost, cannot know what was accepted.
    """
    counted = IngestCount.objects.filter(kind="event").values_list("outcome").annotate(events=Sum("count"))
    by_outcome = {outcome: int(events) for outcome, events in counted}
    accepted, duplicates = by_outcome.get("accepted", 0), by_outcome.get("duplicate", 0)
    sent = sum(by_outcome.values())
    return {"sent": sent, "accepted": accepted, "duplicates": duplicates, "refused": sent - accepted - duplicates}


def gpu_seconds() -> str:
    """GPU-seconds on all lease lines."""
    total = InvoiceLine.objects.filter(term_kind="lease").aggregate(total=Sum("quantity"))["total"] or Decimal(0)
    return f"{total.normalize():f}"


def ledger_figures() -> dict[str, Any]:
    """Whether the books balance, by currency, and how many postings they hold."""
    sums = LedgerEntry.objects.values("currency").annotate(amount=Sum("amount"))
    return {"balanced": all(row["amount"] == 0 for row in sums), "postings": LedgerPosting.objects.count()}


def residual_figures(figures: dict[str, dict[str, str]]) -> dict[str, str]:
    """Gateway tokens less engine tokens."""
    return {name: str(int(figures["gateway"][name]) - int(figures["engine"][name])) for name in ("input", "output")}


def checks(plan: Plan, world: Seeded, requests: Sequence[Request], counts: dict[str, int]) -> list[Check]:
    """Everything that must hold after a run."""
    truth = totals(requests)
    month = totals(one for one in requests if one.done_ms < plan.month_to_ms)
    found = [*_token_checks(plan, truth, month), *_event_checks(truth, counts), *_lease_checks(plan, world)]
    if plan.trace_dir:
        found += _trace_checks(plan, truth)
    served = {TENANT_OF_STREAM[one.stream] for one in requests if one.done_ms < plan.month_to_ms}
    # Each tenant with tokens, the month's lease and the job list.
    return [*found, *_money_checks(plan, contracts_expected=len(served) + 2)]


def _token_checks(plan: Plan, truth: Totals, month: Totals) -> list[Check]:
    figures = token_figures(plan)
    expected = {"input": str(truth.input), "output": str(truth.output)}
    return [
        equal("engine tokens are the workload's", figures["engine"], expected),
        equal("gateway tokens are the workload's", figures["gateway"], expected),
        equal(
            "billed tokens are the month's", figures["billed"], {"input": str(month.input), "output": str(month.output)}
        ),
        equal("residual between the witnesses", residual_figures(figures), {"input": "0", "output": "0"}),
    ]


def _event_checks(truth: Totals, counts: dict[str, int]) -> list[Check]:
    figures = event_figures()
    return [
        equal("events accepted once each", figures["accepted"], truth.requests),
        Check(
            "events the gateway saw acknowledged are accepted or duplicates",
            counts["sent"] <= figures["accepted"] + figures["duplicates"],
            str(counts["sent"]),
        ),
        Check(
            "every tenth event was sent twice",
            figures["duplicates"] >= truth.requests // 10,
            str(figures["duplicates"]),
        ),
        equal("events refused", figures["refused"], 0),
    ]


def _lease_checks(plan: Plan, world: Seeded) -> list[Check]:
    month = InvoiceLine.objects.get(term_ref=world.leases["month"].ref)
    jobs = InvoiceLine.objects.get(term_ref=world.leases["jobs"].ref)
    found = [
        equal("8 × H100 from the 10th 06:00 of a 31-day month", f"{month.amount:.2f}", str(MONTH_LEASE_TOTAL)),
        equal("its GPU-seconds", int(month.quantity), MONTH_LEASE_SECONDS),
        equal("GPU-seconds of the job list", f"{jobs.quantity:,.3f}", _gpu_seconds(world.jobs.gpu_ms)),
    ]
    if plan.jobs_dir and is_public_openb(Path(plan.jobs_dir)):
        found.append(equal("GPU-seconds of the openb list", f"{jobs.quantity:,.3f}", _gpu_seconds(OPENB_GPU_MS)))
    return found


def _gpu_seconds(gpu_ms: int) -> str:
    return f"{Decimal(gpu_ms) / 1000:,.3f}"


def _trace_checks(plan: Plan, truth: Totals) -> list[Check]:
    rows = trace_rows(Path(plan.trace_dir))
    return [
        equal("requests are the trace's rows", truth.requests, sum(rows.values())),
        *(_public_trace_checks(plan, truth) if rows == PUBLIC_ROWS else []),
    ]


def _public_trace_checks(plan: Plan, truth: Totals) -> list[Check]:
    chat = InvoiceLine.objects.get(invoice__tenant__slug=f"sample-{CHAT}", term_kind="token_share")
    return [
        equal("requests of the Azure traces", truth.requests, TRACE_REQUESTS),
        equal("gateway input tokens of the Azure traces", _metered(plan, Witness.GATEWAY)["input"], str(TRACE_INPUT)),
        equal(
            "gateway output tokens of the Azure traces", _metered(plan, Witness.GATEWAY)["output"], str(TRACE_OUTPUT)
        ),
        equal("30 % share of the conversation trace", f"{chat.amount:.2f}", str(TRACE_SHARE)),
    ]


def _money_checks(plan: Plan, *, contracts_expected: int) -> list[Check]:
    collectable = Invoice.objects.exclude(settlement__state=SettlementState.BELOW_MINIMUM)
    by_state = dict(collectable.values_list("state").annotate(count=Count("id")))
    contracts = (
        Invoice.objects.filter(period__to_at__lte=instant(plan.month_to_ms)).values("contract").distinct().count()
    )
    said = StringIO()
    try:
        call_command("check_books", stdout=said, stderr=said)
    except (CommandError, SystemExit) as failed:
        books = Check("check_books", ok=False, detail=f"{failed} {said.getvalue()[-500:]}")
    else:
        books = Check("check_books", ok=True, detail=(said.getvalue().strip().splitlines() or ["done"])[-1])
    return [
        equal("contracts invoiced for the closed period", contracts, contracts_expected),
        equal("invoices, all paid", by_state, {InvoiceState.PAID.value: sum(by_state.values())}),
        equal("books balance", ledger_figures()["balanced"], expected=True),
        books,
    ]
