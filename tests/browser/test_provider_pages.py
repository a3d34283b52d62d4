"""The provider's pages in a real browser: no complaint, usable on a phone, by keyboard and without scripts."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import takewhile
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from metering.adjustment_models import Substitution
from tests.billing.agreements.agreed import offered_end
from tests.billing.pages.let_floor import LetFloor, let_floor
from tests.factories import make_cast
from tests.metering.checked import make_checked
from tests.plugins.browser import AxeCheck, PhoneCheck

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.browser

PAGES = (
    "/p/fleet/",
    "/p/fleet/sample-east/",
    "/p/fleet/sample-east/east-h100-02/",
    "/p/fleet/sample-west/west-jobs-01/",
    "/p/fleet/sample-east/east-h100-02/{card}/",
    "/p/health/",
    "/p/occupancy/",
    "/p/occupancy/?days=1&cluster=sample-east",
    "/p/leases/{lease}/",
    "/p/leases/",
    "/p/leases/?view=list",
    "/p/witnesses/",
    "/p/gaps/",
    "/p/findings/?month=all&state=all",
    "/p/substitutions/",
    "/p/substitutions/hour/?at={hour}",
    "/p/substitutions/new/?meter={meter}&from={part}",
    "/p/margin/",
    "/p/margin/simulate/",
    "/p/costs/sample-east/",
    "/p/compare/?gpus=1",
    "/p/settings/",
    "/p/settings/taxes/",
    "/p/contracts/",
    "/p/contracts/{contract}/",
    "/p/contracts/{contract}/amend/?kind=token_share",
    "/p/contracts/{contract}/amend/?term={lease}",
    "/p/contracts/new/?kind=lease",
    "/p/amendments/{amendment}/",
)


@pytest.fixture(scope="module")
def db(lasting_rows: None) -> None:
    """The database of this module's tests, which only read: what is written stays for the next one."""


@pytest.fixture(scope="module")
def made(db: None) -> LetFloor:
    """The let floor, with petra to read it."""
    cast = make_cast()
    now = datetime.now(UTC)
    floor = let_floor(cast.provider, cast.tenant, now)
    make_checked(cast.provider, cast.petra, now)
    return floor


@pytest.fixture(scope="module")
def places(made: LetFloor) -> dict[str, str]:
    """What addresses name: a lease, an offer to change it, and a part of an hour in which a proposal waits."""
    contract = made.contracts[0]
    proposed = offered_end(contract, made.long, by=contract.provider, now=datetime.now(UTC))
    waits = Substitution.objects.filter(state="proposed").earliest("id")
    return {
        "lease": made.long.ref,
        "card": str(made.floor.mixed.accelerators.earliest("position").id),
        "contract": str(contract.id),
        "amendment": str(proposed.id),
        "meter": str(waits.meter_id),
        "part": f"{waits.from_at:%Y%m%dT%H%M%S.%f}",
        "hour": f"{waits.from_at:%Y%m%dT%H}",
    }


@pytest.fixture(scope="module")
def cookies(made: LetFloor, lasting_server: LiveServer) -> list[dict[str, str]]:
    """What signs petra in."""
    client = Client()
    assert client.login(email="petra@example.com", password="correct horse battery staple")
    return [{"name": name, "value": cookie.value, "url": lasting_server.url} for name, cookie in client.cookies.items()]


@pytest.fixture
def petra(watched: Page, cookies: list[dict[str, str]]) -> Page:
    """A browser in which petra is signed in, and which fails the test on any complaint."""
    watched.context.add_cookies(cookies)  # type: ignore[arg-type]  # a typed dict of the same keys
    return watched


def test_every_page_is_accessible_and_fits_a_phone(
    places: dict[str, str],
    lasting_server: LiveServer,
    still: Page,
    cookies: list[dict[str, str]],
    looked_at: AxeCheck,
) -> None:
    still.context.add_cookies(cookies)  # type: ignore[arg-type]  # a typed dict of the same keys
    for path in PAGES:
        still.goto(lasting_server.url + path.format(**places))
        assert looked_at(still) == [], path


def test_the_timeline_is_read_with_the_arrow_keys_and_opens_a_lease(
    made: LetFloor, lasting_server: LiveServer, petra: Page
) -> None:
    petra.goto(f"{lasting_server.url}/p/occupancy/")
    petra.locator("#timeline [data-chart]").focus()
    petra.keyboard.press("ArrowRight")
    tip = petra.locator("#tip")
    expect(tip).to_contain_text(f"Northwind Robotics {made.long.ref}")
    expect(tip).to_contain_text("$1.12")
    expect(tip).to_contain_text("running")
    petra.keyboard.press("Enter")
    petra.wait_for_url(f"**/p/leases/{made.long.ref}/")
    expect(petra.locator("h1")).to_contain_text(made.long.ref)


def press_and_read(page: Page) -> str:
    """The last word of the tooltip after one step to the left."""
    page.keyboard.press("ArrowLeft")
    return page.locator("#tip").inner_text().split()[-1]


def test_a_chart_of_hours_is_read_with_the_arrow_keys(made: LetFloor, lasting_server: LiveServer, petra: Page) -> None:
    petra.goto(f"{lasting_server.url}/p/fleet/sample-east/")
    petra.locator("#used [data-chart]").focus()
    # The fifth hour from the end was not metered; an hour that began since the floor was made stands behind it.
    hours = len(list(takewhile(lambda _: press_and_read(petra) != "unknown", range(6))))
    assert hours in (4, 5)
    expect(petra.locator("#tip")).to_contain_text("unknown")
    petra.keyboard.press("ArrowLeft")
    expect(petra.locator("#tip")).to_contain_text("%")


def test_a_cluster_is_chosen_at_once_and_stands_in_the_address(
    made: LetFloor, lasting_server: LiveServer, petra: Page
) -> None:
    petra.goto(f"{lasting_server.url}/p/occupancy/?days=7")
    petra.get_by_label("Cluster").select_option("sample-west")
    petra.wait_for_url("**/p/occupancy/?cluster=sample-west&days=7")
    expect(petra.locator(".tl-node")).to_have_count(2)
    petra.get_by_role("link", name="Later days").click()
    petra.wait_for_url("**from=*")
    expect(petra.get_by_label("Cluster")).to_have_value("sample-west")
    petra.get_by_role("link", name="Today").click()
    petra.wait_for_url("**/p/occupancy/?cluster=sample-west&days=7")


def test_from_the_fleet_to_a_node_and_its_timeline(made: LetFloor, lasting_server: LiveServer, petra: Page) -> None:
    petra.goto(f"{lasting_server.url}/p/fleet/")
    petra.get_by_role("rowheader").get_by_role("link", name=made.floor.busy.name).click()
    expect(petra.locator("h1")).to_contain_text(made.floor.busy.name)
    petra.get_by_text("Show the meters").click()
    expect(petra.get_by_role("cell", name="18,402,118,330")).to_be_visible()
    petra.locator("main").get_by_role("link", name="Occupancy").click()
    petra.wait_for_url("**/p/occupancy/?cluster=sample-east")


def test_the_pages_work_without_scripts(
    made: LetFloor, lasting_server: LiveServer, browser: Browser, cookies: list[dict[str, str]]
) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies(cookies)  # type: ignore[arg-type]  # a typed dict of the same keys
    page = context.new_page()
    page.goto(f"{lasting_server.url}/p/occupancy/")
    expect(page.locator(".lease.running").first).to_be_visible()
    page.get_by_text("Show as table").click()
    expect(page.get_by_role("rowheader", name=made.long.ref)).to_be_visible()
    page.get_by_label("Cluster").select_option("sample-east")
    page.get_by_role("button", name="Apply").click()
    assert page.url.endswith("?cluster=sample-east")
    page.goto(f"{lasting_server.url}/p/fleet/")
    page.get_by_label("Node, GPU UUID or serial").fill("jobs")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("rowheader", name=made.floor.listed.name)).to_be_visible()
    expect(page.get_by_role("rowheader", name=made.floor.busy.name)).to_have_count(0)
    context.close()


def test_the_documentation_of_the_api_is_open_to_everyone(
    lasting_server: LiveServer, still: Page, watched: Page, looked_at: AxeCheck, fits_phone: PhoneCheck
) -> None:
    """Its contents and a section fit a phone and name nothing twice; a search needs no script."""
    for path in ("/api/docs", "/api/docs/events"):
        still.goto(f"{lasting_server.url}{path}")
        still.evaluate("document.querySelectorAll('main details').forEach(each => { each.open = true })")
        assert fits_phone(still) == []
        names = still.evaluate("[...document.querySelectorAll('[id]')].map(node => node.id)")
        assert len(names) == len(set(names))
        assert looked_at(still) == []
    watched.goto(f"{lasting_server.url}/api/docs")
    watched.get_by_role("searchbox").fill("read usage")
    watched.get_by_role("button", name="Search").click()
    watched.get_by_role("link", name="Read usage", exact=True).click()
    expect(watched).to_have_url(f"{lasting_server.url}/api/docs/usage#usage_list")
    expect(watched.get_by_role("heading", name="Read usage", exact=True)).to_be_in_viewport()
    watched.get_by_role("link", name="Sign in", exact=True).click()
    expect(watched.locator("input[name=next]").first).to_have_value("/api/docs/usage")
