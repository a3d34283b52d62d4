"""The page on webhooks names every kind of event, and its limits are those of the code."""

from __future__ import annotations

import re

from billing.dunning.schedule import Action
from billing.models import NoticeKind, SpendAlertKind
from billing.models.leasing import LeaseEndReason
from billing.queries.usage import Side
from billing.refilling.rules import Outcome
from tenants.hooks.delivering import BACKOFF
from tenants.hooks.kinds import FIELDS, KINDS
from tenants.hooks.outbound import ANSWER_S_MAX
from tests.docs.pages import code, rows_of, text_of

PAGE = "docs/webhooks.md"
WORD = re.compile(r"`([a-z_]+)`")


def test_every_kind_is_named_with_what_has_happened() -> None:
    rows = rows_of(PAGE, "kind", "what has happened", "body")
    assert {code(row[0]): row[1] for row in rows} == KINDS
    assert {code(row[0]): row[2].replace("`", "").replace(",", "") for row in rows} == FIELDS


def test_words_of_bodies_are_those_of_the_code() -> None:
    said = {row[0]: WORD.findall(row[1]) for row in rows_of(PAGE, "word", "one of")}
    assert said["`why` of `payment.failed`"][: len(NoticeKind.values)] == NoticeKind.values
    assert said["`step` of `dunning.*`"][: len(Action)] == [each.value for each in Action]
    assert said["`reason` of `lease.ended`"] == LeaseEndReason.values
    assert said["`reason` of `budget.threshold`"] == [each for each in SpendAlertKind.values if each != "anomaly"]
    assert said["`outcome` of `balance.low`"][: len(Outcome)] == [each.value for each in Outcome]
    assert said["`side`"] == [side.value for side in Side]


def test_times_are_those_of_the_code() -> None:
    assert f"2xx within {ANSWER_S_MAX:.0f} seconds" in text_of(PAGE)
    assert 3 <= sum(each.total_seconds() for each in BACKOFF) / 86_400 < 3.5
