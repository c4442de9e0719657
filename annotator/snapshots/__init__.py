"""Snapshots of a whole project at another place, taken while it runs and restored when it starts."""
