"""Files of transfers: the order and lengths of the message's schema, sums that agree, letters that banks take."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from billing.statements.pain import (
    NAMESPACE,
    NOT_IN_SEPA,
    SEPA_AMOUNT_MAX,
    Address,
    Holder,
    Order,
    Transfer,
    is_sepa,
    write_pain,
)
from tests.examples import examples

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
ABROAD = Holder(
    "Sample Power 有限公司",
    "AE070331234567890123456",
    "BOMLAEADXXX",
    Address(("Tower 4, Floor 12", "", "Sheikh Zayed Road", "Gate 2"), "00000", "Dubai", "AE"),
)
"""An account outside SEPA."""
OUTSIDE = replace(
    ORDER, currency="USD", transfers=(Transfer("0198c5a2", ABROAD, Decimal("9.00"), "PO-0003 Sample Power"),)
)
ORDER_OF: dict[str, str] = {
    "Document": "CstmrCdtTrfInitn",
    "CstmrCdtTrfInitn": "GrpHdr PmtInf+",
    "GrpHdr": "MsgId CreDtTm NbOfTxs CtrlSum InitgPty",
    "InitgPty": "Nm?",
    "PmtInf": "PmtInfId PmtMtd BtchBookg? NbOfTxs CtrlSum PmtTpInf? ReqdExctnDt Dbtr DbtrAcct DbtrAgt ChrgBr? "
    "CdtTrfTxInf+",
    "PmtTpInf": "SvcLvl?",
    "SvcLvl": "Cd",
    "ReqdExctnDt": "Dt",
    "Dbtr": "Nm? PstlAdr?",
    "DbtrAcct": "Id Ccy?",
    "DbtrAgt": "FinInstnId",
    "CdtTrfTxInf": "PmtId Amt CdtrAgt? Cdtr CdtrAcct RmtInf?",
    "PmtId": "EndToEndId",
    "Amt": "InstdAmt",
    "CdtrAgt": "FinInstnId",
    "Cdtr": "Nm? PstlAdr?",
    "PstlAdr": "PstCd? TwnNm? Ctry? AdrLine{0,7}",
    "CdtrAcct": "Id",
    "RmtInf": "Ustrd?",
    "FinInstnId": "BICFI? Othr?",
    "Othr": "Id",
}
"""What stands in what, in order, by the schema of pain.001.001.09: `?` may be missing, `+` may come again. Of what it
allows besides, nothing is written."""
SAID: dict[str, str] = {
    "MsgId": r".{1,35}",
    "PmtInfId": r".{1,35}",
    "EndToEndId": r".{1,35}",
    "CreDtTm": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "Dt": r"\d{4}-\d\d-\d\d",
    "NbOfTxs": r"[0-9]{1,15}",
    "CtrlSum": r"(?=.{1,19}$)[0-9]+(\.[0-9]{1,3})?",
    "InstdAmt": r"(?=.{1,19}$)[0-9]+(\.[0-9]{1,3})?",
    "Nm": r".{1,70}",
    "PmtMtd": "TRF",
    "BtchBookg": "true|false",
    "Cd": "SEPA",
    "ChrgBr": "SLEV|SHAR|DEBT|CRED",
    "PstCd": r".{1,16}",
    "TwnNm": r".{1,35}",
    "Ctry": r"[A-Z]{2}",
    "AdrLine": r".{1,70}",
    "IBAN": r"[A-Z]{2}[0-9]{2}[a-zA-Z0-9]{1,30}",
    "Ccy": r"[A-Z]{3}",
    "BICFI": r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?",
    "Ustrd": r".{1,140}",
    "Id": r".{1,35}",
}
"""What texts can be, by the same schema."""
SEPA_SAID: dict[str, str] = {"ChrgBr": "SLEV", "InstdAmt": r"[0-9]{1,9}\.[0-9]{2}"}
"""What the narrower schema of SEPA's credit transfers (EPC132-08) says otherwise."""


def wrong(root: etree._Element, *, sepa: bool = False) -> list[str]:
    """What of a file is not as the schema has it."""
    found = []
    said = {**SAID, **SEPA_SAID} if sepa else SAID
    for element in root.iter():
        name, inside = name_of(element), [name_of(child) for child in element]
        if name == "Id" and inside:
            if inside != ["IBAN"]:
                found.append(f"Id: {inside}")
        elif name in ORDER_OF:
            shape = re.sub(r"([A-Za-z0-9]+)(\S*) ?", r"(\1 )\2", ORDER_OF[name])
            if not re.fullmatch(shape, "".join(f"{each} " for each in inside)):
                found.append(f"{name}: {inside}")
        elif inside or not re.fullmatch(said[name], element.text or ""):
            found.append(f"{name}: {inside or element.text!r}")
    return found


def read(order: Order) -> etree._Element:
    return etree.fromstring(write_pain(order))


def texts(root: etree._Element, path: str) -> list[str]:
    return [str(one.text) for one in root.iterfind("/".join(f"{{{NAMESPACE}}}{name}" for name in path.split("/")))]


def name_of(element: etree._Element) -> str:
    return str(etree.QName(element).localname)


@pytest.mark.parametrize("order", [ORDER, OUTSIDE])
@pytest.mark.parametrize("bic", ["", "COBADEFFXXX", "COBADEFF"])
def test_elements_and_texts_are_those_of_the_schema(order: Order, bic: str) -> None:
    root = read(replace(order, payer=replace(PAYER, bic=bic)))
    assert root.tag == f"{{{NAMESPACE}}}Document"
    assert wrong(root, sepa=order is ORDER) == []


@pytest.mark.parametrize(
    ("found", "spoilt", "says"),
    [
        ("<PmtMtd>TRF</PmtMtd>", "", "PmtInf"),
        (
            "<BtchBookg>false</BtchBookg><NbOfTxs>2</NbOfTxs>",
            "<NbOfTxs>2</NbOfTxs><BtchBookg>false</BtchBookg>",
            "PmtInf",
        ),
        ("<IBAN>DE89370400440532013000</IBAN>", "<IBAN>DE89 3704</IBAN>", "IBAN"),
        ("<Nm>Sample</Nm>", "<Nm></Nm>", "Nm"),
        ("<EndToEndId>0198c5a1</EndToEndId>", "<EndToEndId>" + "9" * 36 + "</EndToEndId>", "EndToEndId"),
        ("<ChrgBr>SLEV</ChrgBr>", "<ChrgBr>DEBT</ChrgBr>", "ChrgBr"),
        ("<IBAN>AT611904300234573201</IBAN>", "", "Id"),
    ],
)
def test_a_spoilt_file_is_not_as_the_schema_has_it(found: str, spoilt: str, says: str) -> None:
    text = write_pain(ORDER).decode()
    assert found in text
    caught = wrong(etree.fromstring(text.replace(found, spoilt).encode()), sepa=True)
    assert any(one.startswith(f"{says}: ") for one in caught), caught


def test_without_words_nothing_is_said_and_what_sepa_does_not_take_is_refused() -> None:
    silent = replace(ORDER.transfers[0], words=" \n ")
    root = read(replace(ORDER, transfers=(silent,)))
    assert list(root.iter(f"{{{NAMESPACE}}}RmtInf")) == []
    assert wrong(root) == []
    for spoilt in (replace(silent, amount=SEPA_AMOUNT_MAX + Decimal("0.01")), replace(silent, end_to_end_id="")):
        with pytest.raises(AssertionError):
            write_pain(replace(ORDER, transfers=(spoilt,)))


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
    euro, dollar = read(ORDER), read(OUTSIDE)
    path = "CstmrCdtTrfInitn/PmtInf/"
    assert (texts(euro, f"{path}PmtTpInf/SvcLvl/Cd"), texts(euro, f"{path}ChrgBr")) == (["SEPA"], ["SLEV"])
    assert (texts(dollar, f"{path}PmtTpInf/SvcLvl/Cd"), texts(dollar, f"{path}ChrgBr")) == ([], ["SHAR"])
    assert texts(euro, f"{path}CdtTrfTxInf/Cdtr/Nm")[0] == "Muller + Sohne"
    assert texts(dollar, f"{path}CdtTrfTxInf/Cdtr/Nm") == [ABROAD.name]
    assert texts(dollar, f"{path}CdtTrfTxInf/CdtrAgt/FinInstnId/BICFI") == [ABROAD.bic]


def test_across_borders_a_payee_has_town_and_country_and_two_lines_and_inside_sepa_a_name_alone() -> None:
    path = "CstmrCdtTrfInitn/PmtInf/CdtTrfTxInf/Cdtr/PstlAdr"
    [address] = read(OUTSIDE).iterfind("/".join(f"{{{NAMESPACE}}}{name}" for name in path.split("/")))
    said = [(name_of(one), one.text) for one in address]
    assert said == [
        ("PstCd", "00000"),
        ("TwnNm", "Dubai"),
        ("Ctry", "AE"),
        ("AdrLine", "Tower 4, Floor 12"),
        ("AdrLine", "Sheikh Zayed Road"),
    ]
    housed = replace(ORDER.transfers[0].to, address=ABROAD.address)
    at_home = read(replace(ORDER, transfers=(replace(ORDER.transfers[0], to=housed),)))
    assert list(at_home.iter(f"{{{NAMESPACE}}}PstlAdr")) == []
    assert ABROAD.address is not None
    nowhere = replace(ABROAD, address=replace(ABROAD.address, town=" "))
    unhoused = read(replace(OUTSIDE, transfers=(replace(OUTSIDE.transfers[0], to=nowhere),)))
    assert list(unhoused.iter(f"{{{NAMESPACE}}}PstlAdr")) == []
    assert wrong(unhoused) == []


def test_euro_to_an_account_outside_sepa_stands_in_a_block_of_its_own() -> None:
    far = replace(OUTSIDE.transfers[0], amount=SEPA_AMOUNT_MAX + 1)
    root = read(replace(ORDER, transfers=(far, *ORDER.transfers)))
    assert wrong(root) == []
    path = "CstmrCdtTrfInitn/PmtInf/"
    assert texts(root, f"{path}PmtInfId") == ["PF-0001-1", "PF-0001-2"]
    assert texts(root, f"{path}ChrgBr") == ["SLEV", "SHAR"]
    assert texts(root, f"{path}NbOfTxs") == ["2", "1"]
    assert texts(root, f"{path}CtrlSum") == ["1668.83", "1000000000.99"]
    assert texts(root, "CstmrCdtTrfInitn/GrpHdr/CtrlSum") == ["1000001669.82"]
    assert [one.text for one in root.iter(f"{{{NAMESPACE}}}EndToEndId")] == ["0198c5a0", "0198c5a1", "0198c5a2"]


@pytest.mark.parametrize(
    ("currency", "ibans", "goes"),
    [
        ("EUR", (PAYER.iban, "CH9300762011623852957"), True),
        ("EUR", (PAYER.iban, "gb29NWBK60161331926819"), True),
        ("EUR", (PAYER.iban, ABROAD.iban), False),
        ("EUR", (ABROAD.iban, PAYER.iban), False),
        ("EUR", (PAYER.iban, "TR330006100519786457841326"), False),
        ("CHF", (PAYER.iban, "CH9300762011623852957"), False),
    ],
)
def test_sepa_is_euro_between_its_countries(currency: str, ibans: tuple[str, str], goes: bool) -> None:
    assert is_sepa(currency, *ibans) is goes


def test_outside_sepa_the_payees_bank_must_be_known() -> None:
    with pytest.raises(AssertionError):
        write_pain(replace(OUTSIDE, transfers=(replace(OUTSIDE.transfers[0], to=replace(ABROAD, bic="")),)))


def test_without_a_bic_the_payers_bank_is_said_not_to_be_given() -> None:
    root = read(replace(ORDER, payer=replace(PAYER, bic="")))
    assert texts(root, "CstmrCdtTrfInitn/PmtInf/DbtrAgt/FinInstnId/Othr/Id") == ["NOTPROVIDED"]


@pytest.mark.parametrize(("currency", "amount", "said"), [("JPY", "1500", "1500"), ("BHD", "1.234", "1.234")])
def test_amounts_have_the_decimals_of_their_currency(currency: str, amount: str, said: str) -> None:
    one = replace(OUTSIDE.transfers[0], amount=Decimal(amount))
    root = read(replace(ORDER, currency=currency, transfers=(one,)))
    assert texts(root, "CstmrCdtTrfInitn/GrpHdr/CtrlSum") == [said]


@settings(max_examples=examples(25))
@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=300))
def test_whatever_a_name_is_the_file_is_read_and_within_lengths(name: str) -> None:
    one = Transfer("1", Holder(name, PAYER.iban, PAYER.bic, Address((name,), name, name, "DE")), Decimal(1), name)
    assert wrong(read(replace(ORDER, currency="USD", transfers=(one,)))) == []
    root = read(replace(ORDER, transfers=(one,)))
    assert wrong(root, sepa=True) == []
    [said] = texts(root, "CstmrCdtTrfInitn/PmtInf/CdtTrfTxInf/Cdtr/Nm")
    assert 0 < len(said) <= 70
    assert not NOT_IN_SEPA.search(said)


def test_the_same_order_is_the_same_bytes() -> None:
    assert write_pain(ORDER) == write_pain(ORDER)
