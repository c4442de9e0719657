"""Several people over one corpus: rounds, who reads what, agreement, adjudication, and what a paper says of it. No gradio, no torch."""
