"""What comes with the product: the small model in `model/`, the corpus that it learned from, the demo posts."""
