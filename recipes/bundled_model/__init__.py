"""Makes the bundled model: `python -m recipes.bundled_model.build`."""
