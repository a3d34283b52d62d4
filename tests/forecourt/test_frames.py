"""However deep a call stands, its own calls take no memory from the operating system each time."""

from __future__ import annotations

import resource
import sys
from typing import TYPE_CHECKING

import pytest
from celery import Celery
from django.conf import settings
from django.http import HttpResponse
from django.test import RequestFactory

from forecourt.frames import RoomForFrames, with_room
from forecourt.recorded_task import RecordedTask
from forecourt.wsgi import LeanHandler

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

DEPTHS = 400
"""More calls than fit in 16 KiB, which CPython takes at once."""
CALLS = 300


def nothing(_place: int) -> int:
    return 0


def pages_taken() -> int:
    """How many pages of memory the system gives while a function is called again and again."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for place in range(CALLS):
        nothing(place)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def deep(depth: int, call: Callable[[], int]) -> int:
    return deep(depth - 1, call) if depth else call()


def callers() -> set[str]:
    """The names of the functions that are being called."""
    frame, names = sys._getframe(), set()
    while frame.f_back is not None:
        frame = frame.f_back
        names.add(frame.f_code.co_name)
    return names


def test_at_no_depth_does_every_call_take_memory() -> None:
    """Without room CPython 3.11 takes a page at each of these calls, at one depth of some 150."""
    assert max(with_room(deep, depth, pages_taken) for depth in range(DEPTHS)) < CALLS / 2


def test_what_is_called_gets_what_is_given_and_is_heard() -> None:
    assert with_room(divmod, 7, 2) == (3, 1)
    assert with_room(sorted, [1, 2], key=lambda one: -one) == [2, 1]
    with pytest.raises(ZeroDivisionError):
        with_room(divmod, 7, 0)


def test_pages_machines_and_tasks_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[str]] = []

    def view(_request: HttpRequest) -> HttpResponse:
        seen.append(callers())
        return HttpResponse()

    assert settings.MIDDLEWARE[0] == f"{RoomForFrames.__module__}.{RoomForFrames.__qualname__}"
    RoomForFrames(view)(RequestFactory().get("/"))
    machines = LeanHandler()
    monkeypatch.setattr(machines, "_get_response", view)
    machines.get_response(RequestFactory().post("/"))

    # Shared, it would be a task of the product's own app too, where that has not begun yet.
    @Celery("none", task_cls=RecordedTask, set_as_current=False).task(shared=False)
    def looks() -> None:
        seen.append(callers())

    looks()
    assert len(seen) == 3
    assert all("with_room" in names for names in seen)
