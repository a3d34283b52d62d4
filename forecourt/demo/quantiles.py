"""Shapes of real traces, as quantiles: what the seeded sample draws its sizes, durations and power from.

Each tuple gives the values at the percentages of `AT_PERCENT`, derived from public traces; no row of them is here.

- `CONVERSATION_*`, `CODE_*`: tokens per request of the Azure LLM inference traces of November 2023 (Patel et al.,
  "Splitwise", ISCA 2024; CC-BY 4.0).
- `JOB_SECONDS`: how long scheduled GPU jobs of the Alibaba openb trace of 2023 held their cards (Weng et al., "Beware
  of Fragmentation", USENIX ATC 2023; Apache-2.0 copy), cut at four days.
- `POWER_WATTS`: board power of A100-SXM cards in the Acme trace (Hu et al., NSDI 2024; CC-BY 4.0).
"""

from typing import Final

AT_PERCENT: Final = (0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 100)
CONVERSATION_INPUT: Final = (2, 29, 181, 207, 396, 1020, 1189, 2734, 4083, 4142, 14050)
CONVERSATION_OUTPUT: Final = (7, 16, 41, 54, 85, 129, 395, 424, 451, 601, 1000)
CODE_INPUT: Final = (3, 17, 75, 147, 578, 1469, 2745, 5186, 7302, 7436, 7437)
CODE_OUTPUT: Final = (6, 6, 6, 7, 9, 13, 24, 55, 90, 252, 1899)
JOB_SECONDS: Final = (4, 20, 48, 67, 183, 655, 2303, 7389, 16994, 147608, 345600)
POWER_WATTS: Final = (60, 61, 62, 63, 66, 98, 253, 384, 410, 437, 558)


def draw(quantiles: tuple[int, ...], percent: float) -> int:
    """Return the value at `percent` (0…100), interpolated between the quantiles known, rounded down."""
    for index in range(1, len(AT_PERCENT)):
        low, high = AT_PERCENT[index - 1], AT_PERCENT[index]
        if percent <= high:
            share = (percent - low) / (high - low)
            return int(quantiles[index - 1] + share * (quantiles[index] - quantiles[index - 1]))
    return quantiles[-1]
