"""Facts of token shares: what each states in full, and that each comes back from its text."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.inputs import Fact
from billing.rating.kinds import read_fact, write_fact
from billing.rating.share_facts import (
    AgreedCounts,
    AuditFinding,
    CertifiedRevenue,
    InterruptedCounts,
    RefundedCounts,
    WitnessCounts,
)
from tests.billing.rating.share_made import APRIL, MARCH, MAY, april
from tests.examples import examples

COUNTED = {
    "deployment": "d1",
    "model": "sample",
    "token_class": "output",
    "from_at": "2026-04-01T00:00:00Z",
    "to_at": "2026-05-01T00:00:00Z",
}
NUMBERS = st.integers(0, 2**63)
MONEY = st.decimals(0, 10**12, places=18)


@settings(max_examples=examples(25))
@given(engine=NUMBERS, gateway=NUMBERS, explained=st.integers(-(2**63), 2**63))
def test_counts_of_both_witnesses_come_back_whole_however_large(engine: int, gateway: int, explained: int) -> None:
    fact = WitnessCounts(
        deployment="d1",
        model="sample",
        token_class="input",
        from_at=APRIL,
        to_at=MAY,
        engine=engine,
        gateway=gateway,
        explained=explained,
    )
    assert read_fact(write_fact(fact)) == fact


@settings(max_examples=examples(25))
@given(reported=MONEY, found=MONEY, cost=MONEY)
def test_money_of_an_audit_comes_back_to_the_last_decimal(reported: Decimal, found: Decimal, cost: Decimal) -> None:
    fact = AuditFinding(
        audit="A-1",
        from_at=MARCH,
        to_at=APRIL,
        found_at=april(9),
        reported_share_amount=reported,
        found_share_amount=found,
        cost_amount=cost,
    )
    assert read_fact(write_fact(fact)) == fact


def test_nothing_is_explained_and_no_refund_is_named_unless_it_is_said() -> None:
    counts = read_fact({"fact": "witness_counts", **COUNTED, "engine": 5, "gateway": 4})
    refunded = read_fact({"fact": "refunded_counts", **COUNTED, "tokens": 3})
    assert isinstance(counts, WitnessCounts)
    assert isinstance(refunded, RefundedCounts)
    assert (counts.explained, refunded.refund) == (0, "")


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (WitnessCounts, {"engine": 5, "gateway": 4}),
        (AgreedCounts, {"tokens": 5}),
        (InterruptedCounts, {"measured": 5, "delivered": 4}),
        (RefundedCounts, {"tokens": 5}),
    ],
)
def test_a_count_names_what_it_is_of_and_is_never_a_part_of_a_token(kind: type[Fact], more: dict[str, int]) -> None:
    document = {"fact": kind.__struct_config__.tag, **COUNTED, **more}
    assert type(read_fact(document)) is kind
    for missing in (*COUNTED, *more):
        with pytest.raises(msgspec.ValidationError, match=missing):
            read_fact({name: value for name, value in document.items() if name != missing})
    for number in more:
        with pytest.raises(msgspec.ValidationError):
            read_fact({**document, number: 1.5})


def test_a_statement_is_a_fact_that_cannot_be_changed() -> None:
    stated = CertifiedRevenue(statement="R-1", from_at=APRIL, to_at=MAY, net_revenue_amount=Decimal("1000.10"))
    with pytest.raises(AttributeError):
        stated.net_revenue_amount = Decimal(0)  # type: ignore[misc]  # what must not work
    assert write_fact(stated)["net_revenue_amount"] == "1000.1"


def test_instants_of_one_moment_have_one_text_whatever_their_offset() -> None:
    text = {"fact": "certified_revenue", "statement": "R-1", "net_revenue_amount": "1", "to_at": "2026-05-01T00:00:00Z"}
    ours, theirs = (read_fact({**text, "from_at": at}) for at in ("2026-04-01T00:00:00Z", "2026-04-01T05:30:00+05:30"))
    assert write_fact(ours) == write_fact(theirs)
    assert isinstance(theirs, CertifiedRevenue)
    assert theirs.to_at - theirs.from_at == timedelta(days=30)
