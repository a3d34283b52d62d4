"""The look in a real browser: no complaint of any kind, usable on a phone, by keyboard and without scripts."""

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.plugins.browser import AxeCheck, PhoneCheck

pytestmark = [pytest.mark.browser, pytest.mark.urls("tests.portal.gallery")]

PAGES = ["/", "/occupancy/", "/occupancy/?days=1", "/margin/", "/invoice/", "/components/", "/help/shortcuts/"]
BARE = ["/sign-in/", "/nowhere/", "/forbidden/"]


@pytest.fixture(scope="module")
def address(pageless_server: LiveServer) -> str:
    return str(pageless_server.url)


def test_no_accessibility_fault_and_nothing_sticks_out_on_a_phone(
    address: str, still: Page, looked_at: AxeCheck
) -> None:
    for path in PAGES + BARE:
        still.goto(address + path)
        assert looked_at(still) == [], path


@pytest.mark.parametrize("state", ["late", "never"])
def test_stale_figures_are_called_stale(address: str, still: Page, looked_at: AxeCheck, state: str) -> None:
    still.goto(f"{address}/?state={state}")
    said = still.locator(".fresh").inner_text()
    assert {"late": "Not in yet since 18 Nov 2026 14:32 UTC", "never": "Nothing metered yet"}[state] == said
    assert looked_at(still) == []


@pytest.mark.parametrize("path", ["/occupancy/", "/occupancy/?days=1"])
def test_the_timeline_fits_on_paper(address: str, still: Page, path: str) -> None:
    """A4 upright has 718 px between margins of 1 cm."""
    wide = "() => document.querySelector('.tlg').getBoundingClientRect().right - document.documentElement.clientWidth"
    still.set_viewport_size({"width": 718, "height": 1000})
    still.goto(address + path)
    assert still.evaluate(wide) > 0
    still.emulate_media(media="print")
    assert still.evaluate(wide) <= 0
    still.emulate_media(media="screen")


def test_no_figure_of_a_long_strip_is_cut_off_nor_runs_into_the_next(address: str, still: Page) -> None:
    """On paper neither, where no button is of use."""
    outside = """() => [...document.querySelectorAll(".kpi .big")].filter(figure => {
        const words = document.createRange();
        words.selectNodeContents(figure);
        return words.getBoundingClientRect().right > figure.closest(".kpi").getBoundingClientRect().right;
    }).length"""
    still.goto(f"{address}/components/")
    for width in (320, 640, 1024, 1280):
        still.set_viewport_size({"width": width, "height": 900})
        assert still.evaluate(outside) == 0, width
    still.set_viewport_size({"width": 718, "height": 1000})
    assert still.locator(".btn:visible").count() > 0
    still.emulate_media(media="print")
    assert still.evaluate(outside) == 0
    assert still.locator(".btn:visible").count() == 0
    still.emulate_media(media="screen")


@pytest.mark.parametrize("path", ["/", "/occupancy/", "/components/"])
def test_a_strip_of_figures_begins_at_its_edge(address: str, still: Page, path: str) -> None:
    """Also a plain one, whose name other parts use too."""
    still.goto(address + path)
    gaps = still.evaluate("""() => [...document.querySelectorAll(".kpis")].map(strip => Math.round(
        strip.firstElementChild.getBoundingClientRect().left - strip.getBoundingClientRect().left))""")
    assert gaps
    assert max(gaps) <= 1


STRIP = """count => {
    const strip = document.querySelector(".kpis.plain"), figure = strip.firstElementChild;
    figure.querySelector(".big").textContent = "−$1,234,567.89";
    strip.replaceChildren(...Array.from({length: count}, () => figure.cloneNode(true)));
    strip.className = `kpis n${count} plain`;
    strip.id = "strip";
}"""
CUT = "() => [...document.querySelectorAll('#strip .big')].filter(one => one.scrollWidth > one.clientWidth).length"
ROWS = """() => {
    const tops = [...document.getElementById("strip").children].map(one => Math.round(one.getBoundingClientRect().top));
    return [...new Set(tops)].map(top => tops.filter(one => one === top).length);
}"""


@pytest.mark.parametrize("count", [6, 7])
def test_no_amount_of_a_long_strip_is_cut_and_none_stands_alone(address: str, still: Page, count: int) -> None:
    """The last of a statement's seven was cut on paper and on a laptop, and a lease's sixth stood in a row alone."""
    still.goto(f"{address}/components/")
    still.evaluate(STRIP, count)
    for media, width in (
        ("print", 718),
        ("screen", 1920),
        ("screen", 1366),
        ("screen", 1181),
        ("screen", 1024),
        ("screen", 700),
    ):
        still.emulate_media(media=media)  # type: ignore[arg-type]  # one of its words
        still.set_viewport_size({"width": width, "height": 900})
        assert still.evaluate(CUT) == 0, (media, width)
        assert min(still.evaluate(ROWS)) > 1, (media, width, still.evaluate(ROWS))


def test_the_page_is_drawn_in_its_own_face(address: str, watched: Page, still: Page) -> None:
    """Also where it is laid out alone."""
    for page in (watched, still):
        page.goto(address)
        assert page.evaluate("document.fonts.check('600 14px \"Portal Sans\"')")
        assert page.evaluate("[...document.fonts].filter(face => face.status === 'loaded').length") == 3


def test_a_chart_is_read_with_the_arrow_keys(address: str, watched: Page) -> None:
    watched.goto(address)
    watched.locator("[data-chart]").first.focus()
    for _ in range(7):
        watched.keyboard.press("ArrowLeft")
    expect(watched.locator("#tip")).to_contain_text("Thu 12 Nov")
    expect(watched.locator("#tip")).to_contain_text("Cached input")
    watched.keyboard.press("Enter")
    watched.wait_for_url("**/?day=2026-11-12")


def test_a_tooltip_follows_the_pointer_and_leaves_with_it(address: str, watched: Page) -> None:
    watched.goto(address)
    watched.locator("#tokens .col").nth(3).hover()
    expect(watched.locator("#tip")).to_contain_text("Wed 4 Nov")
    watched.locator("h1").hover()
    expect(watched.locator("#tip")).to_be_hidden()


def test_escape_hides_the_tooltip_and_closes_menus(address: str, watched: Page) -> None:
    watched.goto(address)
    watched.locator("summary.org").click()
    expect(watched.get_by_role("button", name="Quarry Compute Provider")).to_be_visible()
    watched.keyboard.press("Escape")
    expect(watched.get_by_role("button", name="Quarry Compute Provider")).to_be_hidden()


def test_a_click_elsewhere_closes_a_menu(address: str, watched: Page) -> None:
    watched.goto(address)
    watched.locator("summary.me").click()
    expect(watched.get_by_role("button", name="Sign out")).to_be_visible()
    watched.locator("h1").click()
    expect(watched.get_by_role("button", name="Sign out")).to_be_hidden()


def test_open_menus_have_no_accessibility_fault(address: str, watched: Page, scheme: str, axe: AxeCheck) -> None:
    watched.goto(address)
    for menu in ("summary.org", "summary.me"):
        watched.locator(menu).click()
        assert axe(watched) == []


def test_shortcuts_go_places_and_show_themselves(address: str, watched: Page, scheme: str, axe: AxeCheck) -> None:
    watched.goto(address)
    watched.keyboard.press("?")
    dialog = watched.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_be_visible()
    assert axe(watched) == []
    watched.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    watched.keyboard.press("g")
    watched.keyboard.press("i")
    watched.wait_for_url("**/invoice/")
    watched.goto(address)
    watched.keyboard.press("e")
    watched.wait_for_url("**/?export=csv")


def test_a_key_that_follows_a_closed_dialog_at_once_is_a_shortcut(address: str, watched: Page) -> None:
    """Before the next frame is drawn the focus is still on what lies in the closed dialog."""
    watched.goto(address)
    watched.keyboard.press("?")
    expect(watched.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    held = watched.evaluate("""() => {
        const dialog = document.getElementById("help");
        dialog.close();
        const focused = document.activeElement;
        for (const key of ["g", "i"]) focused.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
        return dialog.contains(focused);
    }""")
    watched.wait_for_url("**/invoice/")
    assert held


def test_keys_typed_into_a_field_are_not_shortcuts(address: str, watched: Page) -> None:
    watched.goto(f"{address}/components/")
    watched.get_by_label("Name").fill("")
    watched.get_by_label("Name").press_sequentially("gi?e")
    expect(watched.get_by_label("Name")).to_have_value("gi?e")
    assert watched.url.endswith("/components/")


def test_the_theme_changes_at_once_and_stays(address: str, watched: Page) -> None:
    watched.goto(address)
    light = watched.evaluate("getComputedStyle(document.body).backgroundColor")
    watched.get_by_role("button", name="Dark").click()
    assert watched.evaluate("getComputedStyle(document.body).backgroundColor") != light
    watched.reload()
    expect(watched.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
    assert watched.evaluate("getComputedStyle(document.body).backgroundColor") != light
    watched.get_by_role("button", name="Auto").click()
    assert watched.evaluate("getComputedStyle(document.body).backgroundColor") == light


def test_a_filter_applies_as_soon_as_it_changes(address: str, watched: Page) -> None:
    watched.goto(address)
    watched.get_by_label("Period").select_option("Last month")
    watched.wait_for_url("**period=Last+month")


def test_a_range_shows_its_value(address: str, watched: Page) -> None:
    watched.goto(f"{address}/margin/")
    watched.get_by_label("Change price").focus()
    for _ in range(6):
        watched.keyboard.press("ArrowLeft")
    expect(watched.locator("#pct-v")).to_have_text("\N{MINUS SIGN}1%")


def test_the_side_bar_slides_in_on_a_phone(address: str, watched: Page, fits_phone: PhoneCheck, axe: AxeCheck) -> None:
    watched.goto(address)
    assert fits_phone(watched) == []
    side = watched.locator("#side")
    expect(side).to_be_hidden()
    watched.get_by_role("link", name="Menu", exact=True).click()
    expect(side).to_be_visible()
    assert axe(watched) == []
    watched.get_by_role("link", name="Close the menu").click()
    expect(side).to_be_hidden()


def test_everything_but_tooltips_works_without_scripts(address: str, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    page.locator("summary.org").click()
    expect(page.get_by_role("button", name="Quarry Compute Provider")).to_be_visible()
    page.locator("#tokens details summary").click()
    expect(page.get_by_role("link", name="Thu 12 Nov")).to_be_visible()
    expect(page.locator("#tokens svg rect.s-in").first).to_be_visible()
    page.get_by_label("Period").select_option("Last month")
    page.get_by_role("button", name="Apply").click()
    assert "period=Last+month" in page.url
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_role("link", name="Shortcuts").click()
    expect(page.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()
    context.close()


def test_the_page_reads_chinese(address: str, watched: Page, axe: AxeCheck) -> None:
    watched.goto(address)
    watched.locator("[name=language]").click()
    expect(watched.locator("html")).to_have_attribute("lang", "zh-hans")
    expect(watched.get_by_text("以表格显示").first).to_be_visible()
    expect(watched.get_by_text("13日", exact=True).first).to_be_attached()
    assert axe(watched) == []


def test_the_keyboard_reaches_the_content_first(address: str, watched: Page) -> None:
    watched.goto(address)
    watched.keyboard.press("Tab")
    expect(watched.get_by_role("link", name="Skip to content")).to_be_focused()
    watched.keyboard.press("Enter")
    expect(watched.locator("#main")).to_be_focused()
