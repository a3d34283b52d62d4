"""Dunning on the pages of both sides: the schedule, a case, steps taken back, holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.dunning.stepping import begin_cases
from billing.models import DunningPolicy, DunningStep, Invoice
from tenants.models import Role
from tests.billing.dunning.overdue import after, make_overdue, send_all, sweep
from tests.billing.pages.reading import text_of
from tests.factories import make_user
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db

FORM = {"remind": "3, 10", "retry_card": "5", "notice": "12", "suspend": "20"}


invoice = kept(make_overdue)


def test_a_schedule_is_set_and_wrong_ones_are_refused(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    assert "No schedule is set: nothing is sent, and nobody is suspended." in text_of(client.get("/p/dunning/"))
    assert "appear here once a schedule is set" in text_of(client.get("/p/dunning/"))
    page = text_of(client.post("/p/dunning/", FORM, follow=True))
    assert "An invoice that is overdue appears here within minutes." in page
    assert "Day 12: Notice of suspension" in page
    assert "Day 20: Use suspended" in page
    wrong = client.post("/p/dunning/", {**FORM, "notice": ""})
    assert wrong.status_code == 422
    assert "expected a notice at least 3 days before it" in text_of(wrong)
    threat = text_of(client.post("/p/dunning/", {**FORM, "suspend": ""}))
    assert "expected a suspension that it announces" in threat
    assert "Enter days as whole numbers" in text_of(client.post("/p/dunning/", {"remind": "soon"}))
    assert DunningPolicy.objects.count() == 1


def test_both_sides_see_the_steps_and_the_provider_takes_them_back(
    cast: Cast, client: Client, invoice: Invoice
) -> None:
    for days in (3, 5, 10):
        sweep(after(invoice, days))
    send_all(after(invoice, 10))
    sweep(after(invoice, 17))
    client.force_login(cast.petra)
    assert "Use suspended" in text_of(client.get("/p/dunning/"))
    address = f"/p/dunning/{invoice.pk}/"
    page = text_of(client.get(address))
    assert "$100.00 left to pay, Tenant" in page
    assert "2 of 2 letters are out" in page
    assert "suspended no earlier than" in page
    client.force_login(cast.alice)
    shown = text_of(client.get("/t/invoices/S-0001/"))
    assert "Notice of suspension" in shown
    assert "Use is suspended until this invoice is paid." in shown
    told = f"Use under {invoice.contract.number} is suspended. Nothing new begins until invoice S-0001 is paid."
    for page in ("/t/invoices/", "/t/leases/"):
        assert told in text_of(client.get(page)), page

    client.force_login(cast.petra)
    step = DunningStep.objects.get(action="suspend")
    form = {"action": "take_back", "step": str(step.pk), "reason": "our mistake"}
    page = text_of(client.post(address, form, follow=True))
    assert "Taken back" in page
    assert "lifted" in page
    assert "The step was taken back before." in text_of(client.post(address, form, follow=True))
    assert "until this invoice is paid" not in text_of(client.get("/t/invoices/S-0001/"))
    client.force_login(cast.alice)
    for page in ("/t/invoices/", "/t/leases/"):
        assert "is suspended" not in text_of(client.get(page)), page


def test_steps_are_held_for_days(cast: Cast, client: Client, invoice: Invoice) -> None:
    begin_cases(now=after(invoice, 1), limit=1)
    client.force_login(cast.petra)
    address = f"/p/dunning/{invoice.pk}/"
    page = text_of(client.post(address, {"action": "hold", "days": "9", "reason": "they called"}, follow=True))
    assert "No step before" in page
    assert "they called" in page
    assert client.post(address, {"action": "hold", "days": "x"}).status_code == 404
    assert client.post(address, {"action": "take_back", "step": "x"}).status_code == 404
    assert client.post(address, {"action": "nonsense"}).status_code == 404


def test_a_viewer_reads_and_an_outsider_finds_nothing(cast: Cast, client: Client, invoice: Invoice) -> None:
    client.force_login(make_user("viewer@example.com", cast.provider, Role.VIEWER))
    assert client.get(f"/p/dunning/{invoice.pk}/").status_code == 200
    assert client.post(f"/p/dunning/{invoice.pk}/", {"action": "hold"}).status_code == 403
    assert client.post("/p/dunning/", FORM).status_code == 403
    client.force_login(cast.charlie)
    assert client.get(f"/p/dunning/{invoice.pk}/").status_code == 404
