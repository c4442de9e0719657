"""The model: posts and criteria in, scored evidence spans out. Knows no database and no user interface."""
