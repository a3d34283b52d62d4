"""The sweeps of collecting: what they leave alone, what they get over, and kill -9 in the middle of a call."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from django.db import connection

from billing.models import Collection, Settlement, SettlementState, StripeEvent
from billing.settlement import LEASE_S
from billing.tasks import apply_stripe_events, settle_invoices
from tests.billing.collected import WEBHOOK_SECRET, add_card, assert_paid_once, begin
from tests.billing.issued import ISSUED_AT, make_issued

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_django import Settings

    from billing.models import Invoice
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60
POSTS = (
    "/v1/customers",
    "/v1/invoices",
    "/v1/invoices/{invoice}/add_lines",
    "/v1/invoices/{invoice}/finalize",
    "/v1/invoices/{invoice}/pay",
)


@pytest.fixture
def account(settings: Settings, double: StripeDouble) -> StripeDouble:
    settings.STRIPE_SECRET_KEY = double.SECRET_KEY
    settings.STRIPE_WEBHOOK_SECRET = WEBHOOK_SECRET
    settings.STRIPE_API_BASE = double.base_url
    return double


def keep(event_id: str, object_id: str = "in_gone", event_type: str = "invoice.updated") -> None:
    StripeEvent.objects.create(
        event_id=event_id, type=event_type, object_id=object_id, payload={}, received_at=ISSUED_AT
    )


def state_of(invoice: Invoice) -> str:
    return Settlement.objects.get(pk=invoice.pk).state


def test_one_sweep_takes_an_invoice_as_far_as_it_goes(account: StripeDouble) -> None:
    invoice = make_issued(collection=Collection.CHARGE_AUTOMATICALLY)
    add_card(account, invoice)
    begin(invoice)
    settle_invoices(left_over_argument=1)
    assert_paid_once(account, invoice)


def test_a_row_that_breaks_is_logged_and_does_not_stop_the_others(
    account: StripeDouble, caplog: pytest.LogCaptureFixture
) -> None:
    broken, sound = make_issued(), make_issued()
    begin(broken)
    # A row that no step of ours can leave behind.
    Settlement.objects.filter(pk=broken.pk).update(state=SettlementState.GUARD)
    begin(sound)
    settle_invoices()
    assert (state_of(broken), state_of(sound)) == (SettlementState.GUARD, SettlementState.WAIT)
    assert Settlement.objects.get(pk=broken.pk).next_try_at.timestamp() > time.time() + LEASE_S / 2
    assert str(broken.pk) in caplog.text


def test_without_stripe_the_sweeps_leave_everything(settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY = ""
    invoice = make_issued()
    begin(invoice)
    keep("evt_1")
    settle_invoices()
    apply_stripe_events()
    assert state_of(invoice) == SettlementState.CUSTOMER
    assert StripeEvent.objects.get().processed_at is None


def test_while_stripe_is_away_a_sweep_of_events_ends_early_and_loses_none(account: StripeDouble) -> None:
    for number in range(5):
        keep(f"evt_{number}")
    # The gateway asks three times before it gives up.
    account.faults({"status": 503, "times": 9})
    apply_stripe_events()
    tried = StripeEvent.objects.exclude(outcome="")
    assert (tried.count(), tried.filter(processed_at__isnull=True).count()) == (3, 3)
    apply_stripe_events()
    assert not StripeEvent.objects.filter(processed_at__isnull=True).exists()


def test_an_event_that_breaks_is_noted_and_does_not_stop_the_others(
    account: StripeDouble, caplog: pytest.LogCaptureFixture
) -> None:
    keep("evt_broken")
    keep("evt_sound")
    # An answer that is no invoice at all.
    account.faults({"status": 200, "times": 1})
    apply_stripe_events()
    broken, sound = (StripeEvent.objects.get(pk=pk) for pk in ("evt_broken", "evt_sound"))
    assert broken.processed_at is None
    assert broken.outcome.startswith("failed: ")
    assert sound.processed_at is not None
    assert "evt_broken" in caplog.text


def test_kill_9_during_every_call_ends_as_if_nothing_had_happened(double: StripeDouble) -> None:
    invoice = make_issued(collection=Collection.CHARGE_AUTOMATICALLY)
    begin(invoice)
    Settlement.objects.filter(pk=invoice.pk).update(next_try_at=datetime.now(UTC))
    with sweepers(double) as begin_sweeping:
        for path in POSTS:
            if path.endswith("/pay"):
                add_card(double, invoice)
            # The call is done, its answer never comes, and the worker is killed while it waits for it.
            double.faults({"kind": "drop", "when": "after", "hang_s": 30, "method": "POST", "path": path})
            with begin_sweeping():
                wait_for(lambda: double.state()["faults_waiting"] == 0)
            # The lease of the dead runs out.
            Settlement.objects.filter(pk=invoice.pk).update(next_try_at=datetime.now(UTC))
        with begin_sweeping():
            wait_for(lambda: state_of(invoice) == SettlementState.PAID)
    assert_paid_once(double, invoice)
    posts = [each for each in double.state()["requests"] if each["method"] == "POST"]
    assert len([each for each in posts if each["path"] == "/v1/customers"]) <= 2
    assert len([each for each in posts if each["path"].endswith("/pay")]) == 1


@contextmanager
def sweepers(double: StripeDouble) -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Begin workers, each in a process of its own on this test's database, which `kill -9` ends with its block."""
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    environment = {
        **os.environ,
        "DATABASE_URL": database.geturl(),
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "STRIPE_SECRET_KEY": double.SECRET_KEY,
        "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "STRIPE_API_BASE": double.base_url,
    }
    parent = subprocess.Popen(
        [sys.executable, "-m", "tests.billing.sweeping"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    @contextmanager
    def sweeping() -> Iterator[None]:
        assert parent.stdin is not None
        assert parent.stdout is not None
        parent.stdin.write("one more\n")
        parent.stdin.flush()
        worker = int(parent.stdout.readline())
        try:
            yield
        finally:
            os.kill(worker, signal.SIGKILL)
            assert parent.stdout.readline() == "gone\n"

    try:
        yield sweeping
    finally:
        parent.communicate(timeout=10)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "the worker did not get there"
        time.sleep(0.02)
