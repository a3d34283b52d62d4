"""Documents: what an invoice takes to print, write, check and carry, and what memory that leaves.

    python bench/documents.py [--rounds 20]

No database: from what an invoice says to its files. Each round prints another number, since Typst remembers what it has
set before; the median is of all rounds but the first, which loads fonts and compiles the rules.
"""

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from billing.documents.cii import write_cii
from billing.documents.composing import compose
from billing.documents.einvoice import Einvoice, einvoice_of
from billing.documents.inputs import DocumentInput, Tax, Totals
from billing.documents.press import Attachment, print_paper
from billing.documents.rules import Rules, broken_rules
from billing.documents.ubl import write_ubl
from billing.documents.xmp import say_facturx
from tests.billing.documents.made import invoice, lease_line, share_line

LINES = (3, 60, 600, 5_000)
TARGET_MS = 100


def sample(lines: int, number: int) -> DocumentInput:
    """An invoice of so many lines, half of them with classes."""
    rows = tuple(
        share_line(place, model=f"model-{place // 20}") if place % 2 else lease_line(place, amount="9813.60")
        for place in range(1, lines + 1)
    )
    subtotal = sum((row.amount for row in rows), Decimal(0))
    tax = round(subtotal * 19 / 100, 2)
    total = subtotal + tax
    return invoice(
        number=f"INV-{number:06d}",
        lines=rows,
        taxes=(Tax(category="S", percent=Decimal(19), base=subtotal, amount=tax),),
        totals=Totals(subtotal=subtotal, tax=tax, total=total, due=total),
    )


def timed(steps: dict[str, list[float]], name: str, act: Callable[[], bytes]) -> bytes:
    """Do one step and note how long it took."""
    start = time.perf_counter()
    made = act()
    steps.setdefault(name, []).append((time.perf_counter() - start) * 1000)
    return made


def say(words: str) -> None:
    """Write a line."""
    sys.stdout.write(f"{words}\n")


def measure(lines: int, rounds: int) -> None:
    """Print the medians of one size."""
    steps: dict[str, list[float]] = {}
    pdf = b""
    for number in range(rounds + 1):
        document = sample(lines, number)
        einvoice = einvoice_of(document)
        assert isinstance(einvoice, Einvoice)
        cii = timed(steps, "write CII", lambda e=einvoice: write_cii(e))  # type: ignore[misc]  # bound now
        ubl = timed(steps, "write UBL", lambda e=einvoice: write_ubl(e))  # type: ignore[misc]  # bound now
        for name, body, rules in (("check CII", cii, Rules.CII), ("check UBL", ubl, Rules.UBL)):
            timed(steps, name, lambda b=body, r=rules: b"".join(one.rule.encode() for one in broken_rules(b, r)))  # type: ignore[misc]  # bound now
        carried = (Attachment("factur-x.xml", cii, "text/xml"),)
        pdf = timed(
            steps,
            "print PDF",
            lambda d=document, c=carried: say_facturx(  # type: ignore[misc]  # bound now
                print_paper(compose(d), issued_at=d.issued_at, attachments=c).body
            ),
        )
    shown = " · ".join(f"{name} {statistics.median(ms[1:]):.1f} ms" for name, ms in steps.items())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    say(f"{lines:>6,} lines: {shown} · {len(pdf) / 1024:.0f} KB · {memory:.0f} MB")


def main() -> None:
    """Measure every size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    say(f"Target: {TARGET_MS} ms for the PDF of an invoice of 60 lines.")
    for lines in LINES:
        measure(lines, given.rounds if lines <= 600 else 2)


if __name__ == "__main__":
    main()
