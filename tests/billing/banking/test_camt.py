"""Statements of camt.053: both shapes of it, batches, ids, and files that must not be taken."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.banking import camt as module
from billing.banking.camt import read_camt
from billing.banking.entries import DOCUMENT_BYTES_MAX, StatementEntry, UnreadableStatement
from tests.billing.banking.statements import DAY, IBAN, PAYER, Movement, camt
from tests.examples import examples


def entries(content: bytes) -> tuple[StatementEntry, ...]:
    [statement] = read_camt(content)
    return statement.entries


@pytest.mark.parametrize("version", ["02", "08"])
def test_a_movement_is_read_from_either_shape(version: str) -> None:
    told = Movement("123.45", "Invoice 7 & more", "BANK-1", "RF40INV0001", payer="Payer & Sons")
    [statement] = read_camt(camt([told], version=version))
    assert statement.account == IBAN
    [found] = statement.entries
    assert found == StatementEntry(
        place="Stmt 1, Ntry 1",
        reference="BANK-1",
        booked_on=DAY,
        value_on=DAY,
        amount=Decimal("123.45"),
        currency="USD",
        payer="Payer & Sons",
        payer_account=PAYER,
        structured="RF40INV0001",
        end_to_end="",
        text="Invoice 7 & more",
    )


def test_money_that_went_out_is_below_zero_and_names_who_got_it() -> None:
    [found] = entries(camt([Movement("-5.00", "rent", payer="Landlord")]))
    assert (float(found.amount), found.payer) == (-5, "Landlord")


def test_what_the_bank_has_not_booked_is_counted_and_left_out() -> None:
    [statement] = read_camt(camt([Movement("1.00", status="PDNG"), Movement("2.00")], version="08"))
    assert (statement.pending, [float(one.amount) for one in statement.entries]) == (1, [2])


def batch(*amounts: str, whole: str, own: str = "") -> bytes:
    details = "".join(
        f"<TxDtls><Refs>{own}<EndToEndId>E{number}</EndToEndId></Refs><AmtDtls><TxAmt><Amt Ccy='USD'>{amount}</Amt>"
        f"</TxAmt></AmtDtls><RmtInf><Ustrd>part {number}</Ustrd></RmtInf></TxDtls>"
        for number, amount in enumerate(amounts, 1)
    )
    entry = (
        f"<Ntry><Amt Ccy='USD'>{whole}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts><BookgDt><DtTm>"
        f"2026-04-14T10:00:00</DtTm></BookgDt><AcctSvcrRef>B7</AcctSvcrRef><NtryDtls>{details}</NtryDtls></Ntry>"
    )
    return (
        "<Document><BkToCstmrStmt><Stmt><Acct><Id><Othr><Id>12 34</Id></Othr></Id></Acct>"
        f"{entry}</Stmt></BkToCstmrStmt></Document>"
    ).encode()


def test_a_batch_is_one_movement_for_each_of_its_transactions() -> None:
    [statement] = read_camt(batch("10.00", "15.00", whole="25.00"))
    assert statement.account == "1234"
    assert [(one.reference, float(one.amount), one.end_to_end, one.text) for one in statement.entries] == [
        ("B7/1", 10, "E1", "part 1"),
        ("B7/2", 15, "E2", "part 2"),
    ]
    assert statement.entries[0].booked_on == date(2026, 4, 14)


def test_a_batch_that_does_not_say_its_parts_is_one_movement() -> None:
    [found] = entries(batch("10.00", "14.00", whole="25.00"))
    assert (found.reference, float(found.amount), found.text) == ("B7", 25, "part 1 part 2")


@settings(max_examples=examples(25))
@given(st.lists(st.sampled_from(["1.00", "2.00"]), max_size=6))
def test_movements_without_an_id_are_known_again_in_any_file(amounts: list[str]) -> None:
    told = [Movement(amount, "same words", "NONREF") for amount in amounts]
    first = [one.reference for one in entries(camt(told))]
    again = [one.reference for one in entries(camt([Movement("9.00", day=date(2026, 4, 13)), *told], version="08"))]
    assert first == again[1:]
    assert len(set(first)) == len(amounts)


def test_entries_that_cannot_be_read_are_faults_beside_the_others() -> None:
    content = camt([Movement("1.00"), Movement("2.00"), Movement("3.00")])
    content = (
        content.replace(b">1.00<", b">1,00<").replace(b"2026-04-14", b"soon", 3).replace(b"soon", b"2026-04-14", 1)
    )
    [statement] = read_camt(content)
    assert len(statement.entries) == 1
    assert [fault.place for fault in statement.faults] == ["Stmt 1, Ntry 1", "Stmt 1, Ntry 2"]
    assert "expected an amount such as 123.45" in statement.faults[0].detail


def test_balances_must_fit_the_entries_so_that_a_cut_file_is_not_taken() -> None:
    whole = camt([Movement("5.00"), Movement("-2.00")], balances=("10.00", "13.00"))
    assert len(entries(whole)) == 2
    for wrong in (camt([Movement("5.00")], balances=("10.00", "13.00")), whole.replace(b">13.00<", b">x<")):
        with pytest.raises(UnreadableStatement):
            read_camt(wrong)


BOMB = b'<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><d>&b;</d>'
OUTSIDE = b'<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/hostname">]><d>&a;</d>'


@pytest.mark.parametrize(
    "content",
    [
        b"", b"not xml", b"<a/>", b"<Document><BkToCstmrStmt><Stmt/></BkToCstmrStmt></Document>", BOMB, OUTSIDE,
        b'<?xml version="1.0" encoding="nonsense"?><a/>', b"\xff\xfe<", b"<" + b"a" * DOCUMENT_BYTES_MAX,
    ],
    ids=["empty", "text", "other", "no account", "bomb", "outside", "encoding", "bytes", "large"],
)  # fmt: skip
def test_what_is_no_statement_is_refused_as_a_whole(content: bytes) -> None:
    with pytest.raises(UnreadableStatement):
        read_camt(content)


def test_too_many_entries_are_refused_rather_than_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ENTRIES_MAX", 1)
    with pytest.raises(UnreadableStatement, match="split it by days"):
        read_camt(camt([Movement("1.00"), Movement("2.00")]))


@settings(max_examples=examples(25))
@given(st.binary(max_size=60).map(lambda junk: b"<Document><BkToCstmrStmt><Stmt>" + junk))
def test_nothing_but_the_one_error_leaves_the_reader(content: bytes) -> None:
    with pytest.raises(UnreadableStatement):
        read_camt(content)
