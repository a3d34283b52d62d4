"""The tenant's pages in a real browser: nothing to complain about, on any screen, with keys alone, without scripts."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import expect

from billing.models import Invoice, Term
from billing.pages.periods import next_month, previous_month
from tests.billing.agreements.agreed import offered_end
from tests.billing.budgets.spent import make_limited
from tests.billing.pages.made import BUSY, make_running
from tests.billing.sharing import make_stated
from tests.factories import PASSWORD, make_cast
from tests.metering.checked import make_checked

if TYPE_CHECKING:
    from typing import Any

    from playwright.sync_api import Browser, Page
    from pytest_django.live_server_helper import LiveServer

    from tests.factories import Cast
    from tests.plugins.browser import AxeCheck, PhoneCheck

GROUPED = re.compile(r"/t/usage/\?.*group=model")

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def db(lasting_rows: None) -> None:
    """The database of this module's tests, which only read: what is written stays for the next one."""


@pytest.fixture(scope="module")
def cast(db: None) -> Cast:
    """The cast, once for all of them."""
    return make_cast()


@pytest.fixture(scope="module")
def addresses(cast: Cast) -> dict[str, str]:
    """Alice in the middle of things, and the addresses of her pages."""
    now = datetime.now(UTC)
    make_running(cast, now)
    make_checked(cast.provider, cast.petra, now)
    make_stated(cast.provider, cast.tenant)
    lease = Term.objects.filter(contract__tenant=cast.tenant, kind="lease", to_at=None).earliest("ref")
    proposed = offered_end(lease.contract, lease, by=cast.tenant, now=now)
    budget = make_limited(cast, now)
    number = Invoice.objects.order_by("-issued_at").values_list("number", flat=True)[0]
    month = previous_month(now.date())  # a whole one, whatever day it is
    return {
        "running": "/t/usage/",
        "usage": f"/t/usage/?month={month:%Y-%m}",
        "model": f"/t/usage/?month={month:%Y-%m}&model={BUSY[1]}",
        "day": f"/t/usage/{month.replace(day=10)}/",
        "invoices": "/t/invoices/",
        "invoice": f"/t/invoices/{number}/",
        "exports": "/t/exports/",
        "empty": "/t/usage/?month=2001-01",
        "nothing": "/t/invoices/?q=unknown",
        "budgets": "/t/budgets/",
        "budget": f"/t/budgets/{budget.pk}/",
        "budget new": "/t/budgets/new/",
        "witnesses": f"/t/witnesses/?month={month:%Y-%m}",
        "gaps": "/t/gaps/",
        "findings": "/t/findings/?month=all&state=all",
        "substitutions": "/t/substitutions/",
        "leases": "/t/leases/?view=list",
        "no lease": "/t/leases/",
        "lease request": "/t/leases/new/",
        "revenue": "/t/revenue/",
        "credit": "/t/credit/",
        "contracts": "/t/contracts/",
        "contract": f"/t/contracts/{lease.contract_id}/",
        "changed term": f"/t/contracts/{lease.contract_id}/amend/?term={lease.ref}",
        "new contract": "/t/contracts/new/?kind=credit",
        "amendment": f"/t/amendments/{proposed.id}/",
    }


def days_of_last_month() -> int:
    first = previous_month(datetime.now(UTC).date())
    return (next_month(first) - first).days


def sign_in(page: Page, lasting_server: LiveServer, person: Any) -> None:
    client = Client()
    client.force_login(person)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": lasting_server.url}])


def test_pages_are_accessible_and_fit_a_phone(
    still: Page, lasting_server: LiveServer, cast: Cast, addresses: dict[str, str], looked_at: AxeCheck
) -> None:
    sign_in(still, lasting_server, cast.alice)
    for address in addresses.values():
        still.goto(lasting_server.url + address)
        assert looked_at(still) == [], address


BROKEN_FIGURES = """() => [...document.querySelectorAll('.t td.r')].filter(td => td.checkVisibility()).flatMap(td => {
    const range = document.createRange();
    const lines = text => (range.selectNodeContents(text), range.getClientRects().length);
    const texts = [...td.childNodes].filter(one => one.nodeType === Node.TEXT_NODE && one.data.trim());
    return texts.filter(text => lines(text) > 1).map(text => text.data);
})"""
"""The amounts of a page's tables of which a part stands on the next line."""


def test_paper_cuts_no_column_off_and_no_amount_apart(
    still: Page, lasting_server: LiveServer, cast: Cast, addresses: dict[str, str]
) -> None:
    cut = "[...document.querySelectorAll('.scroll:has(table)')].filter(e => e.scrollWidth > e.clientWidth).length"
    sign_in(still, lasting_server, cast.alice)
    still.set_viewport_size({"width": 700, "height": 1000})
    still.goto(lasting_server.url + addresses["usage"])
    assert still.evaluate(cut) > 0
    still.emulate_media(media="print")
    assert still.evaluate(cut) == 0
    assert still.evaluate(BROKEN_FIGURES) == []
    still.emulate_media(media="screen")


def test_a_person_signs_in_and_walks_from_usage_to_a_day_and_an_invoice(
    watched: Page, lasting_server: LiveServer, cast: Cast, addresses: dict[str, str]
) -> None:
    watched.goto(lasting_server.url + "/")
    watched.get_by_label("E-mail").fill(cast.alice.email)
    watched.get_by_label("Password").fill(PASSWORD)
    watched.get_by_role("button", name="Sign in", exact=True).click()
    expect(watched.get_by_role("heading", level=1)).to_have_text("Usage")
    watched.get_by_label("Month", exact=True).select_option(addresses["usage"].partition("=")[2])
    expect(watched).to_have_url(re.compile(r"month="))
    watched.locator("#tokens .col.measured").first.click()
    expect(watched.get_by_role("heading", level=1)).to_contain_text("1 ")
    watched.get_by_role("navigation", name="Breadcrumb").get_by_role("link", name="Usage").click()
    expect(watched.get_by_role("heading", level=1)).to_have_text("Usage")
    watched.keyboard.press("g")
    watched.keyboard.press("i")
    expect(watched.get_by_role("heading", level=1)).to_have_text("Invoices")
    watched.locator("#issued").get_by_role("rowheader").get_by_role("link").first.click()
    expect(watched.get_by_role("heading", level=1)).to_contain_text("INV-")
    watched.locator("tr.open a.ghost").first.click()  # a month of hours: the parts of a line are asked for
    watched.wait_for_url("**line=*")
    expect(watched.locator("tr.open details.tbl table").first).to_be_visible()


def test_the_stack_changes_in_place_and_the_address_with_it(
    watched: Page, lasting_server: LiveServer, cast: Cast, addresses: dict[str, str]
) -> None:
    sign_in(watched, lasting_server, cast.alice)
    watched.goto(lasting_server.url + addresses["usage"])
    watched.evaluate("document.body.dataset.kept = 'yes'")
    watched.locator("#tokens").get_by_role("link", name="Model", exact=True).click()
    expect(watched.locator("#tokens .legend")).to_contain_text(BUSY[0])
    expect(watched).to_have_url(re.compile(r"group=model"))
    assert watched.evaluate("document.body.dataset.kept") == "yes"
    watched.go_back()
    expect(watched.locator("#tokens .legend")).to_contain_text("Cached input")


def test_the_chart_is_read_and_opened_with_keys(
    watched: Page, lasting_server: LiveServer, cast: Cast, addresses: dict[str, str]
) -> None:
    sign_in(watched, lasting_server, cast.alice)
    watched.goto(lasting_server.url + addresses["usage"])
    watched.locator("#tokens [data-chart]").focus()
    watched.keyboard.press("ArrowRight")
    tip = watched.locator("#tip")
    expect(tip).to_contain_text("Output")
    expect(tip).to_contain_text("Cost")
    watched.keyboard.press("Enter")
    expect(watched.locator("#hours")).to_be_visible()


def test_filters_apply_as_they_change_and_the_export_follows(
    watched: Page, lasting_server: LiveServer, cast: Cast, addresses: dict[str, str]
) -> None:
    sign_in(watched, lasting_server, cast.alice)
    watched.goto(lasting_server.url + addresses["usage"])
    watched.get_by_label("Model", exact=True).select_option(BUSY[2])
    expect(watched.locator("#models tfoot")).to_contain_text("Total of what is chosen")
    # In a field a key is a letter, and the focus may still be in the filter: what is swapped in gets it back last.
    expect(watched.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)
    watched.evaluate("document.activeElement.blur()")
    with watched.expect_download() as download:
        watched.keyboard.press("e")
    written = download.value.path().read_text(encoding="utf-8")
    assert BUSY[2] in written
    assert BUSY[0] not in written


def test_a_part_that_cannot_be_loaded_says_so_with_a_way_on(
    browser: Browser,
    browser_context_args: dict[str, Any],
    lasting_server: LiveServer,
    cast: Cast,
    addresses: dict[str, str],
) -> None:
    """Nothing is swapped in, not even where the session ended meanwhile: then the whole page leads to sign in."""
    with closing(browser.new_context(**browser_context_args)) as context:
        page = context.new_page()
        sign_in(page, lasting_server, cast.alice)
        page.goto(lasting_server.url + addresses["usage"])
        page.route(GROUPED, lambda route: route.fulfill(status=503, body="full"))
        by_model = page.locator("#tokens").get_by_role("link", name="Model", exact=True)
        by_model.click()
        said = page.locator("#tokens").get_by_role("alert")
        expect(said).to_contain_text("This could not be loaded.")
        page.unroute(GROUPED)
        expect(said.get_by_role("link")).to_have_attribute("href", GROUPED)
        context.clear_cookies()
        by_model.click()
        expect(page).to_have_url(re.compile(r"/sign-in/\?next="))


def test_everything_is_there_without_scripts(
    browser: Browser,
    browser_context_args: dict[str, Any],
    lasting_server: LiveServer,
    cast: Cast,
    addresses: dict[str, str],
) -> None:
    context = browser.new_context(**{**browser_context_args, "java_script_enabled": False})
    page = context.new_page()
    sign_in(page, lasting_server, cast.alice)
    page.goto(lasting_server.url + addresses["usage"])
    assert page.locator("#tokens .col").count() == days_of_last_month()
    page.get_by_label("Model", exact=True).select_option(BUSY[1])
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#models tfoot")).to_contain_text("Total of what is chosen")
    page.locator("#tokens").get_by_role("link", name="Model", exact=True).click()
    expect(page).to_have_url(re.compile(r"group=model"))
    page.locator("#tokens details.tbl > summary").click()
    expect(page.locator("#tokens table")).to_be_visible()
    page.goto(lasting_server.url + addresses["invoice"])
    page.locator("tr.open a.ghost").first.click()
    expect(page.locator("tr.open details.tbl table").first).to_be_visible()
    context.close()


def test_pages_speak_chinese(  # noqa: PLR0917  fixtures
    still: Page,
    lasting_server: LiveServer,
    cast: Cast,
    addresses: dict[str, str],
    axe: AxeCheck,
    fits_phone: PhoneCheck,
) -> None:
    sign_in(still, lasting_server, cast.alice)
    still.context.add_cookies([{"name": "django_language", "value": "zh-hans", "url": lasting_server.url}])
    still.goto(lasting_server.url + addresses["usage"])
    expect(still.get_by_role("heading", level=1)).to_have_text("用量")
    expect(still.locator("#tokens")).to_contain_text("每日词元")
    for name in ("running", "usage", "invoice", "contract", "changed term", "amendment"):
        still.goto(lasting_server.url + addresses[name])
        assert axe(still) == []
        assert fits_phone(still) == []
