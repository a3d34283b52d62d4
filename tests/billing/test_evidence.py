from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.basis import PeriodBasis, rate
from billing.canonical import canonical, digest
from billing.charging import ensure_periods
from billing.closing import close_period
from billing.evidence import (
    Header,
    Proof,
    Residual,
    differences,
    make_document,
    read_basis,
    recompute,
)
from billing.models import Invoice
from billing.rating.book import PriceVersion, TokenClass
from billing.rating.inputs import Carried, RatingWindow, TermInput, Used
from billing.rating.lease_wording import LeaseWording
from billing.rating.lines import make_bill
from billing.rating.share_wording import TokenShareWording
from billing.rating.wording import Stretch
from clusters.occupancy import Hold
from metering.models import Batch, UsageGap, Witness
from tests.billing.world import APRIL, H100, HOUR, MARCH, MODEL, make_world
from tests.metering.forging import forge

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
VERSIONS = (
    PriceVersion("v1", MARCH, {(MODEL, TokenClass.OUTPUT): Decimal("1.10")}, {H100: Decimal("1.94")}),
    PriceVersion(
        "v2",
        NOON,
        {(MODEL, TokenClass.OUTPUT): Decimal("0.98")},
        {H100: Decimal("2.35")},
        {(MODEL, TokenClass.OUTPUT, 200_000): Decimal("1.47")},
    ),
)

LEASE = LeaseWording(accelerator_model=H100)
SHARE = TokenShareWording(share_percent=Decimal("12.5000"), witness="engine")


def basis(*usage: Used) -> PeriodBasis:
    """A lease at the book's price over a price change, and a share of the usage given."""
    held = Hold("slice-1", 119, NOON - HOUR, NOON + 2 * HOUR, "card-1", H100)
    return PeriodBasis(
        contract="C-0001",
        contract_version=1,
        window=RatingWindow("USD", "Europe/Berlin", MARCH, APRIL, APRIL, VERSIONS),
        terms=(
            TermInput("L-0001", "a slice", MARCH, None, (Stretch(1, MARCH, APRIL, LEASE),), holds=(held,)),
            TermInput("S-0001", "sample", MARCH, None, (Stretch(1, MARCH, APRIL, SHARE),), usage=usage),
        ),
    )


def used(hour: int, tokens: int, quality: str = "A", over: int = 0) -> Used:
    at = NOON + hour * HOUR
    return Used("d-1", MODEL, TokenClass.OUTPUT, quality, at, at + HOUR, tokens, over)


def document(given_basis: PeriodBasis, **proof: Any) -> dict[str, Any]:
    bill = make_bill(rate(given_basis).lines, given_basis.currency)
    header = Header("INV-0001", "Provider", "Tenant", APRIL, bill.total, Decimal("0.00"), bill.total)
    loaded: dict[str, Any] = json.loads(canonical(make_document(header, given_basis, Proof(**proof), bill)))
    return loaded


def test_a_document_holds_the_basis_it_was_made_of() -> None:
    whole = basis(used(0, 7_000_000), used(30, 5, "E"), used(30, 600_000, over=512_000))
    assert read_basis(document(whole)) == whole
    assert recompute(document(whole)) == make_bill(rate(whole).lines, "USD")
    assert differences(document(whole)) == []


def test_what_was_sealed_in_earlier_formats_still_recomputes() -> None:
    sealed = json.loads((Path(__file__).parent / "data" / "evidence-2.json").read_text())
    assert sealed["format"] == "forecourt-evidence-2"
    assert differences(sealed) == []
    found = recompute(sealed)
    assert (found.total, len(found.lines), len(found.lines[1].sublines)) == (Decimal(sealed["invoice"]["total"]), 2, 3)
    forged = copy.deepcopy(sealed)
    forged["token_shares"][0]["usage"][0][-2] = "7000001"
    assert any("line 2: quantity" in each for each in differences(forged))
    forged = copy.deepcopy(sealed)
    forged["leases"][0]["rate_per_gpu_hour"] = "1"
    assert any("line 1: amount" in each for each in differences(forged))


def test_what_was_sealed_before_tiers_still_recomputes() -> None:
    old = json.loads((Path(__file__).parent / "data" / "evidence-2.json").read_text())
    share, lines = old["token_shares"][0], old["lines"]
    share["usage"] = [row[:-1] for row in share["usage"] if not row[-1]]
    lines[1] |= {"sublines": [each for each in lines[1]["sublines"] if not each["context_over"]]}
    old["format"] = "forecourt-evidence-1"
    for version in old["price_versions"]:
        version["per_mtok"] = [price for price in version["per_mtok"] if not price.pop("context_over")]
    for line in lines:
        for subline in line["sublines"]:
            del subline["context_over"]
    # Without the long request the line and the sums are less by what it was worth.
    assert all(each.startswith(("line 2: ", "subtotal")) and "subline" not in each for each in differences(old))
    assert len(recompute(old).lines[1].sublines) == 2


def test_what_the_period_before_handed_over_and_what_the_next_is_handed_is_sealed() -> None:
    whole = replace(basis(used(0, 7_000_000)), facts=(Carried(name="credit_amount", value=Decimal(100)),))
    rated = rate(whole)
    bill = make_bill(rated.lines, "USD")
    header = Header("INV-0001", "Provider", "Tenant", APRIL, bill.total, bill.total, bill.total)
    made = json.loads(canonical(make_document(header, whole, Proof(), bill, carries=rated.carries)))
    assert read_basis(made) == whole
    assert differences(made) == []
    assert Decimal(made["carries"][0]["value"]) == 100 - make_bill(rate(basis(used(0, 7_000_000))).lines, "USD").total
    for name in ("facts", "carries"):
        forged = copy.deepcopy(made)
        forged[name][0]["value"] = "99"
        assert any(each.startswith(("line", "carries")) for each in differences(forged))


def test_the_text_is_canonical_and_its_hash_is_over_its_bytes() -> None:
    text = canonical({"b": 1, "a": ["é", None]})
    assert text == '{"a":["é",null],"b":1}'
    assert digest(text) == hashlib.sha256(text.encode()).hexdigest()


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="forecourt-evidence-1"):
        recompute({"format": "other"})


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        (("lines", 0, "amount"), "1.00", "line 1: amount"),
        (("terms", 1, "usage", 0, 7), 200_000, "line 2: subline 1"),
        (("lines", 1, "sublines", 0, "context_over"), 200_000, "line 2: subline 1"),
        (("price_versions", 1, "per_mtok", 1, "context_over"), 128_000, "line 2: subline 2"),
        (("price_versions", 1, "per_mtok", 1, "context_over"), 150_000, "cannot be recomputed"),
        (("lines", 0, "quality"), {"A": "1"}, "line 1: quality"),
        (("lines", 1, "exact_amount"), "0.0", "line 2: exact_amount"),
        (("lines", 0, "sublines", 0, "quantity"), "1", "line 1: subline 1"),
        (("invoice", "subtotal"), "1.00", "subtotal"),
        (("invoice", "tax"), "1.00", "total"),
        (("invoice", "total"), "1.00", "total"),
        (("terms", 1, "usage", 0, 6), "7000001", "line 2: quantity"),
        (("terms", 1, "usage", 0, 4), "2026-03-05T11:00:00+00:00", "line 2: subline"),
        (("terms", 1, "usage", 0, 4), "2026-03-06T12:00:00+00:00", "cannot be recomputed"),
        (("terms", 1, "usage", 0, 2), "thoughts", "cannot be recomputed"),
        (("terms", 0, "holds"), [{}], "cannot be recomputed"),
        (("terms", 1, "wordings", 0, "wording", "share_percent"), "12.6", "line 2: share_percent"),
        (("terms", 1, "wordings", 0, "to_at"), "2026-03-05T13:00:00+00:00", "line 2: quantity"),
        (("lines", 1, "rule"), "other", "line 2: rule"),
        (("terms", 0, "holds", 0, "share_permille"), 120, "line 1: quantity"),
        (("terms", 0, "wordings", 0, "wording", "price_per_gpu_hour"), "1", "line 1: amount"),
        (("price_versions", 1, "per_mtok", 0, "price"), "0.99", "line 2: subline"),
        (("price_versions", 1, "effective_at"), "2026-03-05T13:00:00+00:00", "line 1: subline"),
        (("period", "to_at"), "2026-03-05T12:00:00+00:00", "line 1: quantity"),
    ],
)
def test_a_changed_figure_is_found(path: tuple[str | int, ...], value: object, found: str) -> None:
    forged = copy.deepcopy(document(basis(used(0, 7_000_000), used(1, 1_000_000, over=128_000))))
    at: Any = forged
    for step in path[:-1]:
        at = at[step]
    assert at[path[-1]] != value
    at[path[-1]] = value
    assert any(found in each for each in differences(forged)), differences(forged)


def test_a_line_or_subline_left_out_is_found() -> None:
    forged = document(basis(used(0, 7_000_000)))
    forged["lines"][0]["sublines"].pop()
    assert differences(forged)
    forged = document(basis(used(0, 7_000_000)))
    forged["lines"].pop()
    assert "lines: 1 stated, 2 computed" in differences(forged)


def test_what_the_other_witness_counted_is_told_apart_from_nothing_seen() -> None:
    residuals = (Residual("d-1", MODEL, "output", 118, 59), Residual("d-2", MODEL, "output", 5, None))
    made = document(basis(used(0, 1)), residuals=residuals)["residuals"]
    assert [(row["billed"], row["control"], row["residual"]) for row in made] == [
        ("118", "59", "59"),
        ("5", None, None),
    ]


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 600), st.integers(1, 10**18), st.sampled_from("AES"), st.sampled_from((0, 128_000, 512_000))
        ),
        max_size=12,
        unique_by=lambda each: (each[0], each[2], each[3]),
    )
)
def test_every_document_recomputes_to_its_own_lines(hours: list[tuple[int, int, str, int]]) -> None:
    made = document(basis(*(used(*each) for each in hours)))
    assert differences(made) == []
    assert canonical(json.loads(canonical(made))) == canonical(made)


def make_invoice() -> Invoice:
    world = make_world(tokens={(MODEL, "input"): "0.28", (MODEL, "output"): "1.10"}, gpus={H100: "2.35"})
    world.lease(2, price=None, from_at=NOON, rolled_to_at=APRIL)
    shared = world.share(witness=Witness.ENGINE, rolled_to_at=APRIL)
    node = shared.endpoint.node
    for seq in range(1, 5):
        Batch.objects.create(
            node=node,
            seq=seq,
            hash=f"{seq:064x}",
            prev_hash=f"{seq - 1:064x}",
            signature="",
            content_encoding="identity",
            body=b"",
            readings=1,
            outcome={},
            metered_to_at=NOON,
            received_at=NOON,
        )
    rows = [
        *shared.use({"input": 600_000, "output": 400_000}, at=NOON, records=360),
        *shared.use({"output": 1}, at=NOON + HOUR, records=5),
    ]
    for number, row in enumerate(rows, 2):
        forge(type(row).objects.filter(pk=row.pk), first_batch_seq=number, last_batch_seq=number)
    shared.use({"output": 399_000}, at=NOON, witness=Witness.GATEWAY)
    UsageGap.objects.create(node=node, subject="node", from_at=NOON, to_at=NOON + timedelta(minutes=5), reason="silent")
    ensure_periods(contract=world.contract, now=MARCH)
    closed = close_period(period_id=world.period().id, now=APRIL)
    assert closed.invoice is not None
    return closed.invoice


@pytest.mark.django_db
def test_an_issued_invoice_is_sealed_with_all_that_recomputes_it() -> None:
    invoice = make_invoice()
    sealed = invoice.evidence
    assert sealed.sha256 == digest(sealed.document)
    made = json.loads(sealed.document)
    assert canonical(made) == sealed.document
    assert differences(made) == []
    assert recompute(made).total == invoice.total
    assert made["invoice"]["number"] == invoice.number
    assert [version["number"] for version in made["price_versions"]] == [1]
    assert made["usage_records"] == "725"
    [batches] = made["batches"]
    assert (batches["first_seq"], batches["last_seq"]) == (2, 4)
    assert (batches["first_hash"], batches["last_hash"]) == (f"{2:064x}", f"{4:064x}")
    residuals = {row["class"]: row["residual"] for row in made["residuals"]}
    assert residuals == {"input": None, "output": "1001"}
    assert [gap["reason"] for gap in made["usage_gaps"]] == ["silent"]
    [share] = [term for term in made["terms"] if term["kind"] == "token_share"]
    assert len(share["usage"]) == 3
