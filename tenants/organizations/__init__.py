"""Organizations themselves: made with their first owner, changed, kept out by the operator."""
