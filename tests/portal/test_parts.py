"""Every component partial shows what it was given, and nothing for what it was not."""

from typing import Any

import pytest
from django.template.loader import render_to_string

from portal.charts import Cell, Heading, Row, Table
from portal.parts import (
    Action,
    Check,
    CheckState,
    Choice,
    Empty,
    Kpi,
    Notice,
    NoticeTone,
    Pagination,
    Pill,
)
from portal.shell import Crumb, Freshness, Organization, OrganizationChoice, Shell


def shown(name: str, **context: Any) -> str:
    return render_to_string(f"portal/partials/{name}.html", context)


@pytest.mark.parametrize(("tone", "loud"), [("info", False), ("good", False), ("warn", True), ("bad", True)])
def test_only_bad_news_interrupts(tone: NoticeTone, loud: bool) -> None:
    drawn = shown("notice", notice=Notice("Strong.", "Text <b>", tone, Action("Do", "/do/")))
    assert ('role="alert"' in drawn) == loud
    assert "<b>Strong.</b> Text &lt;b&gt;" in drawn
    assert '<a href="/do/">Do</a>' in drawn


def test_a_figure_has_its_unit_chart_and_foot() -> None:
    kpi = Kpi("Cost", "$5", "h", foot="against", foot_strong="+8%", foot_tone="bad", lead=True, alert=True, url="/c/")
    drawn = shown("kpis", kpis=[kpi, Kpi("Bare", "1")], plain=True)
    assert 'class="kpis n2 plain"' in drawn
    assert 'class="kpi hero alert"><dt><a href="/c/">Cost</a>' in drawn
    assert '$5<small>h</small></dd><dd class="foot"><b class="bad">+8%</b> against</dd>' in drawn
    assert '<dt>Bare</dt><dd class="big">1</dd></div>' in drawn


@pytest.mark.parametrize(
    ("state", "said"),
    [("good", "holds"), ("warn", "holds with a remark"), ("bad", "does not hold"), ("unknown", "not checked yet")],
)
def test_a_check_says_its_result_in_words(state: CheckState, said: str) -> None:
    drawn = shown("checks", checks=[Check(state, "Adds up", "to the token", "sha256 9f2c")])
    assert f": {said}</span>" in drawn
    assert "<code>sha256 9f2c</code>" in drawn


def test_an_empty_state_says_what_to_do() -> None:
    drawn = shown("empty", empty=Empty("Nothing", "Do this.", Action("Do", "/do/", "plus", primary=True, key="n")))
    assert '<a class="btn pri" href="/do/" data-key="n">' in drawn
    assert "btn" not in shown("empty", empty=Empty("Nothing", "Wait."))


def test_pages_link_only_to_where_there_is_something() -> None:
    drawn = shown("pagination", pagination=Pagination("1 to 5 of 9", next_url="?page=2"))
    assert 'rel="next"' in drawn
    assert 'rel="prev"' not in drawn
    assert "<a" not in shown("pagination", pagination=Pagination("9 of 9"))


def test_one_choice_is_current() -> None:
    drawn = shown("segmented", label="By", choices=[Choice("Day", "?d=1", current=True), Choice("Week", "?d=7")])
    assert drawn.count('aria-current="true"') == 1


def test_a_table_escapes_its_cells_and_shows_nothing_as_a_dash() -> None:
    table = Table(
        "Leases",
        (Heading("Lease"), Heading("Cost", numeric=True), Heading("Who")),
        (Row(Cell("L-1", "/l/1/"), (Cell(""), Cell("<b>", "/w/", "strong"))),),
    )
    drawn = shown("details_table", table=table)
    assert '<th scope="row"><a href="/l/1/">L-1</a></th>' in drawn
    assert '<td class="r ">\N{EN DASH}</td>' in drawn
    assert '<td class="strong"><a href="/w/">&lt;b&gt;</a></td>' in drawn
    assert 'aria-label="Leases"' in drawn


def test_a_small_pill_is_small() -> None:
    assert shown("pill", pill=Pill("Late", "warn", small=True)).strip() == '<span class="pill warn xs">Late</span>'


def test_late_data_is_never_called_fresh_and_nothing_is_never_called_zero() -> None:
    assert "Nothing metered yet" in shown("freshness", freshness=Freshness("never"))


def test_the_last_crumb_is_the_page_and_no_link() -> None:
    drawn = shown("crumbs", crumbs=[Crumb("Invoices", "/t/"), Crumb("INV-1", "/t/1/")], shell=Shell())
    assert '<li><a href="/t/">Invoices</a></li>' in drawn
    assert '<li aria-current="page">INV-1</li>' in drawn


def test_without_an_organization_there_is_no_switcher() -> None:
    assert shown("organization", shell=Shell()).strip() == ""


def test_another_organization_is_chosen_by_a_button_that_posts() -> None:
    choices = (
        OrganizationChoice("Own", "Tenant", "/as/own/", "tenant", current=True),
        OrganizationChoice("Other", "Provider", "/as/other/", "provider"),
    )
    drawn = shown(
        "organization",
        shell=Shell(organization=Organization("Own", "Tenant"), organizations=choices),
        csrf_token="token",
    )
    assert "<a " not in drawn
    assert drawn.count('name="csrfmiddlewaretoken" value="token"') == 2
    assert '<form method="post" action="/as/other/">' in drawn
    assert drawn.count('<button aria-current="true">') == 1


def test_a_single_organization_offers_no_choice() -> None:
    only = (OrganizationChoice("Own", "Tenant", "/as/own/", "tenant", current=True),)
    drawn = shown("organization", shell=Shell(organization=Organization("Own", "Tenant"), organizations=only))
    assert "<form" not in drawn
    assert "<b>Own</b>" in drawn
