"""Findings in words: every rule and severity has some, figures are in the unit that was found."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from metering.findings import Finding
from metering.pages.finding_words import finding_pill, finding_text, rule_words, severity_words, shown_finding
from metering.validation import Check, Severity

AT = datetime(2026, 3, 5, 9, tzinfo=UTC)


def finding(**other: object) -> Finding:
    whole: dict[str, object] = {
        "meter_id": UUID(int=1),
        "hour_at": AT,
        "node": "node-1",
        "model": "sample-model",
        "quantity": "output",
        "rule": "sum",
        "severity": "error",
        "observed": 1_234_567,
        "expected": 1_000_000,
        "looks_for": "a; b",
        "source": "somewhere",
        "state": "open",
        "found_at": AT,
    }
    return Finding(**{**whole, **other})  # type: ignore[arg-type]  # every field is there


def test_every_rule_has_a_title_and_a_text_of_its_own() -> None:
    assert len({rule_words(check) for check in Check}) == len(Check)
    assert len({finding_text(check) for check in Check}) == len(Check)
    for unknown in (rule_words, finding_text):
        with pytest.raises(ValueError, match="other"):
            unknown("other")


def test_every_severity_has_a_tone_of_its_own_until_it_is_settled() -> None:
    open_pills = [finding_pill(severity, "open") for severity in Severity]
    assert len({pill.tone for pill in open_pills}) == len(Severity)
    assert [pill.text for pill in open_pills] == [severity_words(severity) for severity in Severity]
    assert {finding_pill(severity, "settled").text for severity in Severity} == {"settled by later figures"}


@pytest.mark.parametrize(
    ("rule", "quantity", "observed", "unit"),
    [
        ("sum", "output", "1,234,567", "tokens"),
        ("sum", "requests", "1,234,567", "requests"),
        ("sum", "energy_mj", "0.0003429", "kWh"),
        # What was held is counted in readings, whatever the meter counts.
        ("held", "energy_mj", "1,234,567", "readings"),
        ("time", "output", "1,234,567", "readings"),
        ("identity", "output", "1,234,567", "readings"),
    ],
)
def test_figures_are_in_the_unit_that_was_found(rule: str, quantity: str, observed: str, unit: str) -> None:
    shown = shown_finding(finding(rule=rule, quantity=quantity), [], "en", day_url="/day")
    assert (shown.observed, shown.unit) == (observed, unit)


def test_a_tenant_reads_its_deployments_and_a_provider_its_node() -> None:
    tenant = shown_finding(finding(), ["quartz", "topaz"], "en", day_url="/day")
    assert (tenant.where, tenant.under) == ("quartz, topaz", "sample-model · Output · node-1")
    provider = shown_finding(finding(model=""), [], "en", day_url="/day", correct_url="/mend")
    assert (provider.where, provider.under) == ("node-1", "Output")
    assert (provider.day_url, provider.correct_url, provider.time) == ("/day", "/mend", "09:00 UTC")
