"""Time held is priced by share and second, and what is the provider's fault is taken off beside it."""

from decimal import Decimal

from billing.rating.held_time import About, Outage, Rates, Row, amount_line, at_fault, outage_spans, rate_time
from billing.rating.inputs import TermInput
from billing.rating.rated import TermKind, Unit, UnpricedReason
from clusters.occupancy import Hold, unix_second
from tests.billing.rating.made import END, START, at, hold, version

ABOUT = About(TermKind.LEASE, "L-1", 3)
DAY = (unix_second(START), unix_second(END))
HELD = Row("fixed", "book")


def outage(subject: str, from_hours: float, to_hours: float, cause: str = "card_lost") -> Outage:
    return Outage(subject=subject, cause=cause, from_at=at(from_hours), to_at=at(to_hours))


def term(*facts: Outage) -> TermInput:
    return TermInput("L-1", "", START, None, (), facts=facts)


def test_a_row_that_takes_off_is_the_row_it_takes_from_turned_round() -> None:
    rates = Rates(Decimal("2.5"), ())
    (held,) = rate_time(ABOUT, rates, [hold(0, 3)], DAY, row=HELD).lines
    (off,) = rate_time(ABOUT, rates, [hold(0, 3)], DAY, row=Row.of_rule("fault", sign=-1)).lines
    assert held.amount == -off.amount == Decimal("7.5")
    assert held.quantity == -off.quantity
    assert (held.rule, off.rule) == ("fixed", "fault")
    assert held.line_key != off.line_key
    assert held.line_key == f"lease|L-1|3|H100|fixed|{DAY[0]}"


def test_a_percentage_of_a_price_has_at_most_twelve_decimals() -> None:
    rates = Rates(Decimal("0.000000000003"), (), Decimal(50))
    assert rates.at("H100", START) == (Decimal("0.000000000002"), None)
    book = Rates(None, [version("v1", gpu="2.35")], Decimal(40))
    assert book.at("H100", START) == (Decimal("0.94"), "v1")


def test_time_without_a_price_waits_once() -> None:
    rated = rate_time(ABOUT, Rates(None, ()), [hold(0, 1)], DAY, row=HELD)
    assert [waiting.reason for waiting in rated.unpriced] == [UnpricedReason.NO_VERSION]
    assert rate_time(ABOUT, Rates(None, ()), [hold(0, 1)], DAY, row=Row.of_rule("off", sign=-1)).unpriced == ()


def test_rows_are_cut_at_the_days_of_a_zone_only_where_one_is_given() -> None:
    rates = Rates(Decimal(1), [version("v2", from_hours=6, gpu="9")])
    assert len(rate_time(ABOUT, rates, [hold(0, 24)], DAY, row=HELD).lines) == 1
    assert len(rate_time(ABOUT, rates, [hold(0, 24)], DAY, row=HELD, zone="Asia/Shanghai").lines) == 2


def test_an_outage_is_of_a_slice_or_of_its_card_and_of_a_cause() -> None:
    held = [Hold("s0", 500, START, at(10), "c0", "H100"), Hold("s1", 500, START, None, "c1", "H100")]
    facts = (outage("c0", 1, 3), outage("s0", 2, 4), outage("c1", 5, 99), outage("c1", 0, 9, "maintenance"))
    found = at_fault(term(*facts), held, ["card_lost"], unix_second(at(20)))
    assert [(part.slice_ref, part.from_at, part.to_at) for part in found] == [
        ("s0", at(1), at(4)),
        ("s1", at(5), at(20)),
    ]
    assert at_fault(term(*facts), held, ["node_silent"], DAY[1]) == []
    assert set(outage_spans(facts, ["maintenance"])) == {"c1"}


def test_an_amount_is_owed_or_taken_off() -> None:
    line = amount_line(ABOUT, "credit", Decimal("12.5"), (START, END), sign=-1, key="L-2")
    assert (line.amount, line.quantity, line.unit) == (Decimal("-12.5"), Decimal(-1), Unit.AMOUNT)
    assert line.line_key == "lease|L-1|3|credit|L-2"
