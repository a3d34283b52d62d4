"""Proves the invariants of the books from stored rows; every check says how much it looked at and what is wrong."""

from collections.abc import Callable
from dataclasses import dataclass

from billing.banking import checks as banking
from billing.collective import checks as collective
from billing.corrections import checks as corrections
from billing.proofs import adjustments, causes, fees, invoices, ledger, payments, sealed, sources, taxes
from billing.proofs.proof import Checks, Proved
from billing.proofs.unused import without_work
from billing.reconciling import checks as reconciling
from billing.refilling import checks as refilling
from billing.statements import checks as statements

FINDINGS_MAX = 20
"""Findings shown of one check; the rest is counted."""

CHECKS: Checks = {
    **ledger.CHECKS,
    **causes.CHECKS,
    **payments.CHECKS,
    **fees.CHECKS,
    **invoices.CHECKS,
    **sealed.CHECKS,
    **adjustments.CHECKS,
    **taxes.CHECKS,
    **sources.CHECKS,
    **statements.CHECKS,
    **corrections.CHECKS,
    **collective.CHECKS,
    **banking.CHECKS,
    **reconciling.CHECKS,
    **refilling.CHECKS,
}
"""Every invariant by its name for people; a room of billing adds its own by one line."""


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant: its name, how many rows it was proved on, and where it does not hold."""

    name: str
    looked_at: int
    wrong: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.wrong


def check_books() -> tuple[Check, ...]:
    """Prove every invariant of the books; must run in one transaction at REPEATABLE READ to see one state."""
    idle = without_work()
    return tuple(Check(name, 0, ()) if name in idle else _run(name, check) for name, check in CHECKS.items())


def _run(name: str, check: Callable[[], Proved]) -> Check:
    looked_at, found = check()
    wrong = list(found)
    if len(wrong) > FINDINGS_MAX:
        wrong = [*wrong[:FINDINGS_MAX], f"and {len(wrong) - FINDINGS_MAX} more"]
    return Check(name, looked_at, tuple(wrong))
