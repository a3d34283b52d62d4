"""The kinds of terms: each is read by its own wording, and rated by exactly one way."""

from dataclasses import replace

import msgspec
import pytest

from billing.rating.kinds import ADJUSTED, FACTS, KINDS, kind_of, kind_of_wording, read_any_wording, read_fact
from billing.rating.quantities import QUANTITIES
from billing.rating.rated import TermKind
from billing.rating.wording import WrongWording
from tests.billing.rating.share_made import term, wording

SAID: dict[str, dict[str, object]] = {
    "lease": {"price_per_gpu_hour": "2.00"},
    "on_demand": {"price_per_gpu_hour": "2.00"},
    "spot": {"price_per_gpu_hour": "1.20", "notice_seconds": 120},
    "storage": {"price_per_gb_month": "0.07"},
    "availability": {"ladder": [{"below_percent": "99", "credit_percent": "25"}]},
    "token_share": {"witness": "gateway", "share_percent": "30"},
    "token_price": {"witness": "gateway"},
    "discount": {"percent": "10"},
}


@pytest.mark.parametrize("kind", SAID)
def test_a_document_is_read_by_the_wording_of_its_kind(kind: str) -> None:
    found = read_any_wording({"kind": kind, **SAID[kind]})
    assert kind_of_wording(found) == kind
    assert type(found) is KINDS[TermKind(kind)].wording


def test_every_kind_has_a_row_and_a_wording_tagged_with_it() -> None:
    assert set(KINDS) == set(TermKind)
    assert all(kind.wording.__struct_config__.tag == name for name, kind in KINDS.items())


def test_a_kind_that_nobody_knows_is_refused_as_a_wrong_wording() -> None:
    with pytest.raises(WrongWording):
        read_any_wording({"kind": "barter"})


def test_a_word_of_another_kind_is_refused() -> None:
    with pytest.raises(WrongWording) as caught:
        read_any_wording({"kind": "on_demand", **SAID["on_demand"], "notice_seconds": 120})
    assert "notice_seconds" in str(caught.value)


def test_a_term_is_of_the_kind_that_its_wording_says() -> None:
    assert kind_of(term(wording())) is TermKind.TOKEN_SHARE


def test_what_adds_to_the_lines_of_others_is_rated_in_the_documented_order() -> None:
    assert {name for name, kind in KINDS.items() if kind.adjust} == set(ADJUSTED)
    assert [str(name) for name in ADJUSTED] == ["availability", "discount", "commitment", "credit"]


def test_slices_are_held_under_kinds_of_time_only() -> None:
    assert {str(name) for name, kind in KINDS.items() if kind.takes_slices} == {"lease", "on_demand", "spot"}


def test_only_prices_by_the_unit_and_shares_take_usage_and_tell_it_apart() -> None:
    metered = {str(name): set(kind.quantities) for name, kind in KINDS.items() if kind.quantities}
    assert metered["token_price"] == set(QUANTITIES)
    assert metered["token_share"] == {"input", "cached_input", "cache_write", "output", "reasoning"}
    assert set(metered) == {"token_price", "token_share"} == {str(name) for name, kind in KINDS.items() if kind.cuts}


@pytest.mark.parametrize("both", [True, False])
def test_a_kind_has_either_a_rater_or_an_adjuster(*, both: bool) -> None:
    lease, discount = KINDS[TermKind.LEASE], KINDS[TermKind.DISCOUNT]
    with pytest.raises(AssertionError):
        replace(lease, rate=lease.rate if both else None, adjust=discount.adjust if both else None)


def test_no_two_facts_have_one_tag() -> None:
    assert len({fact.__struct_config__.tag for fact in FACTS}) == len(FACTS)


def test_a_fact_that_nobody_knows_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="rumour"):
        read_fact({"fact": "rumour"})
