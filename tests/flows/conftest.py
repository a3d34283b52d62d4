"""The run of the demo, which every walk that needs one shares."""

from tests.faults.ended import ended

__all__ = ["ended"]
