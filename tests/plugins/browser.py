"""Fixtures of the browser flows."""
