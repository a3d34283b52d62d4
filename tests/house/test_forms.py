"""A form whose id is made with its page books once by that id; a browser must not fill it in again with the next one.

Whoever goes back to such a form gets the page anew, with a new id, and browsers put back what was typed unless the form
asks them not to: one more press would book the same amount twice.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FORM = re.compile(r"<form\b[^>]*>.*?</form>", re.DOTALL)


def booking_once() -> dict[str, str]:
    """The opening tag of each form that sends an id of its page, by its file and the act."""
    found = {}
    for path in sorted(ROOT.glob("*/templates/**/*.html")):
        for form in FORM.findall(path.read_text()):
            if '<input type="hidden" name="id"' in form:
                act = re.search(r'name="action" value="(\w+)"', form)
                found[f"{path.name} {act and act.group(1)}"] = form.partition(">")[0]
    return found


def test_a_form_that_books_once_is_not_filled_in_again_by_going_back() -> None:
    forms = booking_once()
    assert {"invoice_correct.html credit", "balances.html refund"} <= forms.keys()
    assert [name for name, tag in forms.items() if 'autocomplete="off"' not in tag] == []
