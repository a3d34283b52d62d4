"""Reads a drawn chart back, as a parser sees it."""

from decimal import Decimal
from xml.etree import ElementTree as ET


def parsed(drawing: str) -> ET.Element:
    """The drawing as a tree; a drawing that is not well-formed fails here."""
    return ET.fromstring(f"<root>{drawing}</root>")


def having(drawing: str, tag: str, class_: str | None = None) -> list[ET.Element]:
    """Every element of a tag, with a word of its class."""
    found = parsed(drawing).iter(tag)
    return [node for node in found if class_ is None or class_ in (node.get("class") or "").split()]


def share_of(node: ET.Element, name: str) -> Decimal:
    """A percentage attribute as a number of percent."""
    written = node.get(name)
    assert written is not None
    assert written.endswith("%")
    return Decimal(written.removesuffix("%"))


def number_of(node: ET.Element, name: str) -> Decimal:
    """A plain attribute as a number."""
    written = node.get(name)
    assert written is not None
    return Decimal(written)


def said(drawing: str) -> list[str]:
    """Every text of the drawing, in order."""
    return ["".join(node.itertext()) for node in parsed(drawing).iter("text")]
