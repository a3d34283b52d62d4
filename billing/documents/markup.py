"""Writing XML by paths of prefixed names: what the two syntaxes of electronic invoices have in common."""

from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement, indent, register_namespace, tostring


class Node:
    """An element of a document under way; `namespaces` maps prefixes to what they stand for."""

    def __init__(self, element: Element, namespaces: Mapping[str, str]) -> None:
        self.element = element
        self.namespaces = namespaces

    @classmethod
    def root(cls, name: str, namespaces: Mapping[str, str]) -> "Node":
        """Begin a document."""
        for prefix, uri in namespaces.items():
            register_namespace(prefix, uri)
        return cls(Element(_name(name, namespaces)), namespaces)

    def at(self, path: str) -> "Node":
        """Return the end of a path of new elements."""
        element = self.element
        for name in path.split("/"):
            element = SubElement(element, _name(name, self.namespaces))
        return Node(element, self.namespaces)

    def text(self, path: str, text: str, **attributes: str) -> None:
        """Write a text at the end of a path of new elements; an empty one writes nothing: an empty element is an
        error in both syntaxes."""
        if text:
            element = self.at(path).element
            element.text = text
            element.attrib.update(attributes)

    def file(self) -> bytes:
        """Return the whole document, an element a line, in UTF-8."""
        indent(self.element, space=" ")
        body: bytes = tostring(self.element, encoding="utf-8", xml_declaration=True)
        return body + b"\n"


def _name(name: str, namespaces: Mapping[str, str]) -> str:
    prefix, local = name.split(":")
    return f"{{{namespaces[prefix]}}}{local}"
