"""Sides of a difference as people read them: money in its currency's own way, states and nothing in both languages."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from django.utils import translation

from billing.reconciling.comparing import Side
from billing.reconciling.side_words import side_words


@pytest.mark.parametrize(
    ("side", "english", "chinese"),
    [
        (Side(amount_minor=-700, currency="USD"), "\u2212$7.00", "\u2212$7.00"),
        (Side(amount_minor=1_234, currency="JPY"), "\u00a51,234", "JP\u00a51,234"),
        (Side("S-1", "issued", 0, currency="EUR"), "S-1 \u00b7 Issued \u00b7 \u20ac0.00 paid through Stripe", ""),
        (Side("S-1", "open", 5, 1_000, "EUR"), "S-1 \u00b7 Open \u00b7 \u20ac0.05 of \u20ac10.00 paid", ""),
        (Side("S-1", "void"), "S-1 \u00b7 Void", ""),
        (Side("S-1", amount_minor=5, currency="EUR"), "S-1 \u00b7 \u20ac0.05", ""),
        (Side(amount_minor=-700), "\u2212700 in the smallest unit of its currency", ""),
        (Side("S-1", "of_tomorrow"), "S-1 \u00b7 of_tomorrow", ""),
    ],
)
def test_a_side_is_said_in_the_readers_way(side: Side, english: str, chinese: str) -> None:
    assert side_words(asdict(side), str(side), "en_US") == english
    with translation.override("zh-hans"):
        said = side_words(asdict(side), str(side), "zh_Hans_CN")
    assert said == chinese if chinese else said


def test_nothing_and_what_was_seen_before_sides_were_kept_are_said() -> None:
    assert side_words({}, "nothing", "en_US") == "nothing"
    assert side_words({}, "-700 minor units", "en_US") == "-700 minor units"
    with translation.override("zh-hans"):
        assert side_words({}, "nothing", "zh_Hans_CN") == "\u65e0"
