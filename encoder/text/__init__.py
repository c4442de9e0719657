"""Text and offsets: sentences, alignment, characters to tokens and back, prompts, windows. No torch."""
