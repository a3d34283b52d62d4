"""Terms and price versions come back from evidence as they were, through text, to the last decimal."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.evidence_terms import read_term, read_version, write_term, write_version
from billing.rating.book import PriceVersion, TokenClass
from billing.rating.credit import CreditWording, Drawn, Grant
from billing.rating.inputs import Carried, TermInput, Used
from billing.rating.lease_wording import LeaseWording
from billing.rating.share_wording import TokenShareWording
from billing.rating.wording import Stretch
from clusters.occupancy import Hold
from tests.examples import examples

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
MIDDLE = datetime(2026, 3, 15, 12, 30, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
PRICES = st.decimals(0, 10**9, places=9)
LEASE = TermInput(
    ref="L-1",
    title="Leased",
    from_at=MARCH,
    to_at=None,
    stretches=(
        Stretch(1, MARCH, MIDDLE, LeaseWording(price_per_gpu_hour=Decimal("2.35"))),
        Stretch(3, MIDDLE, APRIL, LeaseWording(flat_amount_per_day=Decimal(40))),
    ),
    holds=(Hold("s1", 1000, MARCH, MIDDLE, "c1", "sample-card"), Hold("s2", 143, MIDDLE, None, "c2", "sample-card")),
)
CREDIT = TermInput(
    ref="CR-1",
    title="",
    from_at=MARCH,
    to_at=APRIL,
    stretches=(Stretch(2, MARCH, APRIL, CreditWording(grants=(Grant(name="one", amount=Decimal(9), from_at=MARCH),))),),
    facts=(Drawn(grant="one", amount=Decimal("0.01")), Carried(name="left", value=Decimal("1E-18"))),
)


@pytest.mark.parametrize("term", [LEASE, CREDIT], ids=lambda each: each.ref)
def test_a_term_comes_back_through_text(term: TermInput) -> None:
    document = json.loads(json.dumps(write_term(term)))
    assert read_term(document) == term
    assert write_term(read_term(document)) == document


def test_a_term_names_its_kind_and_the_version_that_agreed_each_wording() -> None:
    document = write_term(LEASE)
    assert (document["kind"], document["to_at"]) == ("lease", None)
    assert [each["version"] for each in document["wordings"]] == [1, 3]
    assert [each["to_at"] for each in document["holds"]] == [MIDDLE.isoformat(), None]


@settings(max_examples=examples(25))
@given(
    st.lists(
        st.builds(
            Used,
            deployment=st.sampled_from(["d1", "d2"]),
            model=st.text(max_size=5),
            quantity=st.sampled_from(["input", "images"]),
            quality=st.sampled_from(["A", "E", "S"]),
            from_at=st.just(MARCH),
            to_at=st.timedeltas(timedelta(0), timedelta(days=30)).map(MARCH.__add__),
            count=st.integers(0, 2**80),
            context_over=st.sampled_from([0, 200_000]),
            marks=st.sampled_from(["", "batch", "batch+test"]),
        ),
        max_size=4,
    )
)
def test_usage_of_any_size_comes_back_through_text(usage: list[Used]) -> None:
    share = TokenShareWording(share_percent=Decimal(30), witness="gateway")
    term = TermInput("S-1", "", MARCH, None, (Stretch(1, MARCH, APRIL, share),), usage=tuple(usage))
    document = json.loads(json.dumps(write_term(term)))
    assert read_term(document) == term
    assert all(isinstance(row[6], str) for row in document["usage"])


@pytest.mark.parametrize("order", [1, -1])
def test_the_same_instants_keep_the_text_of_their_zones(order: int) -> None:
    """Texts of hours are remembered while a term is written; of an instant in another zone none is."""
    kolkata = MIDDLE.astimezone(ZoneInfo("Asia/Kolkata"))
    share = TokenShareWording(share_percent=Decimal(30), witness="gateway")
    usage = tuple(
        Used("d1", "m", "input", "A", from_at, to_at, 1)
        for from_at, to_at in [(MIDDLE, MIDDLE), (kolkata, APRIL), (MIDDLE, kolkata), (MIDDLE, APRIL)][::order]
    )
    term = TermInput("S-1", "", MARCH, None, (Stretch(1, MARCH, APRIL, share),), usage=usage)
    rows = write_term(term)["usage"]
    assert [(row[4], row[5]) for row in rows] == [(each.from_at.isoformat(), each.to_at.isoformat()) for each in usage]
    assert len({row[4] for row in rows}) == 2
    again = read_term({**write_term(term), "usage": rows})
    assert again == term
    assert write_term(again)["usage"] == rows


@settings(max_examples=examples(25))
@given(PRICES, PRICES, PRICES)
def test_every_kind_of_price_comes_back_through_text(base: Decimal, tier: Decimal, other: Decimal) -> None:
    version = PriceVersion(
        "v1",
        MARCH,
        token_prices={("sample", TokenClass.INPUT): base, ("sample", TokenClass.OUTPUT): other},
        gpu_prices={"sample-card": other},
        tier_prices={("sample", TokenClass.INPUT, 200_000): tier},
        unit_prices={("sample", "images"): base},
        factors={("", "batch"): Decimal("0.5")},
    )
    document = json.loads(json.dumps(write_version(version, {"v1": 4})))
    again = read_version(document)
    assert again == version
    assert write_version(again, {"v1": 4}) == document


def test_a_version_has_its_number_and_none_where_it_is_not_known() -> None:
    version = PriceVersion("v1", MARCH)
    assert write_version(version, {"v1": 4})["number"] == 4
    assert write_version(version, {"v2": 4})["number"] is None


def test_other_prices_are_named_only_where_there_are_some() -> None:
    """What was sealed before there were other prices keeps its text."""
    plain = write_version(PriceVersion("v1", MARCH, gpu_prices={"b": Decimal("2.50"), "a": Decimal(1)}), {})
    assert "others" not in plain
    assert list(plain["per_gpu_hour"].items()) == [("a", "1"), ("b", "2.5")]
    assert "others" in write_version(PriceVersion("v1", MARCH, factors={("", "batch"): Decimal(1)}), {})


def test_prices_stand_in_one_order_whatever_the_order_they_were_given_in() -> None:
    prices = [(("b", TokenClass.INPUT), Decimal(1)), (("a", TokenClass.OUTPUT), Decimal(2))]
    one, two = (PriceVersion("v1", MARCH, token_prices=dict(each)) for each in (prices, prices[::-1]))
    assert json.dumps(write_version(one, {})) == json.dumps(write_version(two, {}))
