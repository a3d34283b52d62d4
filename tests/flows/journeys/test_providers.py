"""What a provider does: bring a tenant in, agree, price, meter, bill, and be paid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from billing.margins import sum_day
from billing.models import Contract, ContractState
from tenants.tasks import send_invitations
from tests.billing.costly import AT, KWH, enter, metered
from tests.billing.world import H100
from tests.filled import REASON

if TYPE_CHECKING:
    from tests.flows.journeys.conftest import Place
    from tests.flows.journeys.desk import Desk

pytestmark = pytest.mark.browser


def local(days: int) -> str:
    """Midnight in so many days, as a date field takes it."""
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%dT00:00}"


def test_bring_a_tenant_in(desk: Desk, place: Place) -> None:
    """Bring a tenant in."""
    desk.sit_down(place.cast.petra.email)
    desk.go("Tenants")
    desk.form("Invite a tenant").text("Name", "Sample Bakery").text("E-mail of its owner", "fay@example.com").text(
        "E-mail for bills", "bills@bakery.example.com"
    ).choice("Country", "Germany")
    desk.press("Make it and invite its owner")
    send_invitations()
    assert desk.open_letter("fay@example.com") == "Invitation to Sample Bakery"
    desk.form().text("Name", "Fay").text("Password", "a walk along the quiet canal")
    desk.press("Make an account and join")
    desk.is_at("Usage")
    desk.sees("Nothing used yet")


def test_agree_a_contract(desk: Desk, place: Place) -> None:
    """Agree a contract, by both parties."""
    known = set(Contract.objects.values_list("pk", flat=True))
    desk.sit_down(place.cast.petra.email)
    desk.go("Tenants")
    desk.follow("Tenant")
    desk.follow("Draft a contract")
    form = desk.form("Draft a contract").text("Begins, local time", local(1)).choice("Price book", "Book")
    form.text("Name of the term", "Two cards").text("From, local time of the contract", local(1)).text("To", local(30))
    form.text("Free slices to hold", "1").text("Card model", H100).text("Price per GPU-hour", "2.10")
    desk.press("Save the draft")
    desk.sees("Two cards")
    desk.press("Offer it")
    desk.is_told("accept them yourself too")
    desk.press("Accept")
    desk.is_told("You have accepted these terms.")
    (made,) = Contract.objects.exclude(pk__in=known)
    desk.sit_down(place.cast.alice.email)
    desk.go("Contracts")
    desk.follow(made.number)
    desk.follow("First version")
    desk.sees("Two cards", "price per GPU-hour", "2.1")
    desk.press("Accept")
    desk.is_told("You have accepted these terms.")
    made.refresh_from_db()
    assert made.state == ContractState.ACTIVE


def test_announce_a_price_change(desk: Desk, place: Place) -> None:
    """Announce a price change."""
    desk.sit_down(place.cast.petra.email)
    desk.go("Prices")
    desk.press("New version")
    desk.form().text("In force from, UTC", f"{local(40)}:00").text("Change all prices by, %", "5")
    desk.press("Save, and see what it means")
    desk.press("Announce these prices")
    desk.is_told("Published.")


def test_connect_a_server(desk: Desk, place: Place) -> None:
    """Connect a server."""
    desk.sit_down(place.cast.petra.email)
    desk.go("Fleet")
    desk.form("Add a cluster").text("Name", "Harbour hall").choice("Country", "Germany")
    desk.press("Add this cluster")
    desk.is_at("Harbour hall")
    desk.press("Make a token")
    token = desk.reads(r"(fe_\S+)")
    desk.sees("forecourt agent enroll", token)


def test_see_who_holds_which_card(desk: Desk, place: Place) -> None:
    """See who holds which card."""
    desk.sit_down(place.cast.petra.email)
    desk.go("Occupancy")
    desk.follow("Day")
    desk.sees("Booked", "Leases per GPU")
    desk.unfold("Show as table")
    desk.sees("Tenant")


def test_say_what_a_site_costs(desk: Desk, place: Place) -> None:
    """Say what a site costs."""
    desk.sit_down(place.cast.petra.email)
    desk.go("Margin")
    desk.follow("Costs")
    desk.follow("Quartz site")
    desk.form().text("Power price per kWh", "0.22").text("Rent per month", "9000").text("Overhead per month", "0")
    desk.press("Enter these costs")
    desk.sees("0.22")


def test_decide_a_substitution(desk: Desk, place: Place) -> None:
    """Decide what takes the place of a reading."""
    desk.sit_down(place.cast.petra.email)
    desk.main.get_by_role("link", name="1 substitution to decide").click()
    desk.sees(REASON)
    desk.press("Approve 900 tokens")
    desk.sees("Approved")


def test_approve_what_is_billed(desk: Desk, place: Place) -> None:
    """See a bill before it is issued."""
    desk.sit_down(place.cast.petra.email)
    desk.go("Drafts")
    desk.follow("Running")
    desk.follow(place.running.number)
    desk.sees("$10.00")


def test_set_a_limit(desk: Desk, place: Place) -> None:
    """Be warned of what a tenant uses."""
    desk.sit_down(place.cast.petra.email)
    desk.go("Alerts")
    desk.follow("New limit")
    desk.form().text("Name", "All sales").text("Amount", "5000")
    desk.press("Set it")
    desk.sees("All sales")


def test_follow_overdue_bills(desk: Desk, place: Place) -> None:
    """Say what happens to overdue bills."""
    desk.sit_down(place.cast.petra.email)
    desk.go("Dunning")
    desk.form().text("Remind by mail, days after due", "3")
    desk.press("Set this schedule")
    desk.go("Dunning")
    desk.sees("Day 3: Reminder by mail")


def test_read_what_was_earned(desk: Desk, place: Place) -> None:
    """Read what was earned, and be paid out."""
    desk.sit_down(place.cast.petra.email)
    desk.go("Statements")
    desk.follow(place.filled.stated.number)
    desk.sees("$2,487.60", "Closing balance")
    desk.follow("Where it came from")
    desk.sees("Tenant", "As the invoices' lines say")
    desk.follow("By node")
    desk.go("Statements")
    desk.follow(place.filled.stated.number)
    desk.follow(place.filled.number)
    desk.is_at(place.filled.number)
    desk.go("Payouts")
    desk.form().text("From an amount of", "50")
    desk.press("Save")
    desk.go("Books")
    desk.sees("Owed to the provider")


def test_try_other_prices(desk: Desk, place: Place) -> None:
    """Try other prices on real use."""
    desk.sit_down(place.cast.petra.email)
    desk.go("Margin")
    desk.form().month("March 2026")
    desk.form("Repricing simulator").choice("Change the price of", "all prices of the book")
    desk.press("Simulate in full")
    desk.form("What to change").text("By percent", "10")
    desk.press("Simulate")
    desk.sees("+10% on all prices of the book", "Earned now", "Earned after", "Stress +200%")
    desk.press("Draft announced change")
    desk.sees("Save, and see what it means")


def test_say_how_supplies_are_taxed(desk: Desk, place: Place) -> None:
    """Say how your supplies are taxed."""
    desk.sit_down(place.cast.petra.email)
    desk.go("Settings")
    desk.follow("Taxes")
    desk.form("Who works taxes out").choice("Taxes on bills", "By rules and rates")
    desk.press("Keep", within="Who works taxes out")
    desk.form("Enter a rate").choice("Country of the buyer", "Norway").choice("Category", "Value added tax").text(
        "Percent", "25"
    ).text("From day", "2999-01-01")
    desk.press("Enter this rate")
    desk.sees("Norway", "25%")
    desk.form("Keep a certificate").choice("Tenant", "Tenant").text("Certificate", "EX-7").text(
        "Reason on bills", "Exempt institution"
    ).text("From day", "2999-01-01")
    desk.press("Keep this certificate")
    desk.sees("EX-7")


def test_see_energy_and_carbon(desk: Desk, place: Place) -> None:
    """See what energy was used, and its carbon."""
    enter(place.filled.cluster)
    metered(place.filled.card, AT, 3 * KWH)
    enter(place.filled.card.node.cluster)
    sum_day(provider_id=place.cast.provider.id, day=AT.date(), now=AT + timedelta(days=2))
    desk.sit_down(place.cast.petra.email)
    desk.go("Energy")
    desk.form().month("March 2026")
    desk.sees("3.0 kWh", "kg CO2e")
    desk.follow("By day")
    with desk.saving() as lines:
        desk.follow("Export CSV")
    assert any("2026-03-05" in line for line in lines)
