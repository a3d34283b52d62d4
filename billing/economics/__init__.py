"""What the provider's clusters cost, what is earned with them, and where the two cross: pure arithmetic, exact."""
