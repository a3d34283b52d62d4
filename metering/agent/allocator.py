"""Keeping the C library's allocator small: an agent is a guest on a machine whose memory is for other things.

glibc gives threads arenas of their own, and each keeps what its engine's page took: 5 MiB for four engines. One arena
serves an agent as well, because its threads wait for the network and for each other's interpreter. And glibc keeps the
room of large blocks that come and go; a page's room goes back to the system at once, some times a minute.
"""

from typing import Final

_SETTINGS: Final = ((-8, 1), (-3, 1 << 16))
"""`M_ARENA_MAX` and `M_MMAP_THRESHOLD` of glibc's malloc.h, and what they are set to."""


def keep_small() -> bool:
    """Set the allocator for all that is allocated from now on; False where the C library has no such settings."""
    try:
        # What `ctypes` is made of: the package itself would cost a fifth of what this saves.
        from _ctypes import call_function, dlopen, dlsym

        this = dlopen(None, 0)  # type: ignore[arg-type]  # None is this process itself
        done = [call_function(dlsym(this, "mallopt"), setting) for setting in _SETTINGS]
        return all(done)
    except (ImportError, OSError):
        return False
