"""Holds every event that a test brings about to what the OpenAPI document says of its fields, listened to or not."""

from __future__ import annotations

from tenants.hooks import shapes


def pytest_collection_finish() -> None:
    """Compare values where only names are; the module is not imported before settings are there."""
    from tenants.hooks import emitting

    emitting.wrong_fields = shapes.misfits
