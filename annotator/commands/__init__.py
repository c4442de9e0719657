"""The commands of `evidence`, one module each. A module's top level imports nothing slow: `evidence --help` is instant.

Each has `add(commands)`, which declares its arguments and sets `run`; `run(arguments)` returns the exit code or None for 0.
"""
