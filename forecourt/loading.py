"""Python's garbage collector, told what a process that has just started knows: that nothing of it is garbage.

A process of the platform loads some thousand modules, which are half a million objects that stay until it ends. To walk
over them again and again while they come, and to take every single one apart before the end, was half of all the
processor time of a start, of a management command even more.

Only what starts a process may call these: they hold for the whole of it.
"""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

LOOK_AFTER: Final = 50_000
"""Allocations more than deallocations after which a command looks among its youngest objects; Python's own is 700."""
SERVES_LOOK_AFTER: Final = 10_000
"""The same of a process that serves, at least. A page that rates a month makes ten thousand objects and lets go of
nearly all of them: Python's own 700 had the collector look fifty times at one page, for up to
two fifths of its time.
"""


@contextmanager
def loading() -> Iterator[None]:
    """Look for no garbage meanwhile, nor ever again among what was loaded, which stays for good; later less often.

    For processes that serve: the walk would else come later too, a tenth of a second in the middle of some page.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.freeze()
            looks_after, *older = gc.get_threshold()
            gc.set_threshold(max(SERVES_LOOK_AFTER, looks_after), *older)
            gc.enable()


def short_lived() -> None:
    """Look for garbage rarely, and leave what is there at the end to the operating system.

    For commands, which load while they work and then end. Finalizers of what refers to itself do not run at the end;
    nothing may depend on these anyway, as Python promises them to nobody.
    """
    gc.set_threshold(LOOK_AFTER, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)
