"""How contracts, terms and amendments are said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils.translation import override

from billing.agreements.previews import Preview, TermPreview
from billing.agreements.words import differences
from billing.models import Acceptance, Amendment, AmendmentState, Contract, ContractState
from billing.pages.contract_words import (
    SaidRow,
    accepted_rows,
    amendment_pill,
    change_words,
    contract_pill,
    field_words,
    kind_words,
    said_rows,
    span_words,
    tone_of,
    value_words,
)
from billing.rating.debit import LATE_FEE_REASON
from billing.rating.kinds import KINDS
from billing.rating.lease_wording import LeaseWording
from billing.rating.price_rules import FLOAT
from billing.rating.wording import FOREVER
from tenants.models import Organization
from tests.billing.world import H100, MARCH

LOCALE = "en_US"
CONTRACT = Contract(currency="USD", time_zone="Europe/Berlin")
LEASE = LeaseWording(accelerator_model=H100, price_per_gpu_hour=Decimal("2.35"))
DEARER = LeaseWording(accelerator_model=H100, price_per_gpu_hour=Decimal(3))
CHANGED = TermPreview(
    ref="L-1",
    title="cards",
    kind="lease",
    from_at=MARCH,
    to_at=None,
    is_new=False,
    ends=False,
    words=differences(LEASE, DEARER),
    wordings=(LEASE, DEARER),
    before=Decimal("2.35"),
    after=Decimal(3),
)


def test_every_state_has_a_pill_of_its_own() -> None:
    contracts = [contract_pill(Contract(state=state)) for state in ContractState]
    amendments = [amendment_pill(Amendment(state=state)) for state in AmendmentState]
    assert len({str(each) for each in contracts}) == len(ContractState)
    assert len({str(each) for each in amendments}) == len(AmendmentState)
    with pytest.raises(ValueError, match="lost"):
        contract_pill(Contract(state="lost"))


def test_every_kind_has_words_that_are_not_its_name() -> None:
    said = {kind: kind_words(kind) for kind in KINDS}
    assert len(set(said.values())) == len(KINDS)
    assert all("_" not in words and words[0].isupper() for words in said.values())


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("price_per_gpu_hour", "price per GPU-hour"),
        ("renew_days", "renewed by, days"),
        ("settlement.due_days", "settlement · due within, days"),
        ("ladder[0].below_percent", "steps 1 · below, percent"),
        ("something_new", "something new"),
    ],
)
def test_a_field_is_called_by_its_words_or_its_name(field: str, words: str) -> None:
    assert field_words(field) == words


def test_a_time_is_said_in_the_contract_s_zone() -> None:
    noon = datetime(2026, 3, 5, 12, tzinfo=UTC)
    open_ended = span_words(noon, None, "Asia/Kolkata", LOCALE)
    assert open_ended.startswith("from ")
    assert "17:30" in open_ended
    assert span_words(noon, FOREVER, "Asia/Kolkata", LOCALE) == open_ended
    closed = span_words(noon, noon + timedelta(hours=7), "Asia/Kolkata", LOCALE)
    assert " to " in closed
    assert "00:30" in closed, "the next day there"


def test_rows_say_what_differs_and_of_one_wording_all() -> None:
    assert said_rows(LEASE, DEARER, CONTRACT, LOCALE) == (SaidRow("price per GPU-hour", "$2.35", "$3.00"),)
    alone = said_rows(None, LEASE, CONTRACT, LOCALE)
    assert SaidRow("card model", "", H100) in alone
    assert all(row.before == "" for row in alone)
    ended = said_rows(LEASE, None, CONTRACT, LOCALE)
    assert [(row.label, row.after, row.before) for row in alone] == [(r.label, r.before, r.after) for r in ended]
    assert said_rows(LEASE, LEASE, CONTRACT, LOCALE) == said_rows(FLOAT, FLOAT, CONTRACT, LOCALE) == ()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("price_per_gpu_hour", "2.1", "$2.10"),
        ("prices[0].price_per_mtok", "0.0268", "$0.0268"),
        ("prices[0].price", "0.000000000001", "$0.000000000001"),
        ("holdover_price_per_gpu_hour", "3.5", "$3.50"),
        ("deposit_amount", "500", "$500.00"),
        ("hard_stop.stop_at_amount", "-1", "\u2212$1.00"),
        ("tiers[0].share_percent", "12.5", "12.5%"),
        ("grants[0].expires_at", "2026-12-31T00:00:00Z", "Dec 31, 2026 01:00 CET"),
        ("extension_price", "locked", "as the lease has it"),
        ("renew_days", "14", "14"),
        ("tiers[0].tiers[1].up_to", "10000000", "10,000,000"),
        ("prices[1].context_over", "200000", "200,000"),
        ("prices[0].price", "many", "many"),
        ("grants[0].expires_at", "never", "never"),
    ],
)
def test_amounts_shares_and_instants_say_their_unit(field: str, value: str, said: str) -> None:
    assert value_words(field, value, CONTRACT, LOCALE) == said


@pytest.mark.parametrize(
    ("term", "text", "tone"),
    [
        (CHANGED, "Changes", "warn"),
        (replace(CHANGED, is_new=True, wordings=(None, DEARER), before=Decimal(0)), "New", "warn"),
        (replace(CHANGED, ends=True, wordings=(LEASE, None), after=Decimal(0)), "Ends", "good"),
        (replace(CHANGED, words=(), wordings=(None, None), after=Decimal("2.35")), "Costs differ", ""),
    ],
)
def test_a_change_is_said_with_pill_tone_and_money(term: TermPreview, text: str, tone: str) -> None:
    found = Preview(MARCH, MARCH + timedelta(days=1), "USD", term.before, term.after, (term,), unpriced=False)
    [said] = change_words(found, CONTRACT, LOCALE)
    assert (said.pill.text, said.tone, said.kind) == (text, tone, "GPU lease")
    assert (said.change == "") is (term.before == term.after)
    assert said.before == f"${term.before:.2f}"
    assert said.after == f"${term.after:.2f}"


def test_what_only_costs_differently_has_no_time_and_no_kind() -> None:
    bare = replace(CHANGED, kind="", from_at=None, words=(), wordings=(None, None))
    found = Preview(MARCH, MARCH, "USD", bare.before, bare.after, (bare,), unpriced=False)
    [said] = change_words(found, CONTRACT, LOCALE)
    assert (said.kind, said.time, said.rows, said.change) == ("", "", (), "+$0.65")


def test_why_a_late_fee_is_charged_is_said_in_the_reader_s_language() -> None:
    said = LATE_FEE_REASON.format(days=17)
    late = replace(CHANGED, title=f"INV-0007: {said}")
    with override("zh-hans"):
        [words] = change_words(
            Preview(MARCH, MARCH, "USD", late.before, late.after, (late,), unpriced=False), CONTRACT, "zh_Hans_CN"
        )
        reason = value_words("reason", said, CONTRACT, "zh_Hans_CN")
    assert (words.title, reason) == ("INV-0007: 到期 17 天后仍未支付", "到期 17 天后仍未支付")
    assert value_words("reason", said, CONTRACT, LOCALE) == said


def test_tones_are_the_tenant_s() -> None:
    assert [tone_of(Decimal(each)) for each in ("0.01", "-0.01", "0")] == ["warn", "good", ""]


def test_words_of_the_parties_are_listed_with_hash_and_local_time() -> None:
    word = Acceptance(organization=Organization(name="User"), name="Alice", accepted_at=MARCH, sha256="ab" * 32)
    [row] = accepted_rows([word], "Europe/Berlin", LOCALE)
    assert (row["organization"], row["name"], row["sha256"]) == ("User", "Alice", "ab" * 32)
    assert "01:00" in row["at"]
