"""Learning after each decision, on top of the model in service. No gradio, no torch."""
