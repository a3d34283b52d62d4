"""Rating of a token revenue share: the rows of its waterfall, from tokens counted to what is owed.

The order is fixed: tokens counted, exclusions of requests, interrupted streams, differing witnesses, refunds, taxes and
fees, revenue base (metered or certified), share by row and tier, base rent and breakpoint, minimum guarantee and
recoupment, cap, true-ups of earlier statements, counts agreed on late, audits, reserve. Each step sees what those
before it came to.
"""

from dataclasses import dataclass
from fractions import Fraction

from billing.rating.inputs import RatingWindow, TermInput
from billing.rating.rated import Rated
from billing.rating.share_base import Cell, certify, metered_cells
from billing.rating.share_cap import take_above_cap
from billing.rating.share_guarantee import GuaranteeTest, apply_guarantee
from billing.rating.share_held import Held, settle_held
from billing.rating.share_hybrid import add_rent
from billing.rating.share_later import hold_reserve, settle_audits, true_up
from billing.rating.share_lines import Written, write_tokens
from billing.rating.share_pieces import price_usage
from billing.rating.share_tiers import share_cells
from billing.rating.share_time import segments
from billing.rating.share_witness import questions, settle_interrupted, settle_refunds, settle_witnesses
from billing.rating.share_words import ShareBase


@dataclass(frozen=True, slots=True)
class ShareRating:
    """A share's rating and what its statement shows beside: base by cell, the guarantee's tests, what is held."""

    rated: Rated
    cells: tuple[Cell, ...] = ()
    tests: tuple[GuaranteeTest, ...] = ()
    held: tuple[Held, ...] = ()


def rate_share(term: TermInput, window: RatingWindow) -> Rated:
    """Rate a term of kind token share over a window; every stretch's wording is a `TokenShareWording`."""
    return share_rating(term, window).rated


def share_rating(term: TermInput, window: RatingWindow) -> ShareRating:
    """Rate as `rate_share` does, and keep what the statement shows."""
    parts = segments(term, window)
    written = Written(term.ref)
    if not parts:
        return ShareRating(Rated())
    pieces, unpriced = price_usage(term, window, parts)
    pieces = settle_interrupted(term, parts, pieces)
    pieces, held = settle_witnesses(term, parts, pieces)
    pieces = settle_refunds(term, parts, pieces)
    written.unpriced += [*unpriced, *questions(term, parts, held)]
    write_tokens(written, parts, pieces)
    cells = certify(written, term, window, parts, metered_cells(written, parts, pieces))
    shares = share_cells(written, term, window, parts, cells)
    owed = add_rent(written, parts, cells, shares)
    added, tests = apply_guarantee(written, term, window, parts, owed)
    owed = {number: amount + added.get(number, Fraction(0)) for number, amount in owed.items()}
    take_above_cap(written, term, window, parts, owed)
    certified = {part.number for part in parts if part.wording.base is ShareBase.CERTIFIED_REVENUE}
    stated = sum((share for number, share in shares.items() if number in certified), Fraction(0))
    true_up(written, term, window, parts, cells=cells, share=stated)
    settle_held(written, term, window, parts, held=held, cells=cells, shares=shares)
    settle_audits(written, term, window, parts)
    hold_reserve(written, term, window, parts)
    rated = Rated(tuple(written.lines), tuple(written.unpriced), tuple(written.carries))
    return ShareRating(rated, tuple(cells), tuple(tests), tuple(held))
