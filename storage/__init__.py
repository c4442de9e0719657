"""Durable state: records, the SQLite store, jobs, backups and exchange formats.

Knows no model and no user interface. Start with `storage.records`.
"""
