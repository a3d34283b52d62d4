"""The undisturbed run, which the tests here compare with."""

from tests.faults.undisturbed import undisturbed

__all__ = ["undisturbed"]
