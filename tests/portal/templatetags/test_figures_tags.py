"""Figures in templates follow the active language."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.template import engines
from django.utils import translation

VALUES: dict[str, Any] = {
    "tokens": 1_250_000_000,
    "cost": Decimal("20676.51"),
    "price": Decimal("0.0315"),
    "delta": Decimal(-838),
    "ratio": Decimal("0.373"),
    "held_s": 14_360_400,
    "power_w": 13_500,
    "energy_mj": 7_200_000_000,
    "on": date(2026, 11, 27),
    "at": datetime(2026, 11, 18, 14, 32, tzinfo=UTC),
    "models": ["quartz", "agate"],
    "nothing": None,
}


def rendered(expression: str, language: str = "en") -> str:
    template = engines["django"].from_string(f"{{% load figures_tags %}}{{{{ {expression} }}}}")
    with translation.override(language):
        return template.render(VALUES)


@pytest.mark.parametrize(
    ("expression", "english", "chinese"),
    [
        ("tokens|compact", "1.2B", "12.5\N{CJK UNIFIED IDEOGRAPH-4EBF}"),
        ("tokens|compact:2", "1.25B", "12.50\N{CJK UNIFIED IDEOGRAPH-4EBF}"),
        ("tokens|number", "1,250,000,000", "1,250,000,000"),
        ("cost|number:1", "20,676.5", "20,676.5"),
        ('cost|money:"USD"', "$20,676.51", "$20,676.51"),
        ('cost|money_whole:"USD"', "$20,677", "$20,677"),
        ('cost|money_big:"USD"', '$20,676<span class="cents">.51</span>', '$20,676<span class="cents">.51</span>'),
        ('cost|money_big:"JPY"', "JP¥20,677", "JP¥20,677"),
        ('cost|money_compact:"USD"', "$20.7K", "$2.1\N{CJK UNIFIED IDEOGRAPH-4E07}"),
        ('delta|money_change:"USD"', "\N{MINUS SIGN}$838.00", "\N{MINUS SIGN}$838.00"),
        ('price|unit_price:"USD"', "$0.0315", "$0.0315"),
        ("ratio|share", "37.3%", "37.3%"),
        ("ratio|change:0", "+37%", "+37%"),
        ("held_s|gpu_hours", "3,989", "3,989"),
        ("held_s|gpu_hours:1", "3,989.0", "3,989.0"),
        ("power_w|watts", "13.5 kW", "13.5 kW"),
        ("energy_mj|energy", "2.0 kWh", "2.0 kWh"),
        ("on|day", "27 Nov", "11月27日"),
        ('on|day:"yMMMM"', "November 2026", "2026年11月"),
        ("at|clock", "14:32 UTC", "14:32 UTC"),
        ('at|clock:"Asia/Shanghai"', "22:32 CST", "22:32 CST"),
        ("at|moment", "18 Nov 2026 14:32 UTC", "2026年11月18日 14:32 UTC"),
        ('at|moment:""', "18 Nov 2026 14:32 UTC", "2026年11月18日 14:32 UTC"),
        ("models|listed", "quartz, agate", "quartz\N{IDEOGRAPHIC COMMA}agate"),
        ('nothing|money:"USD"', "\N{EN DASH}", "\N{EN DASH}"),
    ],
)
def test_filters_write_the_readers_language(expression: str, english: str, chinese: str) -> None:
    assert rendered(expression) == english
    assert rendered(expression, "zh-hans") == chinese
