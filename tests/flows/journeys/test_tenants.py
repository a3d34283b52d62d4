"""What a tenant does: watch use, set limits, rent cards, agree, check and pay bills, and connect programs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from billing.budgets.tasks import look_at_spending
from billing.models import Invoice, InvoiceState, Term
from billing.tasks import match_bank_lines
from tests.filled import REASON
from tests.flows.journeys.conftest import KEYS, MODEL

if TYPE_CHECKING:
    from tests.flows.journeys.conftest import Place
    from tests.flows.journeys.desk import Desk

pytestmark = pytest.mark.browser


def local(days: int) -> str:
    """Midnight in so many days, as a date field takes it."""
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%dT00:00}"


def test_find_out_what_made_a_cost(desk: Desk, place: Place) -> None:
    """Find out what made a cost."""
    desk.sit_down(place.cast.alice.email)
    desk.go("Usage")
    desk.sees("$10.00", MODEL)
    desk.follow("Key", within="Tokens per day")
    desk.sees(*KEYS)
    desk.follow(KEYS[0], within="By key")
    desk.is_at(KEYS[0])
    desk.sees("$5.00")
    with desk.saving() as lines:
        desk.follow("Export CSV")
    assert any(KEYS[0] in line for line in lines)
    desk.go("Usage")
    desk.follow(MODEL, within="By model")
    desk.is_at(MODEL)


def test_group_keys_into_a_project(desk: Desk, place: Place) -> None:
    """Group keys into a project."""
    desk.sit_down(place.cast.alice.email)
    desk.go("Keys and projects")
    desk.form("New project").text("Name", "Assistant")
    desk.press("Make this project")
    desk.form("Put a key into a project").choice("Key", KEYS[1]).choice("Project", "Assistant")
    desk.press("Put it there")
    desk.follow("Assistant")
    desk.sees("Assistant", "$5.00")


def test_set_a_budget(desk: Desk, place: Place) -> None:
    """Set a budget."""
    desk.sit_down(place.cast.alice.email)
    desk.go("Budgets")
    desk.follow("New budget")
    desk.form().text("Name", "All of it").text("Amount", "1000").text("Tell at, percent", "50, 100")
    desk.press("Set it")
    desk.sees("All of it", "it tells only")
    desk.go("Budgets")
    desk.sees("All of it", "$1,000.00 per month")


def test_let_use_go_on(desk: Desk, place: Place) -> None:
    """Let use go on that a budget stopped."""
    desk.sit_down(place.cast.alice.email)
    desk.go("Budgets")
    desk.follow("New budget")
    desk.form().text("Name", "Trial").choice("Limits", MODEL).text("Amount", "5").text("Tell at, percent", "100").tick(
        "Stop new use"
    )
    desk.press("Set it")
    look_at_spending()
    desk.go("Budgets")
    desk.sees("“Trial” is used up")
    desk.follow("Raise or lift it")
    desk.form("Let use go on").text("Why use may go on", "The trial is longer.")
    desk.press("Lift the stop")
    desk.is_told("New use may begin again.")


def test_compare_bay_and_pump(desk: Desk, place: Place) -> None:
    """See what another model of payment would cost."""
    desk.sit_down(place.cast.alice.email)
    desk.go("Bay or pump?")
    desk.form("What to compare").choice("Usage of contract", place.running.number).text("GPUs held", "2").text(
        "Share, percent", "30"
    )
    desk.press("Compare")
    desk.sees("Lease", "Share of 30%", "Where they cross")


def test_rent_cards(desk: Desk, place: Place) -> None:
    """Rent cards."""
    desk.sit_down(place.cast.alice.email)
    desk.go("Leases")
    desk.follow("Request a lease")
    form = desk.form("What you need").choice("Contract", place.running.number).choice("Card", "H100")
    form.text("How many", "2").text("From", local(3)).text("To", local(10))
    desk.press("Ask what is free")
    desk.sees("are free over the whole time", "$2.35 per GPU-hour")
    desk.press("Get this price")
    desk.press(desk.reads(r"(Reserve\s+Q-\d+)").replace("\n", " "))
    lease = Term.objects.get(contract=place.running, kind="lease")
    desk.sees(lease.ref, "reserved")
    desk.form("Extend").text("New end", local(20))
    desk.press("Extend to then")
    desk.sees("extended")


def test_read_an_announced_price_change(desk: Desk, place: Place) -> None:
    """Read an announced price change."""
    desk.sit_down(place.cast.alice.email)
    desk.go("Usage")
    desk.follow("See the change")
    desk.sees("$0.28", "$0.56")
    desk.go("Prices")
    desk.sees("+100.0%")


def test_check_a_bill(desk: Desk, place: Place) -> None:
    """Check a bill."""
    desk.sit_down(place.cast.alice.email)
    desk.go("Invoices")
    desk.follow(place.filled.number)
    desk.sees("What you are paying for", "Adds up: holds", "Sealed: holds")
    desk.unfold("20 days in detail")
    with desk.saving() as lines:
        desk.follow("Line items CSV")
    assert len(lines) > 2
    with desk.saving() as evidence:
        desk.follow("Evidence file (JSON)")
    assert evidence


def test_question_a_line(desk: Desk, place: Place) -> None:
    """Question a line and be credited."""
    desk.sit_down(place.cast.alice.email)
    desk.go("Invoices")
    desk.follow(place.filled.number)
    desk.follow("Question a line")
    desk.page.get_by_label("About").select_option(index=1)
    desk.form().text("What is wrong, and what you expected", "Half of the input were your own tests.")
    desk.press("Ask the provider")
    desk.is_told("The provider was asked.")
    desk.sit_down(place.cast.petra.email)
    desk.go("Questions")
    desk.follow(place.filled.number)
    desk.sees("your own tests")
    desk.form().text("Net amount (USD)", "1.00").text("In words that the tenant reads", "Right: tests are on us.")
    desk.press("Issue credit note")
    desk.sit_down(place.cast.alice.email)
    desk.go("Credit notes")
    desk.sees("$1.00")
    desk.go("Questions")
    desk.sees(place.filled.number)


def test_pay_by_bank_transfer(desk: Desk, place: Place) -> None:
    """Pay by bank transfer."""
    desk.sit_down(place.cast.alice.email)
    desk.go("Invoices")
    desk.follow(place.filled.number)
    owed, reference = desk.reads(r"Transfer \$([\d,.]+) to"), desk.reads(r"with the reference (RF[\w ]+?)\.")
    desk.sit_down(place.cast.petra.email)
    desk.go("Bank")
    rows = "booked_on,amount,currency,entry_reference,payer,reference\n"
    rows += f"{datetime.now(UTC):%Y-%m-%d},{owed.replace(',', '')},USD,E-1,Tenant,{reference}\n"
    desk.page.get_by_role("button", name="Statement file").set_input_files(
        {"name": "movements.csv", "mimeType": "text/csv", "buffer": rows.encode()}
    )
    desk.press("Take this file")
    match_bank_lines()
    desk.go("Bank")
    desk.follow("Matched")
    desk.sees("Tenant", f"${owed}")
    assert Invoice.objects.get(number=place.filled.number).state == InvoiceState.PAID
    desk.sit_down(place.cast.alice.email)
    desk.go("Account")
    desk.sees("Statement of account", place.filled.number)


def test_connect_a_program(desk: Desk, place: Place) -> None:
    """Connect a program."""
    desk.sit_down(place.cast.alice.email)
    desk.go("API keys")
    desk.form("Make a key").text("Name", "finance").tick("invoices:read")
    desk.press("Make this key")
    assert desk.reads(r"(fk_[\w-]{43})")
    desk.go("API keys")
    desk.follow("finance")
    desk.press("Revoke this key")
    desk.go("Webhooks")
    desk.form("Add an endpoint").text("Address (https)", "https://hooks.example/forecourt").text(
        "Kinds of events", "invoice.*"
    )
    desk.press("Add this endpoint")
    assert desk.reads(r"(whsec_\S+)")
    desk.go("Webhooks")
    desk.follow("https://hooks.example/forecourt")
    desk.press("Send a test")
    desk.is_told("A test is on its way.")


def test_hand_costs_to_another_tool(desk: Desk, place: Place) -> None:
    """Hand costs to another tool."""
    desk.sit_down(place.cast.alice.email)
    desk.go("Exports")
    desk.form().text("Issued from", "2026-04-01").text("to", "2026-04-30")
    with desk.saving() as lines:
        desk.press("Download CSV")
    assert "BilledCost" in lines[0]
    assert len(lines) > 1


def test_say_how_you_stand_on_bills(desk: Desk, place: Place) -> None:
    """Say how you stand on bills."""
    desk.sit_down(place.cast.alice.email)
    desk.go("Settings")
    desk.form("Billing profile").text("Legal name", "Tenant GmbH").text("Street address", "Kanalstraße 1").text(
        "Postcode", "10115"
    ).text("City", "Berlin").text("E-mail for bills", "bills@tenant.example.com")
    desk.press("Keep this profile")
    desk.go("Settings")
    assert desk.page.get_by_label("Legal name").input_value() == "Tenant GmbH"


def test_read_what_both_witnesses_counted(desk: Desk, place: Place) -> None:
    """Read what both witnesses counted."""
    desk.sit_down(place.cast.alice.email)
    desk.go("Witnesses")
    desk.follow("31 days")
    desk.sees("Engines counted", "Gateways reported", "How to read this")
    desk.follow("Gaps")
    desk.sees("Watched", place.filled.node.name)
    desk.follow("Findings")
    desk.form().month("March 2026")
    desk.sees(place.filled.deployment.slug)
    desk.follow("Substitutions")
    desk.sees(REASON, "1,000", "900", "−100")


def test_settle_what_an_audit_found(desk: Desk, place: Place) -> None:
    """Settle what an audit of a token share found."""
    desk.sit_down(place.cast.petra.email)
    desk.go("Token shares")
    desk.follow("Audits")
    desk.form("State what an audit found").choice("Share and billing period", "March 2026").text(
        "Your reference of the audit", "A-1"
    ).text("Share as it was reported", "20").text("Share as the audit found it", "25.50").text("Cost of the audit", "0")
    desk.press("State what an audit found")
    desk.is_told("It bills once the tenant has accepted it.")
    desk.sit_down(place.cast.alice.email)
    desk.go("Token shares")
    desk.follow("Audits")
    desk.sees("A-1", "$25.50", "+$5.50", "Waits for you")
    desk.press("Accept")
    desk.is_told("Accepted. It changes the next bill.")
