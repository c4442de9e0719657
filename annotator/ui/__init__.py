"""The pages, one module each; their handlers are a few lines long and call the use cases."""
