"""What the operator of an installation does: let organizations in, watch the pipeline, and keep the books true."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from billing.models import Settlement, SettlementState
from tenants.tasks import send_invitations
from tests.billing.world import H100

if TYPE_CHECKING:
    from tests.flows.journeys.conftest import Place
    from tests.flows.journeys.desk import Desk

pytestmark = pytest.mark.browser


def test_let_a_provider_in(desk: Desk, place: Place) -> None:
    """Let a provider in."""
    desk.sit_down(place.owen.email)
    desk.go("Organizations")
    desk.form("Make an organization").text("Name", "Sample Harbour").tick("a provider").text(
        "E-mail of its owner", "gus@example.com"
    ).text("E-mail for bills", "bills@harbour.example.com").choice("Country", "Germany")
    desk.press("Make it and invite its owner")
    send_invitations()
    desk.go("Organizations")
    desk.follow("Sample Harbour")
    desk.form("Fee").text("Percent of what it bills", "2.5")
    desk.press("Set the fee")
    assert desk.open_letter("gus@example.com") == "Invitation to Sample Harbour"
    desk.form().text("Name", "Gus").text("Password", "a walk along the quiet canal")
    desk.press("Make an account and join")
    desk.is_at("Overview")


def test_keep_an_organization_out(desk: Desk, place: Place) -> None:
    """Keep an organization out, and let it in again."""
    desk.sit_down(place.owen.email)
    desk.go("Organizations")
    desk.follow("Outsider")
    desk.form("Sign-in").text("Why", "A sample reason.")
    desk.press("Keep it out")
    desk.sit_down(place.cast.charlie.email)
    desk.sees("A sample reason.")
    desk.sit_down(place.owen.email)
    desk.go("Organizations")
    desk.follow("Outsider")
    desk.press("Let it in again")
    desk.sit_down(place.cast.charlie.email)
    desk.is_at("Overview")


def test_see_whether_everything_runs(desk: Desk, place: Place) -> None:
    """See whether everything runs."""
    desk.sit_down(place.owen.email)
    desk.is_at("Operation")
    desk.sees("Batches to roll up", "quartz-node", "No step has stopped")
    desk.follow("Sweeps running")
    expect(desk.page).to_have_url(re.compile("#sweeps$"))


def test_try_a_stopped_step_again(desk: Desk, place: Place) -> None:
    """Try a stopped step again."""
    stopped = {"state": SettlementState.FAILED, "last_error": "No such customer", "attempts": 3}
    assert Settlement.objects.filter(pk=place.filled.invoice.pk).update(**stopped) == 1
    desk.sit_down(place.owen.email)
    desk.sees(f"Collection {place.filled.number}", "No such customer")
    desk.press(f"Try again Collection {place.filled.number}")
    desk.is_told("tried again at the next sweep")
    desk.sees("No step has stopped")
    step = Settlement.objects.get(pk=place.filled.invoice.pk)
    assert (step.state, step.attempts) == (SettlementState.CUSTOMER, 0)


def test_hold_a_payout(desk: Desk, place: Place) -> None:
    """Hold what a provider is paid."""
    desk.sit_down(place.owen.email)
    desk.go("Payouts to providers")
    desk.press("Hold Provider")
    desk.sees("Held")


def test_keep_the_books(desk: Desk, place: Place) -> None:
    """Look into the books, and take them away."""
    desk.sit_down(place.owen.email)
    desk.go("Books of the installation")
    desk.sees("Debits equal credits")
    desk.follow("Receivable")
    desk.form().text("From", "2026-03-01").text("Until", "2026-04-30")
    desk.press("Show")
    desk.sees(place.filled.number)
    desk.go("Books of the installation")
    with desk.saving() as lines:
        desk.follow("Export CSV")
    assert len(lines) > 2
    desk.go("Reconciliation")
    desk.sees("This installation has no account at Stripe.")


def test_bring_in_public_prices(desk: Desk, place: Place) -> None:
    """Bring in what the market asks, and compare your prices with it."""
    desk.sit_down(place.owen.email)
    desk.go("Public prices")
    rows = "seller,card,price_per_gpu_hour,currency,mark,stated_on,source\n"
    rows += f"cloudy,{H100},2.99,USD,on_demand,2026-03-01,https://cloudy.example/prices\n"
    desk.form("Import a file").choice("What it is", "GPU-hour table").text("As of", "2026-03-01")
    desk.page.get_by_label("File", exact=True).set_input_files(
        {"name": "hours.csv", "mimeType": "text/csv", "buffer": rows.encode()}
    )
    desk.press("Show what it would change")
    desk.sees("1 prices of 1 entries")
    desk.press("Take these prices")
    desk.sit_down(place.cast.petra.email)
    desk.go("Price index")
    assert place.running.price_book is not None
    desk.form().choice("Price book", place.running.price_book.name)
    desk.press("Search")
    desk.sees("Your prices beside the market", "$2.35", "$2.99")
    desk.form().text("Model, card or seller", "cloudy")
    desk.press("Search")
    desk.sees("cloudy", "on demand")
