"""Makes the evidence model on real Gemma 3 270M: `python -m recipes.gemma.build`."""
