"""The pages of members, and the one that an invitation leads to."""
