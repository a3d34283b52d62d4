"""The run of the demo that the tests here look at."""

from tests.faults.ended import ended

__all__ = ["ended"]
