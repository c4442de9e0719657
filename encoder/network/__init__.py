"""A Gemma made an encoder: families, masks, heads, scoring, checkpoints."""
