"""Both witnesses' counts move tokens between rows; what is billed outside the tolerance is one of them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.inputs import Fact
from billing.rating.rated import Rated, UnpricedReason
from billing.rating.share_facts import InterruptedCounts, RefundedCounts, WitnessCounts
from billing.rating.share_rating import rate_share
from tests.billing.rating.share_made import APRIL, MAY, april, month, term, used, wording
from tests.examples import examples

ABOUT: dict[str, Any] = {"deployment": "d1", "model": "sample", "token_class": "output", "from_at": APRIL, "to_at": MAY}

MARKED = ("", "interrupted")


def rate(document: dict[str, Any], *facts: Fact, tokens: int = 1_000, marked: int = 0) -> Rated:
    usage = [used(tokens), used(marked, marks="interrupted")]
    return rate_share(term(wording(**document), *usage, facts=facts), month())


def tokens_of(rated: Rated) -> int:
    return int(sum(line.quantity for line in rated.lines))


@pytest.mark.parametrize(
    ("rule", "witness", "engine", "gateway", "billed"),
    [
        ("bill_witness", "gateway", 900, 1_000, 1_000),
        ("bill_lower", "gateway", 900, 1_000, 900),
        ("bill_lower", "gateway", 1_100, 1_000, 1_000),
        ("bill_lower", "engine", 1_000, 900, 900),
        ("bill_engine", "gateway", 900, 1_000, 900),
        ("bill_engine", "gateway", 1_100, 1_000, 1_100),
        ("bill_engine", "engine", 1_000, 900, 1_000),
        ("hold_and_ask", "gateway", 900, 1_000, 900),
        ("hold_and_ask", "engine", 1_000, 1_100, 1_000),
        ("bill_lower", "gateway", 991, 1_000, 1_000),
    ],
)
def test_outside_the_tolerance_one_of_the_counts_bills(
    rule: str, witness: str, engine: int, gateway: int, billed: int
) -> None:
    words = {"witness": witness, "outside_tolerance": rule, "tolerance_percent": "1"}
    rated = rate(words, WitnessCounts(**ABOUT, engine=engine, gateway=gateway))
    assert tokens_of(rated) == billed
    asked = [(each.reason, int(each.quantity)) for each in rated.unpriced]
    assert asked == ([(UnpricedReason.WITNESSES_DIFFER, abs(engine - gateway))] if rule == "hold_and_ask" else [])


def test_what_is_explained_is_no_difference() -> None:
    words = {"outside_tolerance": "bill_lower", "tolerance_percent": "1"}
    assert tokens_of(rate(words, WitnessCounts(**ABOUT, engine=900, gateway=1_000, explained=-100))) == 1_000
    assert tokens_of(rate(words, WitnessCounts(**ABOUT, engine=900, gateway=1_000, explained=-80))) == 900


def test_a_part_is_taken_with_its_whole_and_other_deployments_are_left() -> None:
    usage = [
        used(600),
        used(400, token_class="reasoning"),
        used(500, deployment="d2"),
        used(300, token_class="input"),
    ]
    words = wording(outside_tolerance="bill_lower")
    facts = [WitnessCounts(**ABOUT, engine=500, gateway=600)]
    rated = rate_share(term(words, *usage, facts=facts), month())
    (off,) = (line for line in rated.lines if line.quantity < 0)
    assert (off.token_class, int(off.quantity), off.rule) == ("output", -100, "share_excluded_witness_lower")


def test_the_wording_in_which_a_count_begins_is_what_counts() -> None:
    changed = {APRIL: wording(outside_tolerance="bill_lower"), april(10): wording()}
    about = {**ABOUT, "from_at": april(10)}
    usage = [used(1_000), used(1_000, at=april(12))]
    facts = [WitnessCounts(**about, engine=1, gateway=1_000)]
    assert tokens_of(rate_share(term(changed, *usage, facts=facts), month())) == 2_000
    outside = [WitnessCounts(**{**ABOUT, "from_at": MAY, "to_at": MAY.replace(day=9)}, engine=1, gateway=1_000)]
    assert tokens_of(rate_share(term(changed, *usage, facts=outside), month())) == 2_000


@pytest.mark.parametrize(
    ("rule", "witness", "marked", "fact", "billed"),
    [
        ("as_measured", "gateway", 100, None, 1_100),
        ("as_delivered", "gateway", 100, None, 1_100),
        ("not_billed", "gateway", 100, None, 1_000),
        ("as_measured", "gateway", 100, (160, 100), 1_160),
        ("as_measured", "gateway", 0, (160, 0), 1_160),
        ("as_measured", "gateway", 100, (40, 40), 1_040),
        ("as_delivered", "gateway", 100, (160, 70), 1_070),
        ("as_delivered", "gateway", 100, (160, 900), 1_160),
        ("not_billed", "gateway", 100, (160, 70), 1_000),
        ("as_measured", "engine", 0, (160, 70), 1_000),
        ("as_delivered", "engine", 0, (160, 70), 910),
        ("not_billed", "engine", 0, (160, 70), 840),
    ],
)
def test_interrupted_streams_go_by_their_rule(
    rule: str, witness: str, marked: int, fact: tuple[int, int] | None, billed: int
) -> None:
    facts = [InterruptedCounts(**ABOUT, measured=fact[0], delivered=fact[1])] if fact else []
    words = {"interrupted_streams": rule, "witness": witness}
    assert tokens_of(rate(words, *facts, marked=marked)) == billed


def test_cache_hits_of_interrupted_requests_that_are_billed_as_measured_are_excluded_like_others() -> None:
    words = wording(exclusions=[{"rule": "cache_hits"}])
    usage = [used(100, token_class=name, marks=marks) for name in ("input", "cached_input") for marks in MARKED]
    assert tokens_of(rate_share(term(words, *usage), month())) == 0
    left = wording(exclusions=[{"rule": "cache_hits"}], interrupted_streams="not_billed")
    rated = rate_share(term(left, *usage), month())
    assert tokens_of(rated) == 0
    assert {line.rule for line in rated.lines if line.quantity < 0} == {
        "share_excluded_cache_hits",
        "share_excluded_interrupted_not_billed",
    }


def test_counts_of_another_time_change_nothing() -> None:
    about = {**ABOUT, "from_at": MAY, "to_at": MAY.replace(day=2)}
    facts = [InterruptedCounts(**about, measured=5, delivered=1), RefundedCounts(**about, tokens=7)]
    words = {"interrupted_streams": "not_billed", "exclusions": [{"rule": "refunds"}]}
    assert tokens_of(rate(words, *facts)) == 1_000


@settings(max_examples=examples(25))
@given(st.integers(0, 3_000))
def test_refunds_take_at_most_what_is_shared_and_only_where_agreed(tokens: int) -> None:
    fact = RefundedCounts(**ABOUT, tokens=tokens)
    assert tokens_of(rate({"exclusions": [{"rule": "refunds"}]}, fact)) == 1_000 - min(tokens, 1_000)
    assert tokens_of(rate({}, fact)) == 1_000


@settings(max_examples=examples(25))
@given(st.integers(0, 2_000), st.integers(0, 2_000), st.sampled_from(["bill_lower", "bill_engine", "hold_and_ask"]))
def test_what_bills_is_never_outside_both_counts(engine: int, gateway: int, rule: str) -> None:
    words = {"outside_tolerance": rule, "tolerance_percent": "0"}
    rated = rate(words, WitnessCounts(**ABOUT, engine=engine, gateway=gateway), tokens=gateway)
    expected = {"bill_lower": min(engine, gateway), "hold_and_ask": min(engine, gateway), "bill_engine": engine}[rule]
    # Nothing can be added like nothing: what only the engine counted has no row to be priced like.
    assert tokens_of(rated) == (expected if gateway else 0)
