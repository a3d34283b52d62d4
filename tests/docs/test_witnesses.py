"""The page on witnesses names every cause, alert and end of a silence, and the numbers of the code."""

from __future__ import annotations

from metering.checking import BEHIND_AFTER
from metering.checks import Cause
from metering.clock import CLOCK_SKEW_MS_MAX, CORRECTED_MS_MIN
from metering.comparison import TOLERANCE_PERCENT
from metering.control_models import AlertKind, SilenceEnd
from metering.looks import HOLE_MS_MIN, HOLE_PAUSES
from metering.plausibility import BUSY_IDLE_FACTOR, SAFETY
from metering.queries import SILENT_AFTER
from metering.residuals import CACHED_EXCLUDED, PROMPT_COPIES
from tests.docs.pages import code, rows_of, text_of

PAGE = "docs/witnesses.md"


def test_every_cause_and_alert_is_explained() -> None:
    assert {code(row[0]) for row in rows_of(PAGE, "cause")} == {cause.value for cause in Cause}
    assert [code(row[0]) for row in rows_of(PAGE, "alert")] == AlertKind.values
    assert {row[0].strip("`") for row in rows_of(PAGE, "state of a silence")} == {"lasting", *SilenceEnd.values}


def test_the_numbers_are_those_of_the_code() -> None:
    assert (CORRECTED_MS_MIN, CLOCK_SKEW_MS_MAX) == (2_000, 300_000)
    assert (HOLE_MS_MIN, HOLE_PAUSES, SILENT_AFTER.total_seconds()) == (120_000, 3, 120)
    assert [float(one) for one in (TOLERANCE_PERCENT, SAFETY, BUSY_IDLE_FACTOR)] == [1.0, 2.0, 2.0]
    assert BEHIND_AFTER.total_seconds() == 3_600
    assert (PROMPT_COPIES["vllm"], PROMPT_COPIES["sglang"], PROMPT_COPIES["tensorrt_llm"]) == ((1, 0), (1, 1), (0, 0))
    assert frozenset({"llamacpp"}) == CACHED_EXCLUDED
    assert "From 2 seconds to 5 minutes" in " ".join(text_of(PAGE).split())
