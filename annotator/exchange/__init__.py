"""Imports and exports as use cases: what the pages, the API, the command line and the worker call."""
