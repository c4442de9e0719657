"""Reviewing as use cases: decisions, undo, the list of posts, guidelines, visitors of the public demo. No gradio, no torch."""
