"""Amounts as people type and read them: exact, in whole units of the class."""

import pytest

from metering.pages.quantities import NotAnAmount, amount, read_amount, unit, units


@pytest.mark.parametrize(
    ("quantity", "value", "words"),
    [
        ("output", 18_402_118, "18,402,118 tokens"),
        ("requests", 900, "900 requests"),
        ("energy_mj", 2_204_352_000, "0.6123 kWh"),
        ("energy_mj", 41_000, "0.0000114 kWh"),
        ("energy_mj", 0, "0.0000 kWh"),
    ],
)
def test_values_are_said_with_their_unit(quantity: str, value: int, words: str) -> None:
    assert f"{amount(quantity, value)} {unit(quantity)}" == words


@pytest.mark.parametrize(
    ("text", "factor", "value"),
    [
        ("0", 1, 0),
        ("1,250,000", 1, 1_250_000),
        ("1 250 000", 1, 1_250_000),
        ("12.0", 1, 12),
        ("1e3", 1, None),
        ("0.6125", units("energy_mj")["kWh"], 2_205_000_000),
        ("0.000001", units("energy_mj")["Wh"], None),
        ("1.5", units("energy_mj")["J"], 1_500),
        ("1.5", 1, None),
        ("-1", 1, None),
        ("", 1, None),
        ("many", 1, None),
        ("NaN", 1, None),
        ("Infinity", 1, None),
        ("1e999999999", 1, None),
        ("1." + "0" * 60, 1, None),
        ("١٢", 1, None),
    ],
)
def test_what_is_typed_is_taken_exactly_or_refused(text: str, factor: int, value: int | None) -> None:
    if value is None:
        with pytest.raises(NotAnAmount):
            read_amount(text, factor)
    else:
        assert read_amount(text, factor) == value
