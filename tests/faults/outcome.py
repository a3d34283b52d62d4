"""What two runs of one seed must have in common, whatever was killed in one of them."""

from __future__ import annotations

from typing import Any, Final

# How often a caller had to repeat itself is all that kills may change.
REPEATS: Final = ("events the gateway saw acknowledged are accepted or duplicates", "every tenth event was sent twice")


def outcome_of(report: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a report that must be equal.

    Tokens by every witness, GPU-seconds, the events accepted, every invoice to the cent with its lines and state, the
    ledger down to the number of its postings, the residual and every check. Left out: how long it took, how often
    events were repeated, and which of the invoices closed at once got which number; the numbers together must be
    the same.
    """
    invoices = report["invoices"]
    return {
        "tokens": report["tokens"],
        "events": report["events"]["accepted"],
        "gpu_seconds": report["gpu_seconds"],
        "numbers": sorted(invoice["number"] for invoice in invoices),
        "invoices": sorted(
            ({name: value for name, value in invoice.items() if name != "number"} for invoice in invoices), key=str
        ),
        "ledger": report["ledger"],
        "residual": report["residual"],
        "checks": [
            (check["name"], check["ok"], "" if check["name"] in REPEATS else check["detail"])
            for check in report["checks"]
        ],
    }


def differences(report: dict[str, Any], undisturbed: dict[str, Any]) -> list[str]:
    """Return what a run has otherwise than the undisturbed one; empty where nothing is."""
    found, expected = outcome_of(report), outcome_of(undisturbed)
    return [f"{part}: {found[part]} instead of {expected[part]}" for part in expected if found[part] != expected[part]]
