"""Made-up figures for the gallery: invented companies, machines and prices, always the same."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random

from portal.charts import (
    Block,
    BlockState,
    Column,
    ColumnState,
    Fact,
    Lane,
    Node,
    Series,
    Tone,
    Window,
)
from portal.figures import EN, compact, day, money
from portal.shell import (
    Freshness,
    FreshnessState,
    NavGroup,
    NavItem,
    Organization,
    OrganizationChoice,
    Person,
    Shell,
    Theme,
)

NOW = datetime(2026, 11, 18, 14, 32, tzinfo=UTC)
TOKEN_SERIES = (
    Series("cached", "Cached input", "s-cached"),
    Series("input", "Input", "s-in"),
    Series("output", "Output", "s-out"),
)
MODELS = ("Sample 235B", "Sample 70B", "Sample 120B", "Sample 8x22B", "Sample embeddings")
STATES: dict[int, ColumnState] = {18: "partial", 12: "estimated"}
TONES: tuple[Tone, ...] = ("m0", "m1", "m2", "m3", "m4", "m5")
TENANTS = ("Northwind Robotics", "Acme Genomics", "Helios Studio", "深视 Vision", "Fjord Bank", "Internal")


def token_columns(locale: str = EN) -> list[Column]:
    """A month of days: 18 with use, one of them partial, one estimated, one missing; 12 ahead."""
    random = Random(7)
    columns = []
    for number in range(1, 31):
        at = date(2026, 11, number)
        label = day(at, "d", locale) if number % 3 == 1 else ""
        title = day(at, "MMMEd", locale)
        weekend = at.weekday() >= 5
        if number > 18:
            columns.append(Column(label, title, state="ahead", weekend=weekend))
            continue
        if number == 8:
            columns.append(Column(label, title, facts=(Fact("Not measured", "gap"),), state="gap", weekend=weekend))
            continue
        busy = Decimal(random.randint(55, 100)) / (160 if weekend else 100)
        values = {
            "cached": int(2_250_000_000 * busy),
            "input": int(3_790_000_000 * busy),
            "output": int(1_150_000_000 * busy),
        }
        facts = tuple(
            Fact(series.name, compact(values[series.key], locale=locale, digits=2), series.tone)
            for series in reversed(TOKEN_SERIES)
        )
        cost = Decimal(sum(values.values())) * Decimal("0.00000022")
        columns.append(
            Column(
                label,
                title,
                values,
                facts=(*facts, Fact("Cost", money(cost, "USD", locale=locale))),
                url=f"?day={at.isoformat()}",
                state=STATES.get(number, "measured"),
                weekend=weekend,
            )
        )
    return columns


def cost_columns(locale: str = EN) -> list[Column]:
    """The running total of the same month; days ahead have no value."""
    random = Random(3)
    total, columns = Decimal(0), []
    for number in range(1, 31):
        at = date(2026, 11, number)
        label = day(at, "d", locale) if number % 3 == 1 else ""
        if number > 18:
            columns.append(Column(label, day(at, "MMMEd", locale), state="ahead"))
            continue
        total += random.randint(700, 1600)
        fact = Fact("Month to date", money(total, "USD", locale=locale, digits=0), "k-line")
        columns.append(Column(label, day(at, "MMMEd", locale), {"cost": total}, facts=(fact,)))
    return columns


def window(days: int = 14) -> Window:
    """Two weeks around now."""
    start = datetime(2026, 11, 12, tzinfo=UTC)
    return Window(start, start + timedelta(days=days), NOW, UTC)


def at(day_of_month: int, hour: int = 0) -> datetime:
    """An instant of November 2026."""
    return datetime(2026, 11, day_of_month, hour, tzinfo=UTC)


def held(
    lanes: tuple[int, int],
    begin: datetime,
    end: datetime | None,
    state: BlockState,
    *,
    tenant: int,
    reference: str = "",
) -> Block:
    """A lease of an invented tenant."""
    count = lanes[1] - lanes[0] + 1
    facts = (
        Fact("Status", state.capitalize()),
        Fact("From", f"{begin:%d %b %H:%M} UTC"),
        Fact("To", f"{end:%d %b %H:%M} UTC" if end else "open"),
        Fact("GPUs", f"{count} × H100"),
    )
    return Block(
        first_lane=lanes[0],
        last_lane=lanes[1],
        from_at=begin,
        to_at=end,
        state=state,
        title=TENANTS[tenant] if state != "maintenance" else "XID 79 · RMA",
        reference=reference,
        detail=f"{count} GPUs · $1.12/h" if count > 1 else "",
        tone=TONES[tenant],
        url=f"/leases/{reference}/" if reference else "",
        facts=facts,
    )


def fleet() -> tuple[Node, ...]:
    """Two full nodes and one that is cut into slices."""
    used = [Decimal(value) / 100 for value in (94, 92, 95, 91, 88, 86, 52, 3)]
    first = Node(
        name="fra1-h100-03",
        lanes=tuple(Lane(f"GPU {index}", used=used[index]) for index in range(8)),
        blocks=(
            held((0, 3), at(10), at(20, 23), "running", tenant=0, reference="L-2041"),
            held((0, 3), at(21, 14), at(30), "reserved", tenant=0, reference="L-2077"),
            held((4, 5), at(9), at(14, 6), "ended", tenant=2, reference="L-2030"),
            held((4, 5), at(15), at(19, 17), "running", tenant=1, reference="L-2052"),
            held((4, 5), at(20, 6), None, "reserved", tenant=4, reference="L-2080"),
            held((6, 7), at(13, 10), at(16, 2), "ended", tenant=3, reference="L-2049"),
            held((6, 7), at(17, 8), at(20, 20), "running", tenant=2, reference="L-2058"),
            held((6, 7), at(22), at(24, 12), "reserved", tenant=3, reference="L-2081"),
        ),
        facts=("H100 SXM 80 GB × 8", "81% utilised", "7.9 kW"),
        state="good",
        state_text="reporting",
        url="/fleet/fra1-h100-03/",
    )
    second = Node(
        name="fra1-h100-04",
        lanes=(
            Lane("GPU 0", used=Decimal("0.9")),
            Lane("GPU 1", fault="fault"),
            Lane("1g.10gb 0", thin=True, used=Decimal("0.4")),
            Lane("1g.10gb 1", thin=True),
            Lane("3g.40gb 0", thin=True, used=Decimal("0.99")),
        ),
        blocks=(
            held((0, 0), at(12, 6), at(23, 6), "running", tenant=4, reference="L-2044"),
            held((1, 1), at(1), at(17, 3), "ended", tenant=1, reference="L-2036"),
            held((1, 1), at(17, 3), at(20), "maintenance", tenant=5),
            held((2, 2), at(14), at(22), "running", tenant=3, reference="L-2090"),
            held((3, 3), at(15), at(19), "running", tenant=2, reference="L-2091"),
            held((4, 4), at(16), None, "running", tenant=1, reference="L-2092"),
        ),
        facts=("H100 SXM 80 GB × 2", "1 cut in 3 slices", "5.6 kW"),
        state="warn",
        state_text="one GPU out of service",
        notice="1 GPU out of service",
    )
    return first, second


def navigation(area: str) -> tuple[NavGroup, ...]:
    """The side bar of a tenant or of a provider."""
    if area == "tenant":
        return (
            NavGroup(
                "Consumption",
                (
                    NavItem("usage", "Usage", "/", "chart", go="u"),
                    NavItem("leases", "Leases", "/occupancy/", "cal", badge="3", go="l"),
                    NavItem("budgets", "Budgets and alerts", "/components/", "bell"),
                ),
            ),
            NavGroup(
                "Billing",
                (
                    NavItem("invoices", "Invoices", "/invoice/", "doc", "1", "due", "1 overdue", go="i"),
                    NavItem("prices", "Prices", "/components/", "tag"),
                    NavItem("contracts", "Contracts", "/components/", "sign"),
                ),
            ),
        )
    return (
        NavGroup(
            "Fleet",
            (
                NavItem("fleet", "Fleet", "/components/", "chip", go="f"),
                NavItem("occupancy", "Occupancy", "/occupancy/", "cal", go="o"),
                NavItem("energy", "Energy", "/components/", "bolt"),
            ),
        ),
        NavGroup("Commercial", (NavItem("margin", "Margin", "/margin/", "scale", "1", "due", "1 below cost"),)),
        NavGroup("Nothing here", ()),
    )


def shell(
    area: str, current: str, *, theme: Theme = "", language: str = "en", state: FreshnessState = "fresh"
) -> Shell:
    """The frame of a gallery page."""
    tenant = area == "tenant"
    return Shell(
        area="tenant" if tenant else "provider",
        organization=Organization("Northwind Robotics", "Tenant")
        if tenant
        else Organization("Quarry Compute", "Provider"),
        organizations=(
            OrganizationChoice("Northwind Robotics", "Tenant", "/", "tenant", current=tenant),
            OrganizationChoice("Quarry Compute", "Provider", "/occupancy/", "provider", current=not tenant),
        ),
        navigation=navigation(area),
        current=current,
        freshness=Freshness(state, None if state == "never" else NOW),
        person=Person("Mei Lindqvist", "mei@example.com", (NavItem("me", "Your settings", "/", "gear"),)),
        theme=theme,
        language=language,
    )
