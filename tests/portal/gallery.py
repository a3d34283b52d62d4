"""Every component and every chart on real pages with made-up figures, for the browser tests of the look."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import include, path
from django.utils import translation

from portal.charts import (
    Cell,
    Column,
    Fact,
    Heading,
    Limit,
    Part,
    Row,
    Series,
    Table,
    Window,
    bar,
    column_table,
    draw_occupancy,
    line_chart,
    sparkline,
    stacked_columns,
)
from portal.figures import axis, compact, number
from portal.locales import active_locale
from portal.parts import (
    Action,
    Check,
    Choice,
    Empty,
    Kpi,
    LegendEntry,
    Notice,
    Pagination,
    Pill,
    PillTone,
)
from portal.shell import Crumb, FreshnessState, theme_of
from portal.templatetags.figures_tags import money_big
from tests.portal import gallery_data as data

PAGES = Path(__file__).parent / "gallery_pages"


STATES: dict[str, FreshnessState] = {"fresh": "fresh", "late": "late", "never": "never"}


def show(request: HttpRequest, name: str, context: dict[str, Any], *, area: str, current: str) -> HttpResponse:
    """A gallery page in the product's own frame."""
    shell = data.shell(
        area,
        current,
        theme=theme_of(request.COOKIES.get("theme", "")),
        language=translation.get_language() or "en",
        state=STATES[request.GET.get("state", "fresh")],
    )
    template = engines["django"].from_string((PAGES / name).read_text(encoding="utf-8"))
    return HttpResponse(template.render({"shell": shell, **context}, request))


def usage_kpis(locale: str) -> tuple[Kpi, ...]:
    """The figures above the tenant's usage page."""
    mixed = [Part("s-cached", 28_600), Part("s-in", 48_100), Part("s-out", 14_800)]
    return (
        Kpi(
            "Month to date",
            money_big(Decimal("20676.51"), "USD"),
            chart=sparkline([7, 9, 8, 10, 7, 6, 14, 13, 15, 11, 6, 6, 12, 13], filled=True),
            foot="against 1 to 18 October",
            foot_strong="+8.2%",
            lead=True,
        ),
        Kpi(
            "Budget, November",
            "$32,000",
            chart=bar([Part("k-line", 20_676)], whole=35_281, mark=32_000),
            foot="left for 12 days",
            foot_strong="$11,323",
            foot_tone="good",
        ),
        Kpi("Tokens", compact(91_500_000_000, locale=locale), chart=bar(mixed, whole=91_500), foot="14.8B out"),
        Kpi("GPU-hours", "3,989", "h", chart=bar([Part("m0", 3989)], whole=5760), foot="of 5,760 committed"),
        Kpi("Cache hit rate", "37.3", "%", chart=bar([Part("u-hi", 373)], whole=1000), foot="saved $3,471"),
    )


def usage_rows() -> list[dict[str, Any]]:
    """One row for each model."""
    return [
        {
            "name": name,
            "tone": f"m{index}",
            "tokens": 13_930_000_000 // (index + 1),
            "cost": Decimal("6538.25") / (index + 1),
            "spark": sparkline([3, 5, 4, 6, 9, 2, 7, 8], small=True, height_px=22),
            "bar": bar([Part("m0", 100 // (index + 1))], whole=100),
        }
        for index, name in enumerate(data.MODELS)
    ]


def usage(request: HttpRequest) -> HttpResponse:
    """The tenant's usage page."""
    locale = active_locale()
    columns, costs = data.token_columns(locale), data.cost_columns(locale)
    cost_series = (Series("cost", "Cost", "k-line"),)
    context = {
        "kpis": usage_kpis(locale),
        "notice": Notice(
            "Price drop on 1 December.",
            "Sample 235B output goes from $1.10 to $0.98 per 1M tokens.",
            link=Action("See the notice", "#"),
        ),
        "chart": stacked_columns(
            columns,
            data.TOKEN_SERIES,
            label="Tokens per day in November 2026. Use the arrow keys to read one day at a time.",
            form=lambda value: axis(value, locale=locale),
        ),
        "table": column_table(
            columns,
            data.TOKEN_SERIES,
            caption="Tokens per day",
            head="Day (UTC)",
            form=number,
            unknown="not measured",
        ),
        "legend": [LegendEntry(series.name, series.tone) for series in reversed(data.TOKEN_SERIES)],
        "cost_chart": line_chart(
            costs,
            cost_series,
            label="Cost of November so far",
            form=lambda value: axis(value, locale=locale, currency="USD"),
            limit=Limit(Decimal(32000), "Budget $32,000"),
        ),
        "cost_legend": [LegendEntry("Actual", "k-line")],
        "cost_table": column_table(
            costs,
            cost_series,
            caption="Cost so far",
            head="Day (UTC)",
            form=number,
        ),
        "choices": [Choice("Type", "?group=type", current=True), Choice("Model", "?group=model")],
        "rows": usage_rows(),
        "overdue": Pill("3 days overdue", "bad"),
        "paid": Pill("Paid", "good"),
        "pagination": Pagination("1 to 5 of 42", next_url="?page=2"),
    }
    return show(request, "usage.html", context, area="tenant", current="usage")


def occupancy(request: HttpRequest) -> HttpResponse:
    """The provider's timeline; ``?days=1`` shows hours."""
    locale = active_locale()
    days = int(request.GET.get("days", "14"))
    start = data.at(18) if days == 1 else data.at(12)
    full = data.window(days)
    window = Window(start, start + (full.to_at - full.from_at), full.now, full.zone)
    nodes = data.fleet()
    rows = tuple(
        Row(
            Cell(block.reference or "–", block.url),
            (Cell(block.title), Cell(node.name), Cell(f"{block.from_at:%d %b %H:%M}"), Cell(block.state)),
        )
        for node in nodes
        for block in node.blocks
    )
    headings = (Heading("Lease"), Heading("Tenant"), Heading("Node"), Heading("From"), Heading("State"))
    context = {
        "kpis": (
            Kpi("Booked", "83.1", "%", foot="of GPU time in view"),
            Kpi("Utilised while leased", "79", "%", foot="median SM activity, 24 h"),
            Kpi("Free now", "2", "/ 16", foot="both taken again on 19 Nov"),
            Kpi("Drawing", "13.5", "kW", foot="$31.40 energy today"),
            Kpi("Needs attention", "1", "GPU", foot="fra1-h100-04 · GPU 1, XID 79", alert=True),
        ),
        "occupancy": draw_occupancy(nodes, window=window, locale=locale, head="GPU", label="Leases per GPU"),
        "table": Table("Leases", headings, rows),
        "legend": [
            LegendEntry("Running", "key-running"),
            LegendEntry("Reserved", "key-reserved"),
            LegendEntry("Ended", "key-ended"),
            LegendEntry("Maintenance", "key-maintenance"),
        ],
        "choices": [
            Choice("Day", "?days=1", current=days == 1),
            Choice("Week", "?days=7", current=days == 7),
            Choice("2 weeks", "?days=14", current=days == 14),
        ],
        "crumbs": (Crumb("Fleet", "/components/"), Crumb("Frankfurt 1", "/components/"), Crumb("Occupancy")),
    }
    return show(request, "occupancy.html", context, area="provider", current="occupancy")


def margin(request: HttpRequest) -> HttpResponse:
    """Cost against price, with a model that sells below cost."""
    made: list[tuple[str, int, int, PillTone, str]] = [
        ("Sample 235B", 201, 312, "good", "+35.6%"),
        ("Sample 120B", 86, 141, "good", "+39.0%"),
        ("Sample 70B", 333, 338, "warn", "+1.5%"),
        ("Sample 8x22B", 458, 405, "bad", "−13.1%"),
    ]
    rows = [
        {
            "name": name,
            "bar": bar(
                [
                    Part("c-gpu", cost * 7 // 10),
                    Part("c-energy", cost * 2 // 10),
                    Part("c-ovh", cost - cost * 7 // 10 - cost * 2 // 10),
                ],
                whole=480,
                mark=price,
                mark_tone="k-price",
                tall_mark=True,
                height_px=10,
            ),
            "price": Decimal(price) / 1000,
            "cost": Decimal(cost) / 1000,
            "spark": sparkline([5, 6, 4, 5, 7, 8], small=True, height_px=22, tone="bad" if tone == "bad" else "k-line"),
            "pill": Pill(change, tone),
            "tone": tone,
        }
        for name, cost, price, tone, change in made
    ]
    context = {
        "rows": rows,
        "legend": [
            LegendEntry("GPU", "c-gpu"),
            LegendEntry("Energy", "c-energy"),
            LegendEntry("Network and overhead", "c-ovh"),
            LegendEntry("Price", "k-price"),
        ],
        "notice": Notice(
            "Sample 8x22B sells below cost.",
            "Each 1M tokens earns $0.405 and costs $0.458. It has lost money for 6 days, $329 in all.",
            "bad",
            Action("Try a new price", "#sim"),
        ),
    }
    return show(request, "margin.html", context, area="provider", current="margin")


def invoice(request: HttpRequest) -> HttpResponse:
    """An invoice with its evidence."""
    context = {
        "pill": Pill("3 days overdue", "bad"),
        "checks": (
            Check("good", "Adds up", "1,184,206 usage records sum to these lines, to the token"),
            Check("warn", "Two witnesses", "The gateway counted 0.02% fewer output tokens than the engine"),
            Check("bad", "Same as your dashboard", "The usage page shows $12.40 more: 2 late records"),
            Check("unknown", "Energy", "No power readings for this period"),
            Check("good", "Sealed", "Ledger closed 1 Nov 2026 00:14 UTC", "sha256 9f2c…71ae"),
        ),
        "groups": [
            ("Sample 235B", [("Input", 18_402_118_330, Decimal("0.28"), "v3", Decimal("5152.59"))]),
            ("Sample 70B", [("Output", 4_820_118_022, Decimal(1), "v2", Decimal("4820.12"))]),
        ],
        "crumbs": (Crumb("Billing"), Crumb("Invoices", "/invoice/"), Crumb("INV-2026-0117")),
    }
    return show(request, "invoice.html", context, area="tenant", current="invoices")


class BudgetForm(forms.Form):
    """Every kind of field."""

    name = forms.CharField(label="Name", help_text="As it stands in the alert.", max_length=40)
    amount = forms.DecimalField(label="Amount per month", min_value=Decimal(1))
    scope = forms.ChoiceField(label="Applies to", choices=[("all", "All projects"), ("one", "One project")])
    note = forms.CharField(label="Note", widget=forms.Textarea(attrs={"rows": 3}), required=False)
    stops = forms.BooleanField(label="Stop new requests at 100%", required=False, help_text="Checked each minute.")
    tell = forms.MultipleChoiceField(
        label="Tell", choices=[("a", "Owners"), ("b", "Finance")], widget=forms.CheckboxSelectMultiple, required=False
    )


def components(request: HttpRequest) -> HttpResponse:
    """The rest: notices, forms, empty states, charts without or with odd data."""
    messages.success(request, "Budget saved.")
    messages.error(request, "The card was declined. Try another one.")
    form = BudgetForm(request.POST if request.method == "POST" else {"amount": "0"})

    def ticks(value: Decimal) -> str:
        return axis(value, locale="en_GB")

    one = [Column("1", "Sun 1 Nov", {"input": 5}, (Fact("Input", "5"),))]
    zeros = [Column(str(index), f"Day {index}", {"input": 0}, (Fact("Input", "0"),)) for index in range(1, 8)]
    huge = [Column(str(index), f"Day {index}", {"input": 10**15 * index}) for index in range(1, 8)]
    mixed = [
        Column(str(index), f"Day {index}", {"input": Decimal(index), "output": Decimal(-index) / 2}, url="#x")
        for index in range(1, 8)
    ]
    broken = [Column(str(index), f"Day {index}", {} if index == 4 else {"input": index}) for index in range(1, 8)]
    charts = [
        (name, stacked_columns(columns, data.TOKEN_SERIES, label=name, form=ticks, height_px=120))
        for name, columns in (
            ("No columns", []),
            ("One column", one),
            ("Zeros", zeros),
            ("Huge", huge),
            ("Credits", mixed),
        )
    ]
    charts.append(("Broken line", line_chart(broken, data.TOKEN_SERIES[1:2], label="b", form=ticks, height_px=120)))
    charts.append(("No line", line_chart([], data.TOKEN_SERIES[1:2], label="n", form=ticks, height_px=120)))
    context = {
        "notices": (
            Notice("Three nodes reported late.", "Usage since 09:10 UTC is not in yet.", "warn"),
            Notice("Paid.", "$33,309.57 came in on 14 November.", "good"),
        ),
        "form": form,
        "empty": Empty(
            "No leases yet",
            "A lease holds GPUs for you from one date to another. Request one and the provider answers.",
            Action("Request a lease", "#", "plus", primary=True),
            "cal",
        ),
        "nothing": Empty("Nothing matches", "No invoice is overdue in this period. Choose a longer one."),
        "charts": charts,
        "pills": (Pill("Draft"), Pill("Open", "info"), Pill("Late", "warn", small=True)),
        "pagination": Pagination("51 to 100 of 1,204", "?page=1", "?page=3"),
        "kpis": (Kpi("Runs", "12"), Kpi("Idle", "0"), Kpi("Late", "3", url="#late")),
        "kpis_four": (Kpi("A", "1", lead=True), Kpi("B", "2"), Kpi("C", "3"), Kpi("D", "4")),
        "kpis_seven": tuple(Kpi(f"Figure {number}", "$1,210,644.25", foot="owed to you") for number in range(7)),
        "plain_bar": bar([], whole=0, label="Nothing used"),
    }
    return show(request, "components.html", context, area="tenant", current="budgets")


def forbidden(request: HttpRequest) -> HttpResponse:
    """Answers 403."""
    raise PermissionDenied


def damaged(request: HttpRequest) -> HttpResponse:
    """Answers 400."""
    raise SuspiciousOperation


class SampleFault(Exception):
    """What breaks the page that shows a broken page."""


def broken(request: HttpRequest) -> HttpResponse:
    """Answers 500."""
    raise SampleFault


urlpatterns = [
    path("", usage, name="home"),
    path("occupancy/", occupancy),
    path("margin/", margin),
    path("invoice/", invoice),
    path("components/", components),
    path("forbidden/", forbidden),
    path("damaged/", damaged),
    path("broken/", broken),
    path("", include("portal.urls")),
    path("", include("tenants.accounts.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
]
