"""Files of transfers: the order and lengths of the message's schema, sums that agree, letters that banks take."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from billing.statements.pain import NAMESPACE, NOT_IN_SEPA, Holder, Order, Transfer, write_pain

PAYER = Holder("Sample Operator GmbH", "DE89370400440532013000", "COBADEFFXXX")
ORDER = Order(
    message_id="PF-0001",
    made_at=datetime(2026, 4, 20, 12, 30, 1, tzinfo=UTC),
    execute_on=date(2026, 4, 20),
    payer=PAYER,
    currency="EUR",
    transfers=(
        Transfer("0198c5a0", Holder("Müller & Söhne", "AT611904300234573201"), Decimal("1663.83"), "PO-0001 Müller"),
        Transfer("0198c5a1", Holder("Sample", "FR1420041010050500013M02606", "PSSTFRPPPAR"), Decimal(5), "PO-0002"),
    ),
)
ORDER_OF: dict[str, list[str]] = {
    "CstmrCdtTrfInitn": ["GrpHdr", "PmtInf"],
    "GrpHdr": ["MsgId", "CreDtTm", "NbOfTxs", "CtrlSum", "InitgPty"],
    "PmtInf": [
        "PmtInfId", "PmtMtd", "BtchBookg", "NbOfTxs", "CtrlSum", "PmtTpInf", "ReqdExctnDt", "Dbtr", "DbtrAcct",
        "DbtrAgt", "ChrgBr", "CdtTrfTxInf",
    ],
    "CdtTrfTxInf": ["PmtId", "Amt", "CdtrAgt", "Cdtr", "CdtrAcct", "RmtInf"],
}  # fmt: skip
"""The sequences of pain.001.001.09, of what is written."""


def read(order: Order) -> etree._Element:
    return etree.fromstring(write_pain(order))


def texts(root: etree._Element, path: str) -> list[str]:
    return [str(one.text) for one in root.iterfind("/".join(f"{{{NAMESPACE}}}{name}" for name in path.split("/")))]


def name_of(element: etree._Element) -> str:
    return str(etree.QName(element).localname)


@pytest.mark.parametrize("currency", ["EUR", "USD"])
def test_elements_stand_in_the_order_of_the_schema(currency: str) -> None:
    root = read(replace(ORDER, currency=currency))
    assert root.tag == f"{{{NAMESPACE}}}Document"
    for element in root.iter():
        allowed = ORDER_OF.get(name_of(element))
        if allowed is not None:
            places = [allowed.index(name_of(child)) for child in element]
            assert places == sorted(places), name_of(element)


def test_counts_and_sums_are_those_of_the_transfers() -> None:
    root = read(ORDER)
    head = "CstmrCdtTrfInitn/"
    for block in ("GrpHdr", "PmtInf"):
        assert texts(root, f"{head}{block}/NbOfTxs") == ["2"]
        assert texts(root, f"{head}{block}/CtrlSum") == ["1668.83"]
    assert texts(root, f"{head}PmtInf/CdtTrfTxInf/Amt/InstdAmt") == ["1663.83", "5.00"]
    assert [one.get("Ccy") for one in root.iter(f"{{{NAMESPACE}}}InstdAmt")] == ["EUR", "EUR"]
    assert texts(root, f"{head}PmtInf/CdtTrfTxInf/CdtrAcct/Id/IBAN") == [one.to.iban for one in ORDER.transfers]


def test_euro_goes_by_sepa_and_other_money_does_not() -> None:
    euro, dollar = read(ORDER), read(replace(ORDER, currency="USD"))
    path = "CstmrCdtTrfInitn/PmtInf/"
    assert (texts(euro, f"{path}PmtTpInf/SvcLvl/Cd"), texts(euro, f"{path}ChrgBr")) == (["SEPA"], ["SLEV"])
    assert (texts(dollar, f"{path}PmtTpInf/SvcLvl/Cd"), texts(dollar, f"{path}ChrgBr")) == ([], ["SHAR"])
    assert texts(euro, f"{path}CdtTrfTxInf/Cdtr/Nm")[0] == "Muller + Sohne"
    assert texts(dollar, f"{path}CdtTrfTxInf/Cdtr/Nm")[0] == "Müller & Söhne"


def test_without_a_bic_the_payers_bank_is_said_not_to_be_given() -> None:
    root = read(replace(ORDER, payer=replace(PAYER, bic="")))
    assert texts(root, "CstmrCdtTrfInitn/PmtInf/DbtrAgt/FinInstnId/Othr/Id") == ["NOTPROVIDED"]


@pytest.mark.parametrize(("currency", "amount", "said"), [("JPY", "1500", "1500"), ("BHD", "1.234", "1.234")])
def test_amounts_have_the_decimals_of_their_currency(currency: str, amount: str, said: str) -> None:
    one = replace(ORDER.transfers[0], amount=Decimal(amount))
    root = read(replace(ORDER, currency=currency, transfers=(one,)))
    assert texts(root, "CstmrCdtTrfInitn/GrpHdr/CtrlSum") == [said]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=300))
def test_whatever_a_name_is_the_file_is_read_and_within_lengths(name: str) -> None:
    one = Transfer("1", Holder(name, PAYER.iban), Decimal(1), name)
    root = read(replace(ORDER, transfers=(one,)))
    [said] = texts(root, "CstmrCdtTrfInitn/PmtInf/CdtTrfTxInf/Cdtr/Nm")
    assert 0 < len(said) <= 70
    assert not NOT_IN_SEPA.search(said)


def test_the_same_order_is_the_same_bytes() -> None:
    assert write_pain(ORDER) == write_pain(ORDER)
