"""Lets Django find its connection, its language and its settings as a program without asynchronous parts could.

asgiref's `Local` asks for a running loop by catching an error where there is none, and copies a context where there may
be one; settings are read through a function of Python's. One of them is asked for several times in each statement, each
request and each text: a fiftieth of the processor time of all tests. What is found is the same: what a thread has is
its own, and beside a browser's event loop Django gives another connection than without.
"""

from __future__ import annotations

import re
import threading
from asyncio import _get_running_loop
from typing import TYPE_CHECKING, Any

import pytest
from asgiref import local
from django.conf import LazySettings
from django.urls import base as addresses
from django.utils.translation import trans_real

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS_OWN = ((trans_real, "_active"), (addresses, "_prefixes"), (addresses, "_urlconfs"))
"""What Django keeps for each thread, or for each call where calls wait for each other, which none does here."""

PATTERNS_KEPT = 8192


def pytest_configure(config: pytest.Config) -> None:
    """Put the plain ways in the place of the others until the run's end."""
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    kind: Any = local._ThreadCriticalLocal
    patch.setattr(kind, "__getattr__", finding(kind._get_storage))
    patch.setattr(LazySettings, "__getattribute__", object.__getattribute__)
    # An address is made by a pattern of its own: Python keeps 512 of them, and the site has more.
    patch.setattr(re, "_MAXCACHE", PATTERNS_KEPT)
    for module, name in THREADS_OWN:
        patch.setattr(module, name, threading.local())


def finding(storage_beside_a_loop: Callable[[Any], Any]) -> Callable[[Any, str], Any]:
    """What is looked for in the thread's own storage, and beside a running loop in that of asgiref."""

    def find(kept: Any, name: str) -> Any:
        return getattr(kept._storage if _get_running_loop() is None else storage_beside_a_loop(kept), name)

    return find
