"""The way from a reading to a paid invoice as its operator watches it: what waits at each stage, and what stopped."""
