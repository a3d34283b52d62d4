"""The undisturbed run, which every walk that needs one shares."""

from tests.faults.undisturbed import undisturbed

__all__ = ["undisturbed"]
