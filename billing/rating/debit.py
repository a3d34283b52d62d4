"""Rating of a debit: an amount that is put on the next bill once, with its reason and the invoice that it is about.

A correction is a supply that was billed too low; a late fee is compensation for paying late, and bears no tax. Neither
is discounted, nor counted towards what was committed to.
"""

import re
from decimal import Decimal
from typing import Final, Literal

from billing.rating.inputs import RatingWindow, TermInput
from billing.rating.rated import Rated, RatedLine, TermKind, Unit, line_key, whole_amount
from billing.rating.wording import Wording, WrongWording
from billing.rating.wording_fields import check_price
from tenants.sentences import sentence

RULE_CORRECTION: Final = "debit_correction"
RULE_LATE_FEE: Final = "debit_late_fee"
QUALITY_ACTUAL: Final = "A"
REASON_CHARACTERS_MAX: Final = 200
LATE_FEE_REASON: Final = "Not paid {days} days after it was due"
"""Why a late fee is charged, as its term and its line keep it; `said_late_fee` finds it there again."""
RULES: Final = {"correction": RULE_CORRECTION, "late_fee": RULE_LATE_FEE}


class DebitWording(Wording, frozen=True, kw_only=True, tag="debit"):
    """An amount before tax that is owed once, from the instant on at which the term begins.

    `line` is the position of the line of `invoice` that it corrects; 0: it is about the whole.
    """

    amount: Decimal
    cause: Literal["correction", "late_fee"]
    invoice: str
    reason: str
    line: int = 0

    def check(self) -> None:
        """Raise `WrongWording` where the amount is nothing, or the reason is missing."""
        check_price("amount", self.amount, "40.00")
        if not self.amount:
            raise WrongWording("amount", sentence("must be more than 0."), "40.00")
        if not 0 < len(self.reason.strip()) <= REASON_CHARACTERS_MAX:
            raise WrongWording(
                "reason",
                sentence("must have 1 to %(most)s characters.", most=REASON_CHARACTERS_MAX),
                "2 hours were left out",
            )


def said_late_fee(text: str) -> tuple[str, str] | None:
    """Return the reason of a late fee within a title or a line, and its number of days; None where it has none."""
    found = re.search(LATE_FEE_REASON.format(days=r"(\d+)"), text)
    return (found[0], found[1]) if found else None


def rate_debit(term: TermInput, window: RatingWindow) -> Rated:
    """Return the amount as a line of the period in which its term begins, and nothing in any other."""
    lines = []
    for stretch in term.stretches[:1]:
        begins = term.from_at
        if not window.from_at <= begins < window.to_at:
            continue
        wording: DebitWording = stretch.wording
        rule = RULES[wording.cause]
        lines.append(
            RatedLine(
                line_key=line_key(TermKind.DEBIT, term.ref, stretch.contract_version, rule),
                term_kind=TermKind.DEBIT,
                term_ref=term.ref,
                contract_version=stretch.contract_version,
                price_version_id=None,
                rule=rule,
                model="",
                token_class="",
                quantity=Decimal(1),
                unit=Unit.AMOUNT,
                price=whole_amount(wording.amount),
                quality_mix={QUALITY_ACTUAL: Decimal(1)},
                from_at=begins,
                to_at=min(stretch.to_at, window.period_to_at),
            )
        )
    return Rated(tuple(lines))
