"""One run of money with its faults: closes that die, that meet, that come too early or again, a night's backup."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from billing.books import check_books
from billing.charging import ensure_periods
from billing.closing import close_batch, close_due
from billing.dues import dues_of
from billing.models import BillingPeriod, Invoice, PeriodState
from billing.payments import PaymentMethod, record_payment
from billing.verifying import verify
from metering.models import Witness
from tests.billing.world import MODEL, Shared, World, make_world
from tests.factories import make_organization
from tests.faults.money.plan import HOUR, MINUTE, Plan, Used, truth

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

DAY = timedelta(days=1)


class Killed(BaseException):
    """The worker died here; nothing catches it, as nothing catches kill -9."""


class Place(ABC):
    """Where a run happens: what is beside its database."""

    stripe_ready = False

    @abstractmethod
    def at_once(self, acts: list[Callable[[], object]]) -> None:
        """Do things at the same time, as workers would, or one after the other where there is one connection."""

    @abstractmethod
    def back_up(self) -> None:
        """Keep the database as it is now."""

    @abstractmethod
    def restore(self) -> None:
        """Put the database back to where it was kept."""

    @abstractmethod
    def pay(self, invoice: Invoice, now: datetime) -> None:
        """Have an invoice paid in full."""

    @abstractmethod
    def reconcile(self, now: datetime) -> None:
        """After a restore: let the books follow what happened outside meanwhile."""


class Run:
    """A run of a plan at a place."""

    def __init__(self, plan: Plan, place: Place) -> None:
        self.plan, self.place = plan, place
        self.worlds: list[World] = []
        self.shared: list[Shared] = []
        self.died = 0

    def go(self) -> list[str]:
        """Run it and return what differs from the truth, and what does not hold."""
        self._agree()
        self._use([one for one in self.plan.used if not one.late])
        self._close(1)
        first = self.plan.bounds[1] + 4 * DAY
        self._pay(self.plan.paid_before, first)
        if self.plan.restored:
            self.place.back_up()
            self._second_month(first)
            self.place.restore()
            self.place.reconcile(first + DAY)
        self._second_month(first)
        return self.differences()

    def _second_month(self, first: datetime) -> None:
        """What comes late comes again after a restore: those who sent it were not told that it was kept."""
        self._use([one for one in self.plan.used if one.late], stored_at=first)
        self._pay(self.plan.paid_after, first)
        self._close(2)

    def _agree(self) -> None:
        plan, start = self.plan, self.plan.bounds[0]
        make_organization(f"operator-of-{plan.seed}", is_operator=True, is_tenant=False)
        rolled_to_at = plan.bounds[2] + 60 * DAY
        for number in range(plan.contracts):
            parties = (self.worlds[0].provider, make_organization(f"tenant-{plan.seed}-{number}")) if number else None
            world = make_world(
                time_zone=plan.zone,
                currency=plan.currency,
                from_at=start,
                tokens={(MODEL, "output"): str(plan.price_per_mtok)},
                parties=parties,
            )
            world.contract.operator_fee_percent = plan.fee_percent
            world.contract.save(update_fields=["operator_fee_percent"])
            self.worlds.append(world)
            self.shared.append(world.share(percent="100", witness=Witness.ENGINE, rolled_to_at=rolled_to_at, now=start))
        for lease in plan.leased:
            self.worlds[lease.contract].lease(
                1, from_at=lease.from_at, to_at=lease.to_at, price=str(plan.price_per_gpu_hour), now=start,
                rolled_to_at=rolled_to_at,
            )  # fmt: skip
        for world in self.worlds:
            ensure_periods(contract=world.contract, now=start)

    def _use(self, used: list[Used], *, stored_at: datetime | None = None) -> None:
        for one in used:
            tokens = {"output": one.tokens}
            self.shared[one.contract].use(tokens, at=one.at, to_at=one.at + MINUTE, version=2, stored_at=stored_at)

    def _close(self, month: int) -> None:
        """Sweeps before the month's end; closes that die; several at once; sweeps whose clock goes back and forth."""
        end = self.plan.bounds[month]
        self._sweep_by([clock for clock in self.plan.clocks if clock < timedelta(0)], end)
        for world in self.worlds:
            ensure_periods(contract=world.contract, now=end)
        for statement in self.plan.kills:
            self._killed_at(statement, end)
        self.place.at_once([lambda: self._sweep(end + HOUR) for _ in range(self.plan.closers)])
        self._sweep_by(self.plan.clocks, end)
        # Whoever was at a contract as another looked has left it by now.
        self._sweep(end + 6 * HOUR)

    def _sweep_by(self, clocks: Sequence[timedelta], end: datetime) -> None:
        for clock in clocks:
            open_ones = BillingPeriod.objects.filter(state=PeriodState.OPEN, to_at__gt=end + clock)
            before = set(open_ones.values_list("pk", flat=True))
            self._sweep(end + clock)
            assert before <= set(open_ones.values_list("pk", flat=True)), "a month was closed before it was over"

    def _sweep(self, now: datetime) -> None:
        close_due(now=now, stripe_ready=self.place.stripe_ready)

    def _killed_at(self, statement: int, now: datetime) -> None:
        due = BillingPeriod.objects.filter(state=PeriodState.OPEN, to_at__lte=now).order_by("to_at", "pk")
        ids = list(due.values_list("pk", flat=True))
        left = [statement]

        def die(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            left[0] -= 1
            if not left[0]:
                raise Killed
            return execute(sql, params, many, context)

        if not ids:
            return
        before = Invoice.objects.count()
        try:
            with transaction.atomic(), connection.execute_wrapper(die):
                close_batch(period_ids=ids, now=now, stripe_ready=self.place.stripe_ready)
        except Killed:
            self.died += 1
            assert Invoice.objects.count() == before, "a close that died left invoices"

    def _pay(self, contracts: frozenset[int], now: datetime) -> None:
        for invoice in self._first_bills(contracts):
            if dues_of(invoice).left > 0:
                self.place.pay(invoice, now)

    def _first_bills(self, contracts: frozenset[int]) -> list[Invoice]:
        """The bills of the first month; a contract in which nothing was used by then has none."""
        periods = [self.worlds[contract].period(self.plan.bounds[0]) for contract in sorted(contracts)]
        return list(Invoice.objects.filter(period__in=periods).order_by("number"))

    def differences(self) -> list[str]:
        """Return where invoices, numbers, books and evidence are not as they must be."""
        wrong: list[str] = []
        for (contract, month), expected in truth(self.plan).items():
            period = self.worlds[contract].period(self.plan.bounds[month])
            billed = sum((one.total for one in Invoice.objects.filter(period=period)), start=Decimal(0))
            if period.state != PeriodState.CLOSED or billed != expected:
                wrong.append(f"contract {contract} month {month}: {billed} {period.state}, expected {expected}")
        paid = self._first_bills(self.plan.paid_before | self.plan.paid_after)
        wrong += [f"{one.number} was paid and is owed {dues_of(one)}" for one in paid if dues_of(one).left]
        invoices = list(Invoice.objects.filter(issuer=self.worlds[0].provider))
        expected_numbers = [f"INV-{number:04d}" for number in range(1, len(invoices) + 1)]
        if sorted(str(one.number) for one in invoices) != expected_numbers:
            wrong.append(f"numbers {sorted(str(one.number) for one in invoices)}")
        wrong += [f"{check.name}: {one}" for check in check_books() for one in check.wrong]
        wrong += [f"{one.number}: {said}" for one in invoices for said in verify(one.evidence.document)]
        return wrong


def pay_by_bank(invoice: Invoice, now: datetime) -> None:
    """The whole of what is owed, by a transfer whose reference is its own: told again it is the same."""
    amount = dues_of(invoice).payable
    record_payment(
        invoice_id=invoice.pk,
        method=PaymentMethod.BANK_TRANSFER,
        reference=f"bank {invoice.number}",
        amount=amount,
        currency=invoice.currency,
        received_at=now,
        now=now,
    )
