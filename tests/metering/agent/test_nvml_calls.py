"""What each error of NVML means, over pynvml's real exceptions."""

from itertools import pairwise

import pynvml
import pytest

from metering.agent.nvml_calls import PAUSE_MS, PAUSE_MS_MAX, Calls, DriverGone

CARD = "GPU-1"


class Library:
    """pynvml's error classes around one function that plays a code, or answers 7."""

    NVMLError = pynvml.NVMLError
    NVMLLibraryMismatchError = pynvml.NVMLLibraryMismatchError

    def __init__(self) -> None:
        self.code: int | None = None
        self.calls = 0

    def ask(self) -> int:
        self.calls += 1
        if self.code == -1:
            raise pynvml.NVMLLibraryMismatchError("Unversioned function called and the pyNVML version does not match")
        if self.code is not None:
            raise pynvml.NVMLError(self.code)
        return 7


@pytest.fixture
def library() -> Library:
    return Library()


@pytest.fixture
def calls(library: Library) -> Calls:
    return Calls(library)


def told(calls: Calls) -> list[tuple[str, str]]:
    return [(outcome["uuid"], outcome["reason"]) for outcome in calls.outcomes]


@pytest.mark.parametrize("code", [3, 13, 25, -1])
def test_what_a_card_cannot_tell_is_null_for_ever_and_asked_once(library: Library, calls: Calls, code: int) -> None:
    library.code = code
    assert [calls.ask(CARD, "power", "ask") for _ in range(3)] == [None, None, None]
    assert (library.calls, calls.outcomes) == (1, [])
    # Another card is another capability.
    assert calls.ask("GPU-2", "power", "ask") is None
    assert library.calls == 2
    library.code = None
    calls.forget(CARD)
    assert calls.ask(CARD, "power", "ask") == 7


@pytest.mark.parametrize("code", [6, 10, 21])
def test_nothing_there_is_null_and_asked_again(library: Library, calls: Calls, code: int) -> None:
    library.code = code
    assert calls.ask(CARD, "power", "ask") is None
    library.code = None
    assert (calls.ask(CARD, "power", "ask"), calls.outcomes) == (7, [])


@pytest.mark.parametrize("code", [1, 9, 12, 18])
def test_a_driver_that_went_ends_the_process(library: Library, calls: Calls, code: int) -> None:
    library.code = code
    with pytest.raises(DriverGone) as gone:
        calls.ask(CARD, "power", "ask")
    assert (gone.value.code, gone.value.detail.partition(":")[0]) == (code, "power")


@pytest.mark.parametrize("code", [15, 16, 28])
def test_a_lost_card_is_an_outcome_of_that_card(library: Library, calls: Calls, code: int) -> None:
    library.code = code
    assert calls.ask(CARD, "power", "ask") is None
    assert told(calls) == [(CARD, "gpu_lost")]
    assert (calls.is_lost(CARD), calls.is_lost("GPU-2")) == (True, False)


@pytest.mark.parametrize("code", [4, 17, 20, 27])
def test_what_the_environment_refuses_is_asked_ever_more_rarely(library: Library, calls: Calls, code: int) -> None:
    library.code = code
    asked_at = []
    for second in range(0, 4_000, 10):
        calls.begin(second * 1_000)
        before = library.calls
        assert calls.ask(CARD, "power", "ask") is None
        if library.calls > before:
            asked_at.append(second)
            assert told(calls) == [(CARD, "nvml_error")]
        else:
            assert calls.outcomes == []
    pauses = [(later - earlier) * 1_000 for earlier, later in pairwise(asked_at)]
    assert pauses == [PAUSE_MS, 2 * PAUSE_MS, 4 * PAUSE_MS, 8 * PAUSE_MS, *[PAUSE_MS_MAX] * (len(pauses) - 4)]
    library.code = None
    calls.begin(10_000_000)
    assert calls.ask(CARD, "power", "ask") == 7
    # After an answer the next refusal begins with the short pause again.
    library.code = code
    calls.ask(CARD, "power", "ask")
    calls.begin(10_000_000 + PAUSE_MS)
    before = library.calls
    calls.ask(CARD, "power", "ask")
    assert library.calls == before + 1


def test_a_clock_that_was_set_back_does_not_lengthen_a_pause(library: Library, calls: Calls) -> None:
    library.code = 4
    calls.begin(10_000_000)
    calls.ask(CARD, "power", "ask")
    calls.begin(1_000)
    calls.ask(CARD, "power", "ask")
    assert library.calls == 2


def test_the_unknown_error_says_what_it_usually_is(library: Library, calls: Calls) -> None:
    library.code = 999
    assert calls.ask(CARD, "power", "ask") is None
    (outcome,) = calls.outcomes
    assert outcome["reason"] == "device_access_lost"
    assert "daemon-reload" in outcome["detail"]
    assert "run the agent on the host" in outcome["detail"]


@pytest.mark.parametrize("code", [2, 8, 11, 14, 777])
def test_any_other_error_is_told_each_time(library: Library, calls: Calls, code: int) -> None:
    library.code = code
    calls.ask(CARD, "power", "ask")
    calls.ask(CARD, "power", "ask")
    assert told(calls) == [(CARD, "nvml_error")] * 2


def test_pynvml_errors_cannot_be_hashed_or_compared_with_none() -> None:
    """Why codes are compared as numbers and errors are never put into a set."""
    error = pynvml.NVMLError(3)
    with pytest.raises(TypeError, match="unhashable"):
        hash(error)
    with pytest.raises(AttributeError):
        assert error == None  # noqa: E711 - the comparison itself is what breaks


def test_a_function_that_this_pynvml_lacks_is_null(calls: Calls) -> None:
    assert calls.ask(CARD, "field", "nvmlOfTheFuture") is None
    assert calls.outcomes == []
