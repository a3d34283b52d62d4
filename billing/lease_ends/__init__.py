"""Telling the parties of leases by letter that one ends soon, and that one has ended."""
