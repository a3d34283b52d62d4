"""What Stripe takes, and how long it keeps a charge: set by ``POST /_double/funds``."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Funds:
    """What Stripe takes of a charge and for a dispute, and how long a charge is pending."""

    fee_basis_points: int = 0
    fee_fixed: int = 0
    dispute_fee: int = 1500
    pending_s: int = 0

    def fee_of(self, amount: int) -> int:
        """Stripe's fee on a charge, rounded up."""
        return -(-amount * self.fee_basis_points // 10_000) + self.fee_fixed
