"""Room for the frames of a request or a task, so that its speed does not hang on how deep it stands.

CPython keeps the frames of Python functions in chunks of 16 KiB. Where a loop stands at the very end of one, each call
of it takes a chunk from the operating system and gives it back: a page of a thousand rows took 50 ms of processor or
217, by nothing but how many functions the server stood in before it (python/cpython#142183; later releases of 3.13 and
3.14 keep one chunk, 3.11 and 3.12 none). A function that says it needs many slots gets a chunk that holds them, rounded
up to a power of two: what is over is as much again, and all that it calls fits there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

P = ParamSpec("P")
R = TypeVar("R")

SLOTS: Final = 65_536
"""Half a MiB, of which nothing is touched; the other half of the chunk holds as many frames as may be nested."""


def with_room(call: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function in a chunk of its own, and return what it returns."""
    return call(*args, **kwargs)


with_room.__code__ = with_room.__code__.replace(co_stacksize=SLOTS)


class RoomForFrames:
    """Answers each request with room; the outermost middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer."""
        return with_room(self.get_response, request)
