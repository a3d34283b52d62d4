"""Questions by the API: asked, answered, granted, upheld, withdrawn; each by the side that may."""

from __future__ import annotations

import re

import pytest

from tests.billing.corrections.called import Callers
from tests.kept import kept

pytestmark = pytest.mark.django_db
ASK = {"line": 1, "text": "We used half of that."}


@kept
def calls() -> Callers:
    return Callers()


def asked(calls: Callers) -> str:
    made = calls.post("tenant", calls.of_invoice("disputes"), ASK)
    assert made.status_code == 201
    return str(made.json()["id"])


def test_a_question_is_asked_answered_and_granted(calls: Callers) -> None:
    dispute = asked(calls)
    seen = calls.get("provider", f"disputes/{dispute}").json()
    assert (seen["line"], seen["state"], seen["actions"]) == (1, "open", ["answer", "grant", "uphold"])
    assert calls.get("tenant", f"disputes/{dispute}").json()["actions"] == ["answer", "withdraw"]
    assert calls.post("provider", f"disputes/{dispute}/answer", {"text": "Which half?"}).status_code == 200
    granted = calls.post(
        "provider", f"disputes/{dispute}/grant", {"text": "You are right.", "lines": [{"line": 1, "amount": "50"}]}
    )
    assert granted.status_code == 200
    said = granted.json()
    assert (said["state"], said["actions"]) == ("credited", [])
    assert [each["side"] for each in said["messages"]] == ["tenant", "provider", "provider"]
    # The other side reads it: the beginning of a key, and not what its owner calls it.
    assert all(re.fullmatch(r"key fk_[-\w]{7}", each["author"]) for each in said["messages"]), said["messages"]
    (note,) = calls.get("tenant", "credit-notes").json()["credit_notes"]
    assert (note["number"], note["total"], note["reason"]) == (said["credit_note"], "50.00", "dispute")
    late = calls.post("tenant", f"disputes/{dispute}/answer", {"text": "But"})
    assert (late.status_code, late.json()["code"]) == (409, "dispute_over")


def test_the_provider_lets_the_invoice_stand_and_the_tenant_takes_another_back(calls: Callers) -> None:
    dispute = asked(calls)
    wrong = calls.post("tenant", f"disputes/{dispute}/uphold", {"text": "No."})
    assert (wrong.status_code, wrong.json()["code"]) == (403, "not_your_side")
    assert calls.post("provider", f"disputes/{dispute}/uphold", {"text": "No."}).json()["state"] == "upheld"
    second = asked(calls)
    assert calls.post("provider", f"disputes/{second}/withdraw").status_code == 403
    assert calls.post("tenant", f"disputes/{second}/withdraw").json()["state"] == "withdrawn"
    states = [each["state"] for each in calls.get("provider", "disputes").json()["disputes"]]
    assert sorted(states) == ["upheld", "withdrawn"]


def test_an_outsider_finds_nothing_and_a_provider_asks_nothing(calls: Callers) -> None:
    dispute = asked(calls)
    assert calls.get("charlie", f"disputes/{dispute}").status_code == 404
    assert calls.get("charlie", "disputes").json() == {"disputes": [], "next_cursor": None}
    for act in ("answer", "grant", "uphold", "withdraw"):
        assert calls.post("charlie", f"disputes/{dispute}/{act}", {"text": "x"}).status_code == 404
    for who in ("charlie", "provider"):
        assert calls.post(who, calls.of_invoice("disputes"), ASK).status_code == 404


def test_the_same_line_is_questioned_once_at_a_time(calls: Callers) -> None:
    asked(calls)
    again = calls.post("tenant", calls.of_invoice("disputes"), ASK)
    assert (again.status_code, again.json()["code"]) == (409, "already_disputed")
    assert calls.post("tenant", calls.of_invoice("disputes"), {"text": ""}).status_code == 400
    assert calls.post("tenant", calls.of_invoice("disputes"), {"text": "x", "line": 9}).status_code == 422
