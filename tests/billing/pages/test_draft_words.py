"""A draft in words: where it stands, by how much it differs from the month before, what it waits for."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.basis import PeriodBasis
from billing.charging import ensure_periods
from billing.draft_waits import draft_waits
from billing.models import BillingPeriod
from billing.pages.draft_words import change_words, line_rows, state_pill, waiting_rows
from billing.queries.draft_detail import DraftDetail, DraftEntry, DraftLine, DraftState, draft_entries
from billing.rating.inputs import RatingWindow
from billing.rating.late import RULE_LATE
from billing.rating.lines import Bill
from tests.billing.world import APRIL, MARCH, make_world

if TYPE_CHECKING:
    from tests.factories import Cast

HOUR = timedelta(hours=1)
ENTRY = DraftEntry(
    UUID(int=1),
    "C-1",
    "Provider",
    "provider",
    "Tenant",
    "tenant",
    "EUR",
    "UTC",
    MARCH,
    APRIL,
    DraftState.RUNNING,
    Decimal(0),
    None,
    None,
)

BASIS = PeriodBasis(
    contract="C-1",
    contract_version=1,
    window=RatingWindow(
        currency="USD",
        zone="UTC",
        from_at=ENTRY.from_at,
        to_at=ENTRY.to_at,
        period_to_at=ENTRY.to_at,
        versions=(),
    ),
    terms=(),
    facts=(),
)


def line(
    amount: str, before: str | None = None, *, rule: str = "token_share", unit: str = "tokens", adjusts: str = ""
) -> DraftLine:
    previous = None if before is None else Decimal(before)
    return DraftLine("T-1", "Tokens", "", rule, unit, Decimal(1_500_000), Decimal(amount), previous, adjusts)


def rows(*lines: DraftLine) -> list[dict[str, object]]:
    return line_rows(DraftDetail(ENTRY, lines, Decimal(0), None, None, "", BASIS, Bill("USD", (), Decimal(0))), "en_GB")


def test_every_state_has_a_word() -> None:
    assert len({state_pill(state).text for state in DraftState}) == len(DraftState)


@pytest.mark.parametrize(
    ("amount", "before", "words"),
    [
        ("110", "100", "+10.0%"),
        ("90", "100", "\N{MINUS SIGN}10.0%"),
        ("100", "100", "0.0%"),
        ("0", "100", "\N{MINUS SIGN}100.0%"),
        ("1", "3", "\N{MINUS SIGN}66.7%"),
        ("5", None, "–"),
        ("5", "0", "–"),
        ("99.99", "10", "+899.9%"),
        ("100", "10", "×10"),
        ("1203.20", "1.42", "×847"),
        ("-100", "-10", "+900.0%"),
    ],
)
def test_a_change_is_said_in_percent_of_what_was_before(amount: str, before: str | None, words: str) -> None:
    assert change_words(Decimal(amount), None if before is None else Decimal(before)) == words


@given(amount=st.decimals("0", "1e9", places=2), before=st.decimals("0.01", "1e9", places=2))
def test_more_has_a_plus_and_less_a_minus_or_is_too_small_to_show(amount: Decimal, before: Decimal) -> None:
    said = change_words(amount, before)
    assert said.startswith(("+", "×")) == (amount > before)
    assert not (said.startswith("\N{MINUS SIGN}") and amount >= before)


def test_lines_stand_beside_those_of_the_month_before() -> None:
    [row] = rows(line("12.00", "10.00"))
    assert (row["title"], row["quantity"], row["amount"], row["before"], row["change"], row["late"]) == (
        "T-1 · Tokens",
        "1,500,000 tokens",
        "€12.00",
        "€10.00",
        "+20.0%",
        False,
    )


def test_gpu_time_is_said_by_the_hour() -> None:
    assert [row["quantity"] for row in rows(line("12.00", unit="gpu_seconds"))] == ["416.67 GPU-h"]


def test_a_new_line_has_nothing_before_it_and_an_amount_has_no_quantity_and_says_so() -> None:
    [row] = rows(line("12.00", unit="amount"))
    assert (row["quantity"], row["before"], row["change"]) == ("–", "–", "–")


def test_a_late_line_names_its_invoice_and_is_compared_with_nothing() -> None:
    [row] = rows(line("3.00", "1.00", rule=RULE_LATE, adjusts="INV-0001"))
    assert (row["about"], row["change"], row["late"]) == ("came late for INV-0001", "–", True)


def words_of(entry: DraftEntry, *, hours: int) -> list[str]:
    waits = draft_waits(BillingPeriod.objects.get(pk=entry.period_id), APRIL + hours * HOUR)
    return [row["words"] for row in waiting_rows(waits, entry, "en_GB")]


def waiting(cast: Cast, *, hours: int) -> list[str]:
    [entry] = (one for one in draft_entries(cast.tenant, APRIL + hours * HOUR) if one.from_at == MARCH)
    return words_of(entry, hours=hours)


@pytest.mark.django_db
def test_a_draft_that_is_over_names_the_node_that_it_waits_for_in_the_contracts_own_time(cast: Cast) -> None:
    world = make_world(
        parties=(cast.provider, cast.tenant), tokens={("sample-model", "output"): "1"}, time_zone="Asia/Tokyo"
    )
    shared = world.share(rolled_to_at=MARCH + 20 * timedelta(days=1) + 15 * HOUR)
    ensure_periods(contract=world.contract, now=MARCH)
    shared.use({"output": 5}, at=MARCH)
    entries = draft_entries(cast.tenant, APRIL + HOUR)
    [entry] = [one for one in entries if one.state is DraftState.CLOSING]
    said = words_of(entry, hours=1)
    assert said == [f"{world.nodes[0].name} has reported up to: 22 Mar 2026 00:00 JST"]


@pytest.mark.django_db
def test_a_draft_that_runs_waits_for_nothing(cast: Cast) -> None:
    world = make_world(parties=(cast.provider, cast.tenant))
    world.lease(1, price="1")
    ensure_periods(contract=world.contract, now=MARCH)
    assert waiting(cast, hours=-1) == []
    said = waiting(cast, hours=0)
    assert said == [f"{world.nodes[0].name} has reported up to: nothing"]
