"""Programs that make what the product ships; no user runs them, and the product imports none."""
