"""Commands that prepare what the look needs."""
