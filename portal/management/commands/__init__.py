"""Commands that prepare what the look needs: fonts and compiled words."""
