"""Where the long run happens: a database of its own that is copied and put back, and Stripe, which is not."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
from django.db import connection
from psycopg import sql

from billing.models import Difference, Invoice, Settlement
from billing.reconciling.looking import begin, look
from billing.reconciling.settling import WAYS, settle_difference
from billing.settlement import ACTIVE, settle
from tests.billing.collected import gateway_of
from tests.faults.money.simulation import Place, pay_by_bank

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.stripe_double.fixture import StripeDouble

BASE = "faults_base"
LOOKS_MAX = 6
STEPS_MAX = 40


def copy_database(url: str, name: str, template: str) -> None:
    """Make a database anew as a copy of another; nobody may be connected to either."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))


class Outside(Place):
    """Workers as threads with connections of their own, backups as copies of the database, payments through Stripe.

    Stripe knows real time, and nothing of our backups: what was paid and pushed there since stays.
    """

    stripe_ready = True

    def __init__(self, url: str, name: str, double: StripeDouble) -> None:
        self.url, self.name, self.double = url, name, double
        self.gateway = gateway_of(double)
        self.failed: list[str] = []
        self.settled: list[str] = []
        self._put(name, BASE)

    def _put(self, name: str, template: str) -> None:
        connection.close()
        copy_database(self.url, name, template)
        connection.settings_dict["NAME"] = self.name

    def at_once(self, acts: list[Callable[[], object]]) -> None:
        ready = threading.Barrier(len(acts))

        def work(act: Callable[[], object]) -> None:
            ready.wait()
            try:
                act()
            except Exception as error:  # noqa: BLE001  whatever it is, the run names it
                self.failed.append(f"{type(error).__name__}: {error}")
            finally:
                connection.close()

        threads = [threading.Thread(target=work, args=(act,)) for act in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not self.failed, self.failed
        self._push()

    def back_up(self) -> None:
        connection.close()
        copy_database(self.url, f"{self.name}_backup", self.name)

    def restore(self) -> None:
        self._put(self.name, f"{self.name}_backup")

    def pay(self, invoice: Invoice, now: datetime) -> None:
        """On the hosted page of Stripe; what it cannot take (a balance of nothing) comes by bank."""
        settlement = Settlement.objects.get(pk=invoice.pk)
        if not settlement.stripe_invoice_id:
            pay_by_bank(invoice, now)
            return
        if self.gateway.get_invoice(settlement.stripe_invoice_id).status != "paid":
            self.double.pay(settlement.stripe_invoice_id)
        self._push()

    def reconcile(self, now: datetime) -> None:
        """Nightly looks until nothing differs, each difference by its best way out."""
        del now
        for number in range(LOOKS_MAX):
            at = datetime.now(UTC) + timedelta(minutes=15 + number)
            run = begin(by="seeded", now=at)
            assert run is not None
            look(run=run, gateway=self.gateway, now=at)
            left = list(Difference.objects.filter(settled_at__isnull=True).order_by("kind", "pk"))
            if not left:
                return
            for one in left:
                self._take_out(one, at)
            self._push()
        left_over = Difference.objects.filter(settled_at__isnull=True)
        assert not left_over.exists(), [f"{one.kind}: {one.ours} / {one.theirs}" for one in left_over]

    def _take_out(self, difference: Difference, at: datetime) -> None:
        way = WAYS[difference.kind][0]
        # A sum is put right by what it is made of.
        if difference.kind == "balance" or not Difference.objects.filter(pk=difference.pk, settled_at=None).exists():
            return
        self.settled.append(f"{difference.kind} {way}")
        settle_difference(
            difference_id=difference.pk,
            way=way,
            note="after a restore" if way == "accept" else "",
            by="seeded",
            gateway=self.gateway,
            now=at,
        )

    def _push(self) -> None:
        """Let every settlement go as far as it goes; the clock of each moves as it asks."""
        for settlement in Settlement.objects.filter(state__in=ACTIVE).order_by("pk"):
            now = max(settlement.next_try_at, settlement.updated_at)
            for _ in range(STEPS_MAX):
                before = (settlement.state, settlement.attempts)
                settle(invoice_id=settlement.pk, gateway=self.gateway, now=now)
                settlement.refresh_from_db()
                if settlement.state not in ACTIVE or before == (settlement.state, settlement.attempts):
                    break
                now = max(now, settlement.next_try_at)
