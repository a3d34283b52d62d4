"""What a browser would send of the forms on a page, as they stand."""

from __future__ import annotations

from html.parser import HTMLParser


class _Fields(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[str, str] = {}
        self.open: str | None = None
        """The text area or choice whose end is still to come."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name") or ""
        if tag == "input":
            box = given.get("type") in ("checkbox", "radio")
            if not box or "checked" in given:
                self.sent[name] = given.get("value") or ("on" if box else "")
        elif tag in ("select", "textarea"):
            self.open = name
            if tag == "textarea":
                self.sent[name] = ""
        elif tag == "option" and self.open is not None and ("selected" in given or self.open not in self.sent):
            self.sent[self.open] = given.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag in ("select", "textarea"):
            self.open = None

    def handle_data(self, data: str) -> None:
        if self.open is not None and self.lasttag == "textarea":
            self.sent[self.open] += data.removeprefix("\n")


def sent_by_a_browser(page: str) -> dict[str, str]:
    """Return name and value of every field on a page."""
    fields = _Fields()
    fields.feed(page)
    return fields.sent
